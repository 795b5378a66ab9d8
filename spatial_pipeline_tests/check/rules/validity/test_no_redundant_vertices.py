import math
from fractions import Fraction

import pytest
import shapely

from spatial_pipeline.contract.rules.vertices import NoRedundantVertices
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import corners, of_type

STRAIGHT = "LINESTRING (0 0, 1 0, 3 0)"
RING = "POLYGON ((1 0, 2 0, 2 2, 0 2, 0 0, 1 0))"


def redundant(rule, shape):
    if not of_type(shape, "LineString", "Polygon"):
        return None
    told = []
    for a, b, c in corners(shape):
        (ax, ay), (bx, by), (cx, cy) = (tuple(map(Fraction, p)) for p in (a, b, c))
        length = (cx - ax) ** 2 + (cy - ay) ** 2
        if not length:
            continue
        share = ((bx - ax) * (cx - ax) + (by - ay) * (cy - ay)) / length
        twice = abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
        if 0 < share < 1 and twice**2 <= Fraction(rule.max_offset) ** 2 * length:
            offset = float(twice) / math.sqrt(length)
            told.append(("redundant vertex", shapely.Point(b).wkt, offset))
    return told


@pytest.mark.parametrize("offset", [0, 0.5])
def test_the_ends_of_a_ring_are_corners(offset):
    _, violations = everywhere(NoRedundantVertices(max_offset=offset), [shapely.from_wkt(RING)])
    assert [(f[2], *f[4:]) for f in violations] == [("POINT (1 0)", 0, 0, 0)]


test_laws = laws(
    RuleCases(
        NoRedundantVertices(),
        passes=["LINESTRING (0 0, 4 0, 4 4)", "LINESTRING (0 0, 4 0, 2 0)"],
        fails=[(STRAIGHT, [("redundant vertex", "POINT (1 0)", 0)])],
        oracle=redundant,
        unjudged=["POINT (0 0)"],
    )
)
test_laws_offset = laws(
    RuleCases(
        NoRedundantVertices(max_offset=0.9),
        passes=["LINESTRING (0 0, 4 0, 4 4)"],
        fails=[("LINESTRING (0 0, 3 0.75, 6 0)", [("redundant vertex", "POINT (3 0.75)", 0.75)])],
        oracle=redundant,
        unjudged=["POINT (0 0)"],
    )
)
