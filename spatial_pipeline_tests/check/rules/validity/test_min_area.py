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
