import itertools

import shapely

from spatial_pipeline.contract.rules.boundaries import NeighboursMustDiffer
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, BOXES

RIGHT = "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"
TOP = "POLYGON ((0 2, 2 2, 2 4, 0 4, 0 2))"
VALUES = ["a", "b", "a", None]
FIXED = [0, 1, 0, 1, 1]


def oracle(rule, own, _other):
    for (i, one), (j, two) in itertools.combinations(own.items(), 2):
        shared = one.boundary.intersection(two.boundary)
        if rule.except_where and (FIXED[i % 5] or FIXED[j % 5]):
            continue
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


FAR = [f"POLYGON (({x} 9, {x + 1} 9, {x + 1} 10, {x} 10, {x} 9))" for x in (10, 20, 30)]

test_laws_of_excepted_polygons = laws(
    LayerCases(
        NeighboursMustDiffer(values=("class",), except_where="fixed = 1"),
        passes=[([BOX, *FAR, RIGHT], [])],
        fails=[
            (
                [BOX, FAR[0], TOP, FAR[1], RIGHT],
                [],
                [((0, 2), "equal neighbours", "LINESTRING (0 2, 2 2)", 2)],
            )
        ],
        oracle=oracle,
        judges=frozenset({2}),
        shapes=BOXES,
        columns={"class": VALUES, "fixed": FIXED},
    )
)
