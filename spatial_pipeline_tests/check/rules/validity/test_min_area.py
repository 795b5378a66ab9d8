import numpy as np
import pydantic
import pytest
import shapely

from spatial_pipeline.contract.rules.validity import MinArea
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws, leaves

SMALL = "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))"
LARGE = "POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0))"


def below(rule, shape):
    areal = [p for p in leaves(shape) if p.geom_type == "Polygon" and not p.is_empty]
    if not areal or not shape.is_valid:
        return None
    bound = 2.0 if rule.limits else rule.value
    return [(f"area below {bound:.15g} m²", shape.wkt, shape.area)] if shape.area < bound else []


FAILS = [(SMALL, [("area below 2 m²", SMALL, 1)])]
UNJUDGED = ["POINT (0 0)", "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"]
test_laws = laws(RuleCases(MinArea(value=2), [LARGE], FAILS, below, unjudged=UNJUDGED))
test_laws_by_class = laws(
    RuleCases(
        MinArea(limits={"by": "use", "values": {"house": 2, "else": 99}}),
        [LARGE],
        FAILS,
        below,
        columns={"use": "house"},
        unjudged=UNJUDGED,
    )
)


def test_a_class_without_a_bound_passes():
    rule = MinArea(limits={"by": "use", "values": {"house": 2}})
    shapes = [shapely.from_wkt(SMALL)] * 3
    _, violations = everywhere(rule, shapes, {"use": ["house", "field", None]})
    assert [f[0] for f in violations] == [(0,)]


def test_parts_by_themselves():
    both = shapely.MultiPolygon([shapely.from_wkt(LARGE), shapely.box(5, 5, 6, 6)])
    assert everywhere(MinArea(value=2), [both])[0].passed
    _, violations = everywhere(MinArea(value=2, by_part=True), [both])
    assert [(f[3], f[4]) for f in violations] == [(1.0, 1)]


def test_what_the_border_cuts_may_be_small():
    shapes = [shapely.box(0, 0, 10, 1), shapely.box(4, 4, 5, 5), shapely.box(9, 9, 10, 10)]
    _, violations = everywhere(MinArea(value=2, except_at_border=True), shapes)
    assert [f[0] for f in violations] == [(1,)]


@pytest.mark.parametrize("fields", [{}, {"value": 1, "limits": {"by": "a", "values": {"b": 1}}}])
def test_one_of_value_and_limits_is_needed(fields):
    with pytest.raises(pydantic.ValidationError, match="value or limits"):
        MinArea(**fields)


def test_square_metres_on_the_ellipsoid():
    rule = MinArea(value=12_000, metres=True)
    # 0.001 degrees: 111 m by 111 m at the equator, half as wide at 60° north.
    shapes = [shapely.box(0, 0, 0.001, 0.001), shapely.box(0, 60, 0.001, 60.001)]
    result, violations = everywhere(rule, shapes, crs="EPSG:4326")
    assert [(f[0], f[1]) for f in violations] == [((1,), "area below 12000 m²")]
    np.testing.assert_allclose(violations[0][3], 6214.9, rtol=1e-3)
    assert "degrees" not in result.message
    feet, _ = everywhere(
        MinArea(value=9, metres=True), [shapely.box(0, 0, 10, 10)], crs="EPSG:2263"
    )
    assert feet.passed
    assert everywhere(rule, shapes, crs=None)[0].message == "needs crs"
    beyond = everywhere(rule, [shapely.box(0, 89, 1, 91)], crs="EPSG:4326")[0]
    assert "beyond 90°" in beyond.message
