from itertools import pairwise

import shapely

from spatial_pipeline.contract.rules.vertices import MonotonicMeasure
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import line, of_type

BACK = "LINESTRING M (0 0 1, 1 0 5, 2 0 3)"


def turning(rule, shape):
    if not shape.has_m or not of_type(shape, "LineString"):
        return None
    sign = 1 if rule.direction == "increasing" else -1
    return [
        ("M turns back", line(a[:2], b[:2]), b[-1] - a[-1])
        for part in of_type(shape, "LineString")
        for a, b in pairwise(part.coords)
        if sign * (b[-1] - a[-1]) < 0
    ]


test_laws = laws(
    RuleCases(
        MonotonicMeasure(),
        passes=["LINESTRING M (0 0 1, 1 0 1, 2 0 3)", "LINESTRING ZM (0 0 9 1, 1 0 5 2)"],
        fails=[(BACK, [("M turns back", "LINESTRING (1 0, 2 0)", -2)])],
        oracle=turning,
        unjudged=["POINT M (0 0 1)", "LINESTRING (0 0, 1 1)", "LINESTRING Z (0 0 1, 1 1 2)"],
    )
)


def test_the_other_direction_and_what_has_no_number():
    falling = shapely.from_wkt("MULTILINESTRING M ((0 0 3, 1 0 2), (5 0 1, 6 0 NaN))")
    _, violations = everywhere(MonotonicMeasure(direction="decreasing"), [falling])
    assert [(f[1], *f[3:]) for f in violations] == [("M is not a number", None, 1, -1, 0)]
