from dataclasses import replace

import shapely

from spatial_pipeline.contract.rules.boundaries import GroupsMustBeContiguous
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, BOXES
from spatial_pipeline_tests.support import memory_vector, run_rule

VALUES = ["a", "b", "a", None, "a"]
RIGHT = "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"
BEYOND = "POLYGON ((4 0, 6 0, 6 2, 4 2, 4 0))"
FAR = "POLYGON ((9 9, 10 9, 10 10, 9 10, 9 9))"


def joined(rule, one, two):
    shared = one.boundary.intersection(two.boundary).length
    over = one.relate(two)[0] == "2"
    return over or (shared > 0 and shared >= rule.min_shared_length)


def oracle(rule, own, _other):
    for name in {VALUES[row % 5] for row in own} - {None}:
        pieces = []
        for row in (r for r in own if VALUES[r % 5] == name):
            near = [p for p in pieces if any(joined(rule, own[row], own[r]) for r in p)]
            pieces = [p for p in pieces if p not in near] + [sorted({row}.union(*near))]
        for piece in sorted(pieces, key=lambda p: (-len(p), p[0]))[1:]:
            strangers = [r for r in own if VALUES[r % 5] != name]
            alone = not any(joined(rule, own[r], own[s]) for r in piece for s in strangers)
            for row in [] if rule.allow_islands and alone else piece:
                yield (row,), "apart from its group", own[row], len(piece)


CASES = LayerCases(
    GroupsMustBeContiguous(group_by=("class",)),
    passes=[([BOX, FAR, RIGHT], []), ([BOX, RIGHT, BOX, FAR], [])],
    fails=[([BOX, RIGHT, BEYOND], [], [((2,), "apart from its group", BEYOND, 1)])],
    oracle=oracle,
    judges=frozenset({2}),
    shapes=BOXES,
    columns={"class": VALUES},
    unjudged=["POINT (0 0)", "LINESTRING (0 0, 1 1)"],
    searches=["min_shared_length"],
    recalls=False,
)
test_laws = laws(CASES)
test_islands = laws(
    replace(
        CASES,
        rule=GroupsMustBeContiguous(group_by=("class",), allow_islands=True),
        passes=[([BOX, FAR, "POLYGON ((20 20, 21 20, 21 21, 20 21, 20 20))"], [])],
        searches=[],
    )
)


def test_a_short_shared_boundary_joins_nothing():
    data = memory_vector([shapely.box(0, 0, 2, 2), shapely.box(2, 1, 4, 3)], {"class": ["a", "a"]})
    for least, found in ((1, 0), (1.5, 1)):
        rule = GroupsMustBeContiguous(group_by=("class",), min_shared_length=least)
        assert len(run_rule(rule, data)[1]) == found
