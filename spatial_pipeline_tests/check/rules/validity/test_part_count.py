import pydantic
import pytest

from spatial_pipeline.contract.rules.vertices import PartCount
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws

FEW = "POLYGON ((0 0, 1 0, 1 1, 0 0))"
GOOD = "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((3 3, 4 3, 4 4, 3 3)))"
MANY = "MULTIPOINT ((0 0), (1 1), (2 2), (3 3))"


def miscounted(rule, shape):
    count = len(getattr(shape, "geoms", [shape]))
    if count < rule.min:
        return [(f"fewer than {rule.min} parts", shape.wkt, float(count))]
    if count > rule.max:
        return [(f"more than {rule.max} parts", shape.wkt, float(count))]
    return []


test_laws = laws(
    RuleCases(
        PartCount(min=2, max=3),
        passes=[GOOD],
        fails=[
            (FEW, [("fewer than 2 parts", FEW, 1)]),
            (MANY, [("more than 3 parts", MANY, 4)]),
        ],
        oracle=miscounted,
    )
)


def test_bounds_are_in_order():
    with pytest.raises(pydantic.ValidationError, match="min is larger than max"):
        PartCount(min=2, max=1)
