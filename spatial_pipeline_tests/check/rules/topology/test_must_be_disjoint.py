import itertools

from spatial_pipeline.contract.rules.overlay import MustBeDisjoint
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(rule, own, _other):
    for (i, a), (j, b) in itertools.combinations(own.items(), 2):
        shared = a.intersection(b)
        size = shared.area or shared.length or None
        if a.intersects(b) and not (rule.tolerance and size and size <= rule.tolerance):
            yield (i, j), "not disjoint", shared, size


test_laws = laws(
    LayerCases(
        MustBeDisjoint(),
        passes=[([BOX, "POINT (3 3)", "LINESTRING (0 3, 2 3)"], [])],
        fails=[
            ([BOX, "POINT (2 1)"], [], [((0, 1), "not disjoint", "POINT (2 1)", None)]),
            (
                [BOX, "LINESTRING (1 1, 5 1)", "POINT (9 9)"],
                [],
                [((0, 1), "not disjoint", "LINESTRING (1 1, 2 1)", 1)],
            ),
        ],
        oracle=oracle,
        tolerances=["tolerance"],
    )
)
