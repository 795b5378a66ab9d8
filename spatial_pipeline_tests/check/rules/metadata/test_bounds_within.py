import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.metadata import BoundsWithin
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere, said
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule

AREA = BoundsWithin(area_of_use=True)
NEW_ZEALAND = "EPSG:4167"


def test_an_extent_on_the_edge_passes():
    result, violations = everywhere(BoundsWithin(bounds=(0, 0, 2, 2)), [shapely.box(0, 0, 2, 2)])
    assert (result.status, result.checked, violations) == (Status.PASSED, 4, [])


def test_the_strip_beyond_each_side_is_drawn():
    result, violations = everywhere(BoundsWithin(bounds=(1, 0, 4, 1)), [shapely.box(0, 0, 4.5, 1)])
    assert violations == [
        ((), "xmin 0 lies beyond 1", "POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0))", 1.0, -1, -1, -1),
        ((), "xmax 4.5 lies beyond 4", "POLYGON ((4 0, 4 1, 4.5 1, 4.5 0, 4 0))", 0.5, -1, -1, -1),
    ]
    assert (result.status, result.violations) == (Status.FAILED, 2)
    assert result.message == "the extent [0, 0, 4.5, 1] leaves the bounds [1, 0, 4, 1]"


def test_points_and_lines_leave_too():
    _, violations = everywhere(BoundsWithin(bounds=(1, 0, 4, 1)), [shapely.Point(0, 0.5)])
    assert [f[2] for f in violations] == ["POINT (0 0.5)"]
    _, violations = everywhere(
        BoundsWithin(bounds=(1, 0, 4, 1)), [shapely.LineString([(0, 0), (2, 0)])]
    )
    assert [f[2] for f in violations] == ["LINESTRING (0 0, 1 0)"]


@pytest.mark.parametrize("geometries", [[], [None], [shapely.Point()]])
def test_without_extent_nothing_leaves(geometries):
    result, _ = everywhere(BoundsWithin(bounds=(0, 0, 1, 1)), geometries)
    assert (result.status, result.checked) == (Status.PASSED, 0)
    assert "there is no extent" in result.message


COORDINATES = st.integers(-3, 3)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=5),
    st.tuples(*[COORDINATES] * 4),
)
def test_the_extent_is_inside_when_every_point_is(points, box):
    xmin, xmax = sorted(box[:2])
    ymin, ymax = sorted(box[2:])
    rule = BoundsWithin(bounds=(xmin, ymin, xmax, ymax))
    result, violations = run_rule(rule, memory_vector([shapely.Point(p) for p in points]))
    inside = [xmin <= x <= xmax and ymin <= y <= ymax for x, y in points]
    assert result.passed is all(inside)
    x, y = np.array(points).T
    beyond = [xmin - x.min(), ymin - y.min(), x.max() - xmax, y.max() - ymax]
    assert sorted(violations.measure.tolist()) == sorted(float(d) for d in beyond if d > 0)


def test_rasters_are_judged():
    data = memory_raster(np.zeros((1, 2, 4)), transform=(1, 0, 10, 0, -1, 5))
    assert run_rule(BoundsWithin(bounds=(10, 3, 14, 5)), data)[0].passed
    _, violations = run_rule(BoundsWithin(bounds=(11, 3, 14, 5)), data)
    assert violations.reasons.tolist() == ["xmin 10 lies beyond 11"]


def test_the_area_of_use_of_a_projected_crs():
    inside = memory_vector([shapely.box(4e5, 5e6, 5e5, 6e6)], crs="EPSG:32633")
    assert run_rule(AREA, inside)[0].passed
    result, _ = run_rule(AREA, memory_vector([shapely.box(-4e5, 5e6, 5e5, 6e6)], crs="EPSG:32633"))
    assert result.status is Status.FAILED
    assert "leaves the area of use of WGS 84 / UTM zone 33N" in result.message


def test_the_whole_world_is_inside_web_mercator():
    world = 20037508.342789248
    data = memory_vector([shapely.box(-world, -world, world, world)], crs="EPSG:3857")
    assert run_rule(AREA, data)[0].passed


def test_without_crs_there_is_no_area():
    result, _ = run_rule(AREA, memory_vector([shapely.Point(0, 0)], crs=None))
    assert (result.status, result.message) == (Status.ERROR, "needs crs")


def test_an_unknown_area_is_an_error():
    crs = "+proj=tmerc +lat_0=1.234 +lon_0=5.678 +ellps=bessel +type=crs"
    result, _ = run_rule(AREA, memory_vector([shapely.Point(0, 0)], crs=crs))
    assert (result.status, result.message.split(":")[0]) == (
        Status.ERROR,
        "the area of use of unknown is not known",
    )


CHATHAM = shapely.box(-177, -45, -176, -43)
WELLINGTON = shapely.box(174, -42, 175, -41)


@pytest.mark.parametrize(
    "geometries",
    [
        [WELLINGTON],
        [CHATHAM],
        [WELLINGTON, CHATHAM],
        [shapely.MultiPolygon([WELLINGTON, CHATHAM]), None, shapely.Polygon()],
        [shapely.box(174, -45, 184, -41)],
    ],
)
def test_both_sides_of_the_antimeridian_are_in_the_area(geometries):
    result, _ = everywhere(AREA, geometries, crs=NEW_ZEALAND)
    assert result.passed, result.message


def test_what_lies_between_the_sides_is_found():
    greenwich = shapely.box(0, -42, 1, -41)
    both = shapely.MultiPolygon([WELLINGTON, greenwich])
    result, violations = everywhere(AREA, [WELLINGTON, CHATHAM, greenwich, both], crs=NEW_ZEALAND)
    assert result.status is Status.FAILED
    assert [(f[0], f[1]) for f in violations] == [
        ((2,), "lies outside the area of use of NZGD2000"),
        ((3,), "lies outside the area of use of NZGD2000"),
    ]
    assert all(shapely.from_wkt(f[2]).equals(greenwich) for f in violations)


def test_the_computed_extent_of_a_raster_may_be_rounded():
    # 3 pixels of 0.1 end at 0.30000000000000004.
    data = memory_raster(np.zeros((1, 3, 3)), transform=(0.1, 0, 0, 0, -0.1, 0.3))
    result, _ = run_rule(BoundsWithin(bounds=(0, 0, 0.3, 0.3)), data)
    assert result.passed
    result, violations = run_rule(BoundsWithin(bounds=(0, 0, 0.29999999, 0.3)), data)
    assert len(violations) == 1
    data = memory_raster(np.zeros((1, 1, 3)), crs="EPSG:4326", transform=(120.1, 0, -180, 0, -1, 0))
    world = memory_raster(
        np.zeros((1, 1, 3600)), crs="EPSG:4326", transform=(0.1, 0, -180, 0, -1, 0)
    )
    assert run_rule(BoundsWithin(area_of_use=True), data)[0].status is Status.FAILED
    assert run_rule(BoundsWithin(area_of_use=True), world)[0].passed


def test_a_raster_across_the_antimeridian_has_one_extent():
    spanning = memory_raster(
        np.zeros((1, 1, 36)), crs=NEW_ZEALAND, transform=(10, 0, -180, 0, -10, -30)
    )
    _, violations = run_rule(AREA, spanning)
    assert [f[1] for f in said(violations)] == ["the extent leaves the area of use of NZGD2000"]
    crossing = memory_raster(
        np.zeros((1, 1, 1)), crs=NEW_ZEALAND, transform=(10, 0, 175, 0, -10, -30)
    )
    assert run_rule(AREA, crossing)[0].passed
