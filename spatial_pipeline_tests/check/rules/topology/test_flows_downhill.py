import shapely

from spatial_pipeline.contract.rules.networks import FlowsDownhill
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type


def oracle(rule, shape):
    lines = [list(line.coords) for line in of_type(shape, "LineString")]
    if not shape.has_z or not lines:
        return None
    told = []
    for path in lines:
        rises = [z - min(p[2] for p in path[: i + 1]) for i, (*_, z) in enumerate(path)]
        most = max(rises)
        if most > rule.tolerance:
            place = path[rises.index(most)]
            told.append(("rises", shapely.Point(place[:2]).wkt, most))
    return told


UP = "LINESTRING Z (0 0 5, 1 0 3, 2 0 4, 3 0 1, 4 0 2.5)"
test_laws = laws(
    RuleCases(
        FlowsDownhill(),
        passes=["LINESTRING Z (0 0 5, 1 0 3, 2 0 3)"],
        fails=[
            (UP, [("rises", "POINT (4 0)", 1.5)]),
            (
                "MULTILINESTRING Z ((0 0 1, 1 0 2), (5 5 9, 6 6 8), (7 7 0, 8 8 3))",
                [("rises", "POINT (1 0)", 1), ("rises", "POINT (8 8)", 3)],
            ),
        ],
        oracle=oracle,
        tolerances=["tolerance"],
        others=["POINT (0 0)"],
        unjudged=["LINESTRING (0 0, 1 1)"],
    )
)


def test_a_rise_up_to_the_tolerance_is_accepted():
    line = [shapely.from_wkt(UP)]
    assert len(everywhere(FlowsDownhill(tolerance=1.5), line)[1]) == 0
    assert len(everywhere(FlowsDownhill(tolerance=1.4), line)[1]) == 1
