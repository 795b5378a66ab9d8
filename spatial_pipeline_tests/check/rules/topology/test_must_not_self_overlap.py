import shapely

from spatial_pipeline.contract.rules.boundaries import MustNotSelfOverlap
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.rules.validity.test_simple_geometry import apart, meetings
from spatial_pipeline_tests.check.vertex_oracles import paths


def oracle(rule, shape):
    if not list(paths(shape, "LineString")):
        return None
    return [
        ("runs over itself", shapely.to_wkt(found), found.length)
        for found in meetings([apart(p) for p in paths(shape, "LineString")])
        if found.length > rule.tolerance
    ]


test_laws = laws(
    RuleCases(
        MustNotSelfOverlap(),
        passes=["LINESTRING (0 0, 2 2, 2 0, 0 2)", "LINESTRING (0 0, 1 0, 1 1, 0 0)"],
        fails=[("LINESTRING (0 0, 4 0, 2 0)", [("runs over itself", "LINESTRING (2 0, 4 0)", 2)])],
        oracle=oracle,
        tolerances=["tolerance"],
        others=["POINT (0 0)"],
    )
)
