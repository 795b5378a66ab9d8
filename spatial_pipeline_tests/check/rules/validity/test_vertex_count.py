from spatial_pipeline.contract.rules.vertices import VertexCount
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import paths

LONG = "LINESTRING (0 0, 1 0, 2 0, 3 0, 4 1)"


def many(rule, shape):
    count = sum(len(path) for path in paths(shape, "Point", "LineString", "Polygon"))
    if count <= rule.max:
        return []
    return [(f"more than {rule.max} vertices", shape.wkt, float(count))]


test_laws = laws(
    RuleCases(
        VertexCount(max=4),
        passes=["POLYGON ((0 0, 1 0, 1 1, 0 0))", "POINT (0 0)"],
        fails=[(LONG, [("more than 4 vertices", LONG, 5)])],
        oracle=many,
    )
)
