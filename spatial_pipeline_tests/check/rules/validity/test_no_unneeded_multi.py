from spatial_pipeline.contract.rules.vertices import NoUnneededMulti
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws

ONE = "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))"
NESTED = "GEOMETRYCOLLECTION (MULTIPOINT ((0 0), (1 1)))"


def unneeded(_, shape):
    if len(getattr(shape, "geoms", [])) != 1:
        return []
    return [(f"{shape.geom_type} of one part", shape.wkt, None)]


test_laws = laws(
    RuleCases(
        NoUnneededMulti(),
        passes=["POINT (0 0)", "POLYGON ((0 0, 1 0, 1 1, 0 0))", "MULTIPOINT ((0 0), (1 1))"],
        fails=[
            (ONE, [("MultiPolygon of one part", ONE, None)]),
            (NESTED, [("GeometryCollection of one part", NESTED, None)]),
        ],
        oracle=unneeded,
    )
)
