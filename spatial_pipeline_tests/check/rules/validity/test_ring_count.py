import pydantic
import pytest

from spatial_pipeline.contract.rules.vertices import RingCount
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import paths

FEW = "POLYGON ((0 0, 1 0, 1 1, 0 0))"
GOOD = "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((3 3, 4 3, 4 4, 3 3)))"
MANY = (
    "POLYGON ((0 0, 9 0, 9 9, 0 0), "
    "(5 1, 6 1, 6 2, 5 1), (7 1, 8 1, 8 2, 7 1), (5 3, 6 3, 6 4, 5 3))"
)


def miscounted(rule, shape):
    count = len(list(paths(shape, "Polygon")))
    if not count:
        return None
    if count < rule.min:
        return [(f"fewer than {rule.min} rings", shape.wkt, float(count))]
    if count > rule.max:
        return [(f"more than {rule.max} rings", shape.wkt, float(count))]
    return []


test_laws = laws(
    RuleCases(
        RingCount(min=2, max=3),
        passes=[GOOD],
        fails=[
            (FEW, [("fewer than 2 rings", FEW, 1)]),
            (MANY, [("more than 3 rings", MANY, 4)]),
        ],
        oracle=miscounted,
        unjudged=["POINT (0 0)", "LINESTRING (0 0, 1 1)"],
    )
)


def test_bounds_are_in_order():
    with pytest.raises(pydantic.ValidationError, match="min is larger than max"):
        RingCount(min=2, max=1)
