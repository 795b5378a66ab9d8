"""Conditions and matching columns, which every rule about two datasets has from its form."""

from __future__ import annotations

import itertools

import pytest
import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.nodes import MustCoincideWith
from spatial_pipeline.contract.rules.overlay import CountInside, MustBeDisjoint, MustContainPoint
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, BOXES
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = OtherSource(uri="others")
LEVELS, FLOORS = [0, 1, None], [1, 0]
APART = "POLYGON ((9 9, 10 9, 10 10, 9 10, 9 9))"


def disjoint(_rule, own, _other):
    for (i, a), (j, b) in itertools.combinations(own.items(), 2):
        shared = a.intersection(b)
        if a.intersects(b) and LEVELS[i % 3] == LEVELS[j % 3]:
            yield (i, j), "not disjoint", shared, shared.area or shared.length or None


test_levels_within_one_dataset = laws(
    LayerCases(
        MustBeDisjoint(match={"level": "level"}),
        passes=[([BOX, BOX, APART], [])],
        fails=[([BOX, APART, APART, BOX], [], [((0, 3), "not disjoint", BOX, 4)])],
        oracle=disjoint,
        judges=frozenset({2}),
        shapes=BOXES,
        columns={"level": LEVELS},
    )
)


def contained(_rule, own, other):
    for i, area in own.items():
        inside = [j for j, p in other.items() if FLOORS[j % 2] == LEVELS[i % 3]]
        count = sum(area.contains(other[j]) for j in inside if j % 2)
        if not count:
            yield (i,), "contains no point", area, 0


test_a_condition_and_columns_of_two_datasets = laws(
    LayerCases(
        MustContainPoint(other=OTHER, match={"level": "floor"}, other_where="floor = 0"),
        passes=[([BOX], ["POINT (1 1)", "POINT (1 1)"])],
        fails=[([BOX, BOX], ["POINT (1 1)"] * 2, [((1,), "contains no point", BOX, 0)])],
        oracle=contained,
        judges=frozenset({2}),
        against=frozenset({0}),
        columns={"level": LEVELS},
        other_columns={"floor": FLOORS},
        unjudged=["POINT (0 0)"],
    )
)


def on_one_level(_rule, own, _other):
    for (i, a), (j, b) in itertools.combinations(own.items(), 2):
        shared = a.intersection(b)
        levels = {LEVELS[i % 3], LEVELS[j % 3]}
        if a.intersects(b) and (None in levels or len(levels) == 1):
            yield (i, j), "not disjoint", shared, shared.area or shared.length or None


test_pairs_that_a_condition_excuses_either_way_round = laws(
    LayerCases(
        MustBeDisjoint(unless="a.level > b.level"),
        passes=[([BOX, BOX, APART], [])],
        fails=[([BOX, APART, BOX, BOX], [], [((0, 2), "not disjoint", BOX, 4),
                                             ((0, 3), "not disjoint", BOX, 4),
                                             ((2, 3), "not disjoint", BOX, 4)])],
        oracle=on_one_level,
        judges=frozenset({2}),
        shapes=BOXES,
        columns={"level": LEVELS},
        recalls=False,
    )
)  # fmt: skip


def counted(_rule, own, other):
    for i, area in own.items():
        level = LEVELS[i % 3]
        inside = [j for j, p in other.items() if area.intersects(p)]
        count = sum(level is None or level >= FLOORS[j % 2] for j in inside)
        if count > 1:
            yield (i,), "too many inside", area, count


test_pairs_of_two_datasets_that_a_condition_excuses = laws(
    LayerCases(
        CountInside(other=OTHER, max=1, unless="a.level < b.floor"),
        passes=[([BOX], ["POINT (1 1)", "POINT (1 1)"])],
        fails=[([BOX, BOX], ["POINT (1 1)"] * 2,
                [((1,), "too many inside", BOX, 2)])],
        oracle=counted,
        judges=frozenset({2}),
        columns={"level": LEVELS},
        other_columns={"floor": FLOORS},
        unjudged=["POINT (0 0)"],
        recalls=False,
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("unless", "message"),
    [("a.level = b.nothing", "unless: "), ("1 + 1", "neither true nor false")],
)
def test_a_condition_that_cannot_be_judged_is_an_error(unless, message):
    data = memory_vector([shapely.box(0, 0, 1, 1)] * 2, {"level": [1, 2]})
    result, _ = run_rule(MustBeDisjoint(unless=unless), data)
    assert (result.status, message in result.message) == (Status.ERROR, True)
    free = run_rule(MustBeDisjoint(unless="1 = 1"), data)[0]
    assert free.status == Status.PASSED


def test_points_that_the_condition_leaves_out_cover_nothing():
    data = memory_vector([shapely.Point(0, 0)])
    marks = memory_vector([shapely.Point(0, 0)], {"kind": ["old"]})
    for condition, found in (("kind = 'old'", 0), ("kind = 'new'", 1), (None, 0)):
        rule = MustCoincideWith(other=OTHER, other_where=condition)
        assert len(run_rule(rule, data, marks)[1]) == found


def test_a_column_that_the_other_dataset_lacks_is_named():
    data = memory_vector([shapely.box(0, 0, 1, 1)], {"a": [1]})
    rule = MustContainPoint(other=OTHER, match={"a": "b"})
    result, _ = run_rule(rule, data, memory_vector([shapely.Point(0, 0)]))
    assert (result.status, result.message) == (Status.ERROR, "needs column b in memory")
