from itertools import pairwise

import pytest
import shapely

from spatial_pipeline.contract.rules.vertices import RingOrientation
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import line, of_type

CCW = "POLYGON ((0 0, 9 0, 9 9, 0 0), (5 1, 6 2, 6 1, 5 1))"
CW = "POLYGON ((0 0, 9 9, 9 0, 0 0), (5 1, 6 1, 6 2, 5 1))"
SHELL, HOLE = "LINESTRING (0 0, 9 9, 9 0, 0 0)", "LINESTRING (5 1, 6 1, 6 2, 5 1)"


def turned(rule, shape):
    parts = of_type(shape, "Polygon")
    if not parts or not shape.is_valid:
        return None
    told = []
    for part in parts:
        for i, ring in enumerate([part.exterior, *part.interiors]):
            places = [c[:2] for c in ring.coords]
            twice = sum(
                (ax - places[0][0]) * (by - places[0][1])
                - (bx - places[0][0]) * (ay - places[0][1])
                for (ax, ay), (bx, by) in pairwise(places)
            )
            run = "counter-clockwise" if twice > 0 else "clockwise"
            wanted = (rule.exterior == "ccw") == (i == 0)
            if (twice > 0) != wanted:
                told.append((f"{'hole' if i else 'shell'} runs {run}", line(*places), None))
    return told


UNJUDGED = ["POINT (0 0)", "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"]
FAILS = [("shell runs clockwise", SHELL, None), ("hole runs counter-clockwise", HOLE, None)]
test_laws = laws(
    RuleCases(RingOrientation(), [CCW], [(CW, FAILS)], oracle=turned, unjudged=UNJUDGED)
)


@pytest.mark.parametrize(("wkt", "found"), [(CW, []), (CCW, [(0, 0, -1), (0, 1, -1)])])
def test_the_other_direction(wkt, found):
    _, violations = everywhere(RingOrientation(exterior="cw"), [shapely.from_wkt(wkt)])
    assert [f[4:] for f in violations] == found
