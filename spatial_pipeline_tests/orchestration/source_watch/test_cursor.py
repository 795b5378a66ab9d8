"""What a source sensor concludes from what it remembers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.orchestration.source_watch.cursor import WHOLE, Cursor, conclude


def test_a_state_is_announced_once() -> None:
    cursor = Cursor(7)
    first = conclude(cursor, {WHOLE: "a"}, 9, settles=False)
    assert [(c.key, c.token, c.number) for c in first.changes] == [(WHOLE, "a", 0)]
    again = conclude(first.cursor, {WHOLE: "a"}, 9, settles=False)
    assert not again.changes
    assert again.cursor == first.cursor


def test_a_state_that_comes_back_is_another_change() -> None:
    cursor, numbers = Cursor(7), []
    for token in "aba":
        found = conclude(cursor, {WHOLE: token}, 9, settles=False)
        numbers += [c.number for c in found.changes]
        cursor = found.cursor
    assert numbers == [0, 1, 2]


def test_what_grows_is_left_until_two_looks_agree() -> None:
    cursor = Cursor(7)
    for token in "abc":
        found = conclude(cursor, {"k": token}, 9, settles=True)
        assert (found.changes, found.unsettled) == ((), ("k",))
        cursor = found.cursor
    found = conclude(cursor, {"k": "c"}, 9, settles=True)
    assert [c.token for c in found.changes] == ["c"]


def test_what_grows_and_becomes_again_what_it_was_is_no_change() -> None:
    cursor = Cursor(7, {"k": ("a", 1)})
    cursor = conclude(cursor, {"k": "b"}, 9, settles=True).cursor
    cursor = conclude(cursor, {"k": "a"}, 9, settles=True).cursor
    assert cursor == Cursor(7, {"k": ("a", 1)})
    found = conclude(cursor, {"k": "b"}, 9, settles=True)
    assert found.unsettled == ("k",)


def test_what_is_gone_is_remembered() -> None:
    cursor = Cursor(7, {"k": ("a", 1)}, {"l": "x"})
    found = conclude(cursor, {}, 9, settles=True)
    assert found.gone == ("k",)
    assert found.cursor == Cursor(7, {"k": ("a", 1)})


@pytest.mark.parametrize("settles", [True, False])
def test_thousands_of_changes_are_announced_in_bounded_ticks(*, settles: bool) -> None:
    tokens = {f"p{i:04}": f"t{i}" for i in range(3000)}
    cursor, announced, ticks = Cursor(7), [], 0
    while len(announced) < 3000:
        found = conclude(cursor, tokens, 50, settles=settles)
        assert len(found.changes) <= 50
        announced += [c.key for c in found.changes]
        cursor = Cursor.loaded(found.cursor.dumped(), 99)
        ticks += 1
    assert announced == sorted(tokens)
    assert ticks == 60 + settles
    assert not conclude(cursor, tokens, 50, settles=settles).changes


@pytest.mark.parametrize("text", [None, "", "no json", "[]", "{}", '{"seen": {"a": 1}}'])
def test_a_cursor_that_is_none_begins_anew(text: str | None) -> None:
    assert Cursor.loaded(text, 5) == Cursor(5)


STATES = st.lists(st.dictionaries(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=12)


@settings(max_examples=60, deadline=None)
@given(states=STATES, settles=st.booleans(), most=st.integers(1, 3))
def test_the_last_announced_state_is_the_one_that_stays(
    states: list[dict[str, str]], settles: bool, most: int
) -> None:
    cursor, last, keys = Cursor(1), {}, set()
    for state in [*states, *[states[-1] if states else {}] * 4]:
        found = conclude(cursor, state, most, settles=settles)
        for change in found.changes:
            assert last.get(change.key) != change.token
            last[change.key] = change.token
            assert (change.key, change.number) not in keys
            keys.add((change.key, change.number))
        cursor = Cursor.loaded(found.cursor.dumped(), 99)
        json.loads(cursor.dumped())
    for key, token in (states[-1] if states else {}).items():
        assert last[key] == token
