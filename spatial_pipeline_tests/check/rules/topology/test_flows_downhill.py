import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.networks import FlowsDownhill
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule


def oracle(rule, shape):
    lines = [list(line.coords) for line in of_type(shape, "LineString")]
    if not shape.has_z or not lines:
        return None
    told = []
    for path in lines:
        rises = [z - min(p[2] for p in path[: i + 1]) for i, (*_, z) in enumerate(path)]
        most = max(rises)
        if most > rule.tolerance:
            place = path[rises.index(most)]
            told.append(("rises", shapely.Point(place[:2]).wkt, most))
    return told


UP = "LINESTRING Z (0 0 5, 1 0 3, 2 0 4, 3 0 1, 4 0 2.5)"
test_laws = laws(
    RuleCases(
        FlowsDownhill(),
        passes=["LINESTRING Z (0 0 5, 1 0 3, 2 0 3)"],
        fails=[
            (UP, [("rises", "POINT (4 0)", 1.5)]),
            (
                "MULTILINESTRING Z ((0 0 1, 1 0 2), (5 5 9, 6 6 8), (7 7 0, 8 8 3))",
                [("rises", "POINT (1 0)", 1), ("rises", "POINT (8 8)", 3)],
            ),
        ],
        oracle=oracle,
        tolerances=["tolerance"],
        others=["POINT (0 0)"],
        unjudged=["LINESTRING (0 0, 1 1)"],
    )
)


def test_a_rise_up_to_the_tolerance_is_accepted():
    line = [shapely.from_wkt(UP)]
    assert len(everywhere(FlowsDownhill(tolerance=1.5), line)[1]) == 0
    assert len(everywhere(FlowsDownhill(tolerance=1.4), line)[1]) == 1


BY_RASTER = FlowsDownhill(raster={"uri": "dem.tif"}, tolerance=1, if_present=True)
PLACE = st.tuples(st.integers(-1, 6), st.integers(-1, 6))
PATHS = st.lists(st.lists(PLACE, min_size=2, max_size=5), max_size=4)


@given(PATHS, st.lists(st.integers(0, 5), min_size=25, max_size=25), st.sampled_from([1, 2, 16]))
@settings(max_examples=60, deadline=None)
def test_a_line_falls_over_the_pixels_that_its_vertices_lie_in(paths, heights, block):
    dem = np.array(heights, dtype=float).reshape(1, 5, 5)
    raster = memory_raster(dem, nodata=0, transform=(1, 0, 0, 0, -1, 5), block=block)
    lines = [shapely.LineString([(x + 0.5, y + 0.5) for x, y in path]) for path in paths]
    expected, without = [], 0
    for row, path in enumerate(paths):
        found = [
            dem[0, 4 - y, x] if 0 <= x < 5 and 0 <= y < 5 and dem[0, 4 - y, x] else None
            for x, y in path
        ]
        known = [h for h in found if h is not None]
        without += len(known) < len(found)
        rises = [h - min(known[: i + 1]) for i, h in enumerate(known)]
        if max(rises, default=0) > 1:
            expected.append((row, max(rises)))
    result, violations = run_rule(BY_RASTER, memory_vector(lines, batch_size=2), raster)
    assert list(zip(violations.rows[:, 0], violations.measure, strict=True)) == expected
    assert (f"{without} line" in result.message) == (without > 0)


def test_the_raster_has_a_crs_of_its_own_a_scale_and_bands():
    dem = np.array([[[1, 2]], [[9, 8]]])
    places = (0.5, 0.5), (1.5, 0.5)
    raster = memory_raster(dem, transform=(1, 0, 0, 0, -1, 1), crs="EPSG:4326")
    moved = shapely.LineString([(55660, 55660), (166979, 55660)])
    result, violations = run_rule(FlowsDownhill(raster={"uri": "a.tif"}),
                                  memory_vector([moved], crs="EPSG:3857"), raster)  # fmt: skip
    assert (violations.measure.tolist(), "accuracy" in result.message) == ([1], True)
    down = FlowsDownhill(raster={"uri": "a.tif"}, band=2)
    line = memory_vector([shapely.LineString(places)], crs="EPSG:4326")
    assert run_rule(down, line, raster)[0].passed
    none = FlowsDownhill(raster={"uri": "a.tif"}, band=3)
    result, _ = run_rule(none, line, raster)
    assert (result.status, result.message) == (Status.ERROR, "needs band 3: memory has 2")


@pytest.mark.parametrize("crs", [None, "EPSG:32633"])
def test_a_raster_needs_a_crs_on_both_sides(crs):
    line = memory_vector([shapely.LineString([(0, 0), (1, 1)])], crs=crs)
    result, _ = run_rule(BY_RASTER, line, memory_raster([[[1.0]]], crs=None))
    assert (result.status, "needs crs" in result.message) == (Status.ERROR, True)
