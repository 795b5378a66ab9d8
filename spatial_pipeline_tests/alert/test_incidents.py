"""The incident machine, and the same machine written slowly over the whole history."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from spatial_pipeline.alert.incidents import Incident, IncidentChange, What, observe, remind
from spatial_pipeline.alert.problems import Key, Observation, Problem, rule_key
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline_tests.alert.cases import KEY, fact, held, seen

KEYS = [KEY, rule_key("roads", None, "unique"), rule_key("rivers", "p1", "unique"), held().key]


def told(changes: list[IncidentChange]) -> list[tuple[str, int, int | None, int | None]]:
    return [(c.what.value, c.state, c.before, c.fact.violations) for c in changes]


def test_a_life() -> None:
    incidents, changes = observe({}, seen(10.0, fact(violations=4)))
    assert told(changes) == [("opened", 1, None, 4)]
    first = changes[0]
    incidents, changes = observe(incidents, seen(20.0, fact(violations=5)))
    assert changes == []
    assert incidents[KEY].fact.violations == 5
    incidents, changes = observe(incidents, seen(30.0, fact(violations=6)))
    assert told(changes) == [("updated", 2, 4, 6)]
    incidents, changes = remind(incidents, 129.0, 100.0)
    assert changes == []
    incidents, changes = remind(incidents, 130.0, 100.0)
    assert told(changes) == [("reminded", 3, 6, 6)]
    incidents, changes = observe(incidents, seen(200.0, right=(KEY,)))
    assert told(changes) == [("closed", 4, 6, 6)]
    assert incidents == {}
    assert {c.incident for c in changes} == {first.incident}
    _, changes = observe(incidents, seen(300.0, fact()))
    assert changes[0].incident != first.incident


def test_silence_closes_nothing() -> None:
    incidents, _ = observe({}, seen(10.0, fact()))
    other = rule_key("roads", "p2", "unique")
    assert observe(incidents, seen(20.0, right=(other,))) == (incidents, [])


def test_seen_again_tells_nothing() -> None:
    observation = seen(10.0, fact(), held(), right=(KEYS[1],))
    incidents, changes = observe({}, observation)
    assert len(changes) == 2
    assert observe(incidents, observation) == (incidents, [])


@pytest.mark.parametrize(
    ("before", "now", "much"),
    [
        (fact(violations=4), fact(violations=5), False),
        (fact(violations=4), fact(violations=6), True),
        (fact(violations=4), fact(violations=2), True),
        (fact(violations=1), fact(violations=2), True),
        (fact(violations=1000), fact(violations=1499), False),
        (fact(violations=0), fact(violations=0), False),
        (fact(violations=0), fact(violations=1), True),
        (held(), held(summary="another reason"), False),
        (fact(), fact(status="timeout"), True),
        (fact(), fact(severity=Severity.WARN), True),
        (fact(), fact(version="v2", summary="other words"), False),
    ],
)
def test_what_much_is(before: Problem, now: Problem, much: bool) -> None:
    incidents, _ = observe({}, seen(10.0, before))
    _, changes = observe(incidents, seen(20.0, now))
    assert [c.what for c in changes] == ([What.UPDATED] if much else [])


class Machine(RuleBasedStateMachine):
    """Random observations and reminders; what is told must be what the history says."""

    AFTER = 50.0

    def __init__(self) -> None:
        super().__init__()
        self.incidents: dict[Key, Incident] = {}
        self.now = 0.0
        self.changes: list[IncidentChange] = []
        self.history: list[tuple[float, dict[Key, int | str]]] = []

    @initialize()
    def begin(self) -> None:
        self.now = 1.0

    @rule(
        wrong=st.dictionaries(st.sampled_from(KEYS), st.integers(0, 9)),
        right=st.sets(st.sampled_from(KEYS)),
        passed=st.integers(1, 40),
    )
    def look(self, wrong: dict[Key, int], right: set[Key], passed: int) -> None:
        self.now += passed
        facts = [fact(k, v) for k, v in wrong.items()]
        observation = Observation.of(self.now, facts, sorted(right, key=str))
        self.incidents, changes = observe(self.incidents, observation)
        assert observe(self.incidents, observation) == (self.incidents, [])
        self.changes += changes
        judged: dict[Key, int | str] = {k: wrong.get(k, "right") for k in right | wrong.keys()}
        self.history.append((self.now, judged))

    @rule(passed=st.integers(1, 120))
    def wait(self, passed: int) -> None:
        self.now += passed
        self.incidents, changes = remind(self.incidents, self.now, self.AFTER)
        self.changes += changes
        self.history.append((self.now, dict.fromkeys(KEYS, "clock")))

    @invariant()
    def tells_what_the_history_says(self) -> None:
        for key in KEYS:
            said = [
                (c.what.value, c.state, c.fact.violations)
                for c in self.changes
                if c.fact.key == key
            ]
            assert said == by_history(self.history, key, self.AFTER)

    @invariant()
    def names_every_message_once(self) -> None:
        ids = [c.id for c in self.changes]
        assert len(ids) == len(set(ids))

    @invariant()
    def open_is_what_was_wrong_last(self) -> None:
        wrong = set()
        for key in KEYS:
            judged = [e[key] for _, e in self.history if e.get(key, "clock") != "clock"]
            if judged and judged[-1] != "right":
                wrong.add(key)
        assert self.incidents.keys() == wrong


def by_history(
    history: list[tuple[float, dict[Key, int | str]]], wanted: Key, after: float
) -> list[tuple[str, int, Any]]:
    """What must have been told of one key, given everything that was seen of its place."""
    said: dict[Key, list[tuple[str, int, Any]]] = {}
    times: dict[Key, float] = {}
    now: dict[Key, int] = {}

    def tell(key: Key, what: str, at: float, value: int) -> None:
        state = said[key][-1][1] + 1 if what != "opened" else 1
        said.setdefault(key, []).append((what, state, value))
        times[key] = at

    for at, event in history:
        place = {k: v for k, v in event.items() if k.place == wanted.place}
        if "clock" in place.values():
            if now and at - max(times[k] for k in now) >= after:
                for key in list(now):
                    tell(key, "reminded", at, now[key])
            continue
        for key, value in place.items():
            if value == "right":
                if key in now:
                    tell(key, "closed", at, now.pop(key))
            else:
                if key not in now:
                    tell(key, "opened", at, int(value))
                elif 2 * abs(int(value) - said[key][-1][2]) >= max(2, said[key][-1][2]):
                    tell(key, "updated", at, int(value))
                now[key] = int(value)
    return said.get(wanted, [])


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
