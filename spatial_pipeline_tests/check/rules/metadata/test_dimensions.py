import pytest
import shapely

from spatial_pipeline.contract.rules.metadata import Dimensions
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws

DEEP = "POINT Z (0 0 1)"
ZERO = "LINESTRING ZM (0 0 0 1, 1 1 0 2)"


def others(rule, shape):
    name = "XY" + "Z" * shape.has_z + "M" * shape.has_m
    return [] if name in rule.any_of else [(f"{name}, expected XY or XYM", shape.wkt, None)]


test_laws = laws(
    RuleCases(
        Dimensions(any_of=["XY", "XYM"]),
        passes=["POINT (0 0)", "LINESTRING M (0 0 1, 1 1 2)"],
        fails=[(DEEP, [("XYZ, expected XY or XYM", DEEP, None)])],
        oracle=others,
    )
)


@pytest.mark.parametrize(
    ("wkt", "expected"),
    [
        (ZERO, ["Z is 0 at every vertex"]),
        ("POINT M (1 1 0)", ["M is 0 at every vertex"]),
        ("LINESTRING Z (0 0 0, 1 1 2)", []),
        ("POINT (0 0)", []),
    ],
)
def test_what_is_zero_everywhere_is_left_over(wkt, expected):
    result, violations = everywhere(Dimensions(not_constant_zero=True), [shapely.from_wkt(wkt)])
    assert [f[1] for f in violations] == expected
    assert "judged in the XY plane" not in result.message
