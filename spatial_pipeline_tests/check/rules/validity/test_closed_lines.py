import math

import shapely

from spatial_pipeline.contract.rules.vertices import ClosedLines
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import line, paths

OPEN = "LINESTRING (0 0, 3 0, 3 4)"
TWO = "MULTILINESTRING ((0 0, 1 0, 1 1, 0 0), (0 0, 1 0))"


def unclosed(_, shape):
    lines = list(paths(shape, "LineString"))
    told = [
        ("line is not closed", line(p[-1], p[0]), math.dist(p[0], p[-1]))
        for p in lines
        if p[0] != p[-1]
    ]
    return told if lines else None


test_laws = laws(
    RuleCases(
        ClosedLines(),
        passes=["LINESTRING (0 0, 1 0, 1 1, 0 0)"],
        fails=[
            (OPEN, [("line is not closed", "LINESTRING (3 4, 0 0)", 5)]),
            (TWO, [("line is not closed", "LINESTRING (1 0, 0 0)", 1)]),
        ],
        oracle=unclosed,
        unjudged=["POINT (0 0)", "POLYGON ((0 0, 1 0, 1 1, 0 0))"],
    )
)


def test_the_end_that_stays_open_is_named():
    _, violations = everywhere(ClosedLines(), [shapely.from_wkt(TWO)])
    assert [f[4:] for f in violations] == [(1, -1, 1)]
