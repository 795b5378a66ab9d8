"""The sensor's memory: everything once, in order, never in circles, whoever is killed when."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.orchestration.backfill.planner import (
    ATTEMPTS,
    BREAKDOWNS,
    PlannedStep,
    PlannerCursor,
    next_step,
)
from spatial_pipeline.orchestration.backfill.request import BackfillState, Requested
from spatial_pipeline.pipeline.staleness import Outdated


def outdated(*keys: str, basis: str = "b") -> list[Outdated]:
    return [Outdated(k, "built under another contract", basis) for k in keys]


def ended(
    step: PlannedStep, state: BackfillState = BackfillState.DONE, launched: Any = None
) -> Requested:
    keys = frozenset(o.partition for o in step.launch)
    return Requested(step.identity, state, keys, keys if launched is None else frozenset(launched))


def keys(step: PlannedStep) -> list[str]:
    return [o.partition for o in step.launch]


def test_in_order_and_bounded() -> None:
    step = next_step(PlannerCursor(), None, outdated("c", "b", "a"), set(), 2)
    assert (keys(step), step.left) == (["c", "b"], 1)
    step = next_step(step.memory, ended(step), outdated("a"), set(), 2)
    assert (keys(step), step.left) == (["a"], 0)
    step = next_step(step.memory, ended(step), [], set(), 2)
    assert (keys(step), step.told) == ([], "nothing is outdated")


def test_one_backfill_at_a_time() -> None:
    first = next_step(PlannerCursor(), None, outdated("a", "b"), set(), 1)
    step = next_step(first.memory, ended(first, BackfillState.ACTIVE), [], set(), 1)
    assert keys(step) == []
    assert step.memory == first.memory
    assert step.told == f"backfill {first.identity} of 1 is under way"


def test_partitions_that_another_run_makes_wait() -> None:
    step = next_step(PlannerCursor(), None, outdated("a", "b"), {"a"}, 4)
    assert (keys(step), step.left) == (["b"], 1)
    step = next_step(step.memory, ended(step), outdated("a"), {"a"}, 4)
    assert (keys(step), step.told) == ([], "1 being made by other runs")
    assert keys(next_step(step.memory, None, outdated("a"), set(), 4)) == ["a"]


def test_what_stays_outdated_is_not_tried_without_end() -> None:
    memory, last, asked = PlannerCursor(), None, 0
    for _ in range(10):
        step = next_step(memory, last, outdated("a"), set(), 4)
        if step.launch:
            asked, last = asked + 1, ended(step)
        memory = step.memory
    assert asked == ATTEMPTS
    assert "a: tried 2 times" in step.told
    assert keys(next_step(memory, last, outdated("a", basis="c"), set(), 4)) == ["a"]


def test_what_a_person_cancelled_is_left_until_the_next_change() -> None:
    step = next_step(PlannerCursor(), None, outdated("a", "b", "c"), set(), 1)
    last = ended(step, BackfillState.CANCELED)
    # The contract changed between the cancelling and this tick: that is the next change.
    changed = next_step(step.memory, last, outdated("a", "b", "c", basis="new"), set(), 3)
    assert keys(changed) == ["a", "b", "c"]
    memory = step.memory
    for _ in range(5):
        step = next_step(memory, last, outdated("a", "b", "c"), set(), 1)
        assert keys(step) == []
        assert step.told == "a, b, c: a person cancelled the backfill"
        memory = step.memory
    fixed = [*outdated("a"), *outdated("b", basis="source"), *outdated("c")]
    assert keys(next_step(memory, last, fixed, set(), 3)) == ["b"]


def test_what_dagster_gave_up_goes_on_where_it_stopped_and_not_for_ever() -> None:
    memory, last = PlannerCursor(), None
    for _ in range(BREAKDOWNS):
        step = next_step(memory, last, outdated("a", "b"), set(), 4)
        assert keys(step) == ["a", "b"]
        memory, last = step.memory, ended(step, BackfillState.BROKEN, launched=())
    step = next_step(memory, last, outdated("a", "b"), set(), 4)
    assert keys(step) == []
    assert f"gave up {BREAKDOWNS} backfills" in step.told


def test_a_tick_killed_before_it_could_remember() -> None:
    before = PlannerCursor()
    killed = next_step(before, None, outdated("a", "b"), set(), 1)
    again = next_step(before, None, outdated("a", "b"), set(), 1)
    assert again.identity == killed.identity
    waiting = next_step(before, ended(killed, BackfillState.ACTIVE), [], set(), 1)
    assert keys(waiting) == []
    after = next_step(waiting.memory, ended(killed), outdated("b"), set(), 1)
    assert keys(after) == ["b"]
    assert after.identity != killed.identity
    stopped = next_step(before, ended(killed, BackfillState.CANCELED), outdated("a", "b"), set(), 1)
    assert keys(stopped) == []


def test_the_same_change_a_second_time_is_another_backfill() -> None:
    one = next_step(PlannerCursor(), None, outdated("a", basis="B"), set(), 1)
    two = next_step(one.memory, ended(one), outdated("a", basis="A"), set(), 1)
    three = next_step(two.memory, ended(two), outdated("a", basis="B"), set(), 1)
    assert keys(three) == ["a"]
    assert len({one.identity, two.identity, three.identity}) == 3


bases = st.dictionaries(st.text(max_size=4), st.sampled_from(["b", "b+", "c++"]), max_size=5)


@settings(max_examples=50, deadline=None)
@given(bases, bases, bases, st.integers(0, 3))
def test_round_trip_through_the_cursor(a: Any, b: Any, c: Any, n: int) -> None:
    memory = PlannerCursor("x", None, a, b, c, n)
    assert PlannerCursor.of_text(memory.to_text()) == memory


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3", "null", '{"tried": 3}', "reset"])
def test_another_cursor_is_an_empty_memory(text: str | None) -> None:
    assert PlannerCursor.of_text(text) == PlannerCursor()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_history_makes_everything_and_comes_to_rest(data: st.DataObject) -> None:
    """Runs die, ticks are killed before they remember, backfills break: bounded, nothing lost."""
    everything = [f"p{i}" for i in range(6)]
    dead = data.draw(st.sets(st.sampled_from(everything)))
    at_most = data.draw(st.integers(1, 7))
    left, memory, last = list(everything), PlannerCursor(), None
    asked: list[str] = []
    breakdowns = 0
    for _ in range(60):
        step = next_step(memory, last, outdated(*left), set(), at_most)
        if not step.launch:
            break
        asked += keys(step)
        # The memory of a tick that asked for a backfill may be lost once in a while.
        if not data.draw(st.booleans()):
            memory = step.memory
        if breakdowns < BREAKDOWNS - 1 and data.draw(st.booleans()):
            breakdowns += 1
            last = ended(step, BackfillState.BROKEN, launched=())
            continue
        last = ended(step)
        left = [k for k in left if k not in keys(step) or k in dead]
    else:
        pytest.fail("it does not come to rest")
    assert set(left) == dead
    assert set(asked) == set(everything)
    assert dataclasses.asdict(memory)["breakdowns"] < BREAKDOWNS
