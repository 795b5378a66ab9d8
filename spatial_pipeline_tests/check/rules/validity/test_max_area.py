import shapely

from spatial_pipeline.contract.rules.vertices import MaxArea
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type

SMALL = "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))"
LARGE = "POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0))"


def above(rule, shape):
    if not of_type(shape, "Polygon") or not shape.is_valid:
        return None
    bound = rule.value
    return [(f"area above {bound:.15g} m²", shape.wkt, shape.area)] if shape.area > bound else []


FAILS = [(LARGE, [("area above 2 m²", LARGE, 9)])]
UNJUDGED = ["POINT (0 0)", "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"]
test_laws = laws(
    RuleCases(MaxArea(value=2), [SMALL], FAILS, above, tolerances=["value"], unjudged=UNJUDGED)
)


def test_bounds_by_class_of_parts_by_themselves():
    both = shapely.MultiPolygon([shapely.from_wkt(LARGE), shapely.box(5, 5, 6, 6)])
    rule = MaxArea(limits={"by": "use", "values": {"house": 2}}, by_part=True)
    _, violations = everywhere(rule, [both] * 3, {"use": ["house", "field", None]})
    assert [(f[0], f[3], f[4]) for f in violations] == [((0,), 9.0, 0)]


def test_square_metres_on_the_ellipsoid():
    shapes = [shapely.box(0, 0, 0.001, 0.001), shapely.box(0, 60, 0.001, 60.001)]
    _, violations = everywhere(MaxArea(value=12_000, metres=True), shapes, crs="EPSG:4326")
    assert [(f[0], f[1]) for f in violations] == [((0,), "area above 12000 m²")]
