import shapely

from spatial_pipeline.contract.rules.boundaries import MustNotSelfIntersect
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.rules.validity.test_simple_geometry import apart, meetings
from spatial_pipeline_tests.check.vertex_oracles import paths


def oracle(_rule, shape):
    if not list(paths(shape, "LineString")):
        return None
    return [
        (
            "runs over itself" if found.length else "self-intersection",
            shapely.to_wkt(found),
            found.length or None,
        )
        for found in meetings([apart(p) for p in paths(shape, "LineString")])
    ]


test_laws = laws(
    RuleCases(
        MustNotSelfIntersect(),
        passes=["LINESTRING (0 0, 2 2, 2 0)", "LINESTRING (0 0, 1 0, 1 1, 0 0)"],
        fails=[
            ("LINESTRING (0 0, 2 2, 2 0, 0 2)", [("self-intersection", "POINT (1 1)", None)]),
            ("LINESTRING (0 0, 4 0, 2 0)", [("runs over itself", "LINESTRING (2 0, 4 0)", 2)]),
        ],
        oracle=oracle,
        others=["POINT (0 0)"],
    )
)
