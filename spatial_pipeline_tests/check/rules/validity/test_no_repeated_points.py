import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.vertices import NoRepeatedPoints
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type, segments

PARTS = ("LineString", "Polygon")
TWICE = "LINESTRING (0 0, 3 0, 3 0, 5 0)"
RING = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (4 4, 4 5, 7 5, 7 5, 4 4))"


def repeated(rule, shape):
    if not of_type(shape, *PARTS):
        return None
    told = [
        (shapely.Point(b).wkt, np.hypot(b[0] - a[0], b[1] - a[1]))
        for a, b in segments(shape, *PARTS)
    ]
    close = f"within {rule.within:.15g} m of the vertex before"
    return [
        (close if far else "repeated point", where, far)
        for where, far in told
        if far <= rule.within
    ]


EXACT = ("repeated point", "POINT (3 0)", 0)
test_laws = laws(
    RuleCases(
        NoRepeatedPoints(),
        passes=["LINESTRING (0 0, 3 0, 0 0)", "POLYGON ((0 0, 9 0, 9 9, 0 0))"],
        fails=[(TWICE, [EXACT])],
        oracle=repeated,
        unjudged=["POINT (0 0)", "MULTIPOINT ((0 0), (0 0))"],
    )
)
test_laws_within = laws(
    RuleCases(
        NoRepeatedPoints(within=2),
        passes=["LINESTRING (0 0, 3 0, 0 0)"],
        fails=[
            (TWICE, [EXACT, ("within 2 m of the vertex before", "POINT (5 0)", 2)]),
        ],
        oracle=repeated,
        unjudged=["POINT (0 0)"],
    )
)


def test_the_second_vertex_is_named():
    _, violations = everywhere(NoRepeatedPoints(), [shapely.from_wkt(RING)])
    assert [f[4:] for f in violations] == [(0, 1, 3)]


@settings(deadline=None, max_examples=15)
@given(st.lists(lines(), min_size=1, max_size=3), st.floats(0, 5), st.floats(0, 5))
def test_a_wider_search_never_finds_less(shapes, one, other):
    few, many = (
        len(everywhere(NoRepeatedPoints(within=w), shapes)[1]) for w in sorted((one, other))
    )
    assert few <= many
