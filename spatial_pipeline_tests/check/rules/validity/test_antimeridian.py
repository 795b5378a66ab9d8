from itertools import pairwise

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.vertices import Antimeridian
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import line, of_type, paths

UNSPLIT = "crosses the antimeridian unsplit"
AROUND = "runs around a pole and not through it"
LINE = "LINESTRING (170 0, -170 0)"
BEYOND = "LINESTRING (170 0, 190 0)"
POLAR = "POLYGON ((0 80, 120 80, -120 80, 0 80))"
RIGHT = "POLYGON ((0 80, 180 80, 180 90, -180 90, -180 80, 0 80))"
WORLD = "POLYGON ((-180 -60, 180 -60, 180 60, -180 60, -180 -60))"


def crossings(_, shape):
    if not of_type(shape, "LineString", "Polygon"):
        return None
    told = []
    for name in ("LineString", "Polygon"):
        for path in paths(shape, name):
            jumps = {
                (a, b): 1 if b[0] < a[0] else -1
                for a, b in pairwise(path)
                if 180 < abs(b[0] - a[0]) < 360 and not (a[1] == b[1] and abs(a[1]) == 90)
            }
            turns = sum(jumps.get(s, 0) for s in pairwise(path))
            for a, b in pairwise(path):
                low, high = sorted((a[0], b[0]))
                poles = a[1] == b[1] and abs(a[1]) == 90
                over = low < 180 < high or low < -180 < high
                if (a, b) in jumps or (over and not poles):
                    polar = name == "Polygon" and turns and (a, b) in jumps
                    told.append((AROUND if polar else UNSPLIT, line(a, b), high - low))
    return told


test_laws = laws(
    RuleCases(
        Antimeridian(),
        passes=["LINESTRING (10 0, 180 0)", RIGHT, WORLD],
        fails=[
            (LINE, [(UNSPLIT, LINE, 340)]),
            (BEYOND, [(UNSPLIT, BEYOND, 20)]),
            (POLAR, [(AROUND, "LINESTRING (120 80, -120 80)", 240)]),
        ],
        oracle=crossings,
        unjudged=["POINT (0 0)"],
        crs="EPSG:4326",
    )
)

PLACES = st.tuples(
    st.sampled_from([-190.0, -180.0, -120.0, 0.0, 120.0, 180.0, 190.0]),
    st.sampled_from([-90.0, 0.0, 90.0]),
)
RINGS = st.lists(PLACES, min_size=3, max_size=6).map(shapely.Polygon)
LINES = st.lists(PLACES, min_size=2, max_size=6).map(shapely.LineString)


@settings(deadline=None, max_examples=60)
@given(RINGS | LINES)
def test_all_around_the_world(shape):
    _, violations = everywhere(Antimeridian(), [shape], crs="EPSG:4326")
    assert sorted((f[1], f[2], f[3]) for f in violations) == sorted(crossings(None, shape))


@pytest.mark.parametrize("crs", ["EPSG:32633", None])
def test_other_coordinates_are_an_error(crs):
    result, _ = everywhere(Antimeridian(), [shapely.from_wkt(LINE)], crs=crs)
    assert result.status is Status.ERROR
