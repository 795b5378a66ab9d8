import itertools

import shapely

from spatial_pipeline.contract.rules.boundaries import NeighboursMustDiffer
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, BOXES

RIGHT = "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"
TOP = "POLYGON ((0 2, 2 2, 2 4, 0 4, 0 2))"
VALUES = ["a", "b", "a", None]


def oracle(rule, own, _other):
    for (i, one), (j, two) in itertools.combinations(own.items(), 2):
        shared = one.boundary.intersection(two.boundary)
        if shared.length > rule.tolerance and VALUES[i % 4] == VALUES[j % 4]:
            yield (i, j), "equal neighbours", shapely.union_all(lines_of(shared)), shared.length


def lines_of(shared):
    return [p for p in shapely.get_parts(shared) if p.length]


test_laws = laws(
    LayerCases(
        NeighboursMustDiffer(values=("class",)),
        passes=[([BOX, RIGHT, "POLYGON ((2 2, 4 2, 4 4, 2 4, 2 2))"], [])],
        fails=[([BOX, RIGHT, TOP], [], [((0, 2), "equal neighbours", "LINESTRING (0 2, 2 2)", 2)])],
        oracle=oracle,
        judges=frozenset({2}),
        shapes=BOXES,
        tolerances=["tolerance"],
        columns={"class": VALUES},
        unjudged=["POINT (0 0)", "LINESTRING (0 0, 1 1)"],
    )
)
