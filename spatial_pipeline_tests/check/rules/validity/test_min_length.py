import shapely

from spatial_pipeline.contract.rules.vertices import MinLength
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type

SHORT = "LINESTRING (0 0, 1 0)"
LONG = "LINESTRING (0 0, 3 0, 3 2)"
FAILS = [(SHORT, [("length below 2 m", SHORT, 1)])]
UNJUDGED = ["POINT (0 0)", "POLYGON ((0 0, 1 0, 1 1, 0 0))"]


def outside(rule, shape):
    lines = of_type(shape, "LineString")
    length, bound = sum(part.length for part in lines), rule.value
    told = [(f"length below {bound:.15g} m", shape.wkt, length)] if length < bound else []
    return told if lines else None


test_laws = laws(RuleCases(MinLength(value=2), [LONG], FAILS, outside, unjudged=UNJUDGED))


def test_bounds_by_class_of_parts_by_themselves():
    both = shapely.MultiLineString([[(0, 0), (3, 0)], [(5, 5), (5, 6)]])
    rule = MinLength(limits={"by": "use", "values": {"road": 2}}, by_part=True)
    _, violations = everywhere(rule, [both] * 3, {"use": ["road", "path", None]})
    assert [(f[0], f[3], f[4]) for f in violations] == [((0,), 1.0, 1)]


def test_what_the_border_cuts_may_be_short():
    shapes = [shapely.LineString([(0, 0), (9, 9)]), shapely.LineString([(8, 8), (9, 9)])]
    shapes.append(shapely.LineString([(4, 4), (5, 5)]))
    _, violations = everywhere(MinLength(value=2, except_at_border=True), shapes)
    assert [f[0] for f in violations] == [(2,)]


def test_metres_along_geodesics():
    lines = [shapely.LineString([(0, y), (0.001, y)]) for y in (0, 60)]
    _, violations = everywhere(MinLength(value=100, metres=True), lines, crs="EPSG:4326")
    assert [(f[0], f[1]) for f in violations] == [((1,), "length below 100 m")]
