"""Observations in, messages out: order, retries, digests, and dying at any save or send."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.alert.dispatcher import AlertDispatcher, Rules
from spatial_pipeline.alert.message import Exhibit
from spatial_pipeline.alert.outbox import LONGEST_QUEUE
from spatial_pipeline.alert.problems import Observation, rule_key
from spatial_pipeline.alert.routing import Route
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline_tests.alert.cases import KEY, Fake, Memory, fact, seen


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def desk(shelf: Memory, channels: Sequence[Fake], clock: Clock, **rules: object) -> AlertDispatcher:
    return AlertDispatcher(shelf, channels, Rules(retry_after_s=30.0, **rules), clock=clock)  # type: ignore[arg-type]


def many(n: int, at: float = 1000.0) -> Observation:
    return seen(at, *(fact(rule_key("roads", f"p{i:04}", "unique")) for i in range(n)))


def test_every_channel_hears_once_and_a_new_desk_knows() -> None:
    shelf, clock, channels = Memory(), Clock(), [Fake("a"), Fake("b")]
    for _ in range(3):
        working = desk(shelf, channels, clock)
        working.take([seen(1000.0, fact())], position="7")
        working.deliver(10.0)
    assert [c.ids for c in channels] == [channels[0].ids] * 2
    assert len(channels[0].ids) == 1
    assert desk(shelf, channels, clock).state.position == "7"


def test_nothing_new_saves_nothing() -> None:
    shelf, clock, channels = Memory(), Clock(), [Fake("a")]
    working = desk(shelf, channels, clock)
    working.take([seen(1000.0, fact())])
    working.deliver(10.0)
    saves = shelf.saves
    working.take([seen(1000.0, fact())])
    assert str(working.deliver(10.0)) == "nothing to tell"
    assert shelf.saves == saves


def test_a_channel_down_for_ten_rounds_gets_everything_in_order() -> None:
    shelf, clock, down, up = Memory(), Clock(), Fake("down"), Fake("up")
    down.error = "503"
    for i in range(10):
        working = desk(shelf, [down, up], clock)
        working.take([seen(clock.now, fact(rule_key("roads", f"p{i}", "unique")))])
        report = working.deliver(10.0)
        assert not report.none_worked
        clock.now += 1000.0
    assert down.attempts == 10
    down.error = None
    working = desk(shelf, [down, up], clock)
    working.take([])
    working.deliver(10.0)
    partitions = [m.facts[0]["partition"] for m in down.messages]
    assert partitions == [f"p{i}" for i in range(10)]
    about_channels = [m.facts[0] for m in up.messages if m.facts[0]["kind"] == "channel"]
    assert [(f["what"], f["name"]) for f in about_channels] == [
        ("opened", "down"),
        ("closed", "down"),
    ]
    assert "503" in about_channels[0]["summary"]
    assert len(up.ids) == 12
    assert len(set(up.ids)) == 12


def test_a_channel_that_is_down_is_tried_later_and_later() -> None:
    shelf, clock, down = Memory(), Clock(), Fake("down")
    down.error = "503"
    working = desk(shelf, [down], clock)
    working.take([seen(clock.now, fact())])
    tried: list[float] = []
    for _ in range(400):
        before = down.attempts
        working.deliver(10.0)
        if down.attempts > before:
            tried.append(clock.now)
        clock.now += 10.0
    waits = [b - a for a, b in itertools.pairwise(tried)]
    assert waits[:4] == [30.0, 60.0, 120.0, 240.0]
    assert max(waits) == 600.0


def test_all_channels_down_is_said() -> None:
    down = Fake("down")
    down.error = "no"
    working = desk(Memory(), [down], Clock())
    working.take([seen(1000.0, fact())])
    report = working.deliver(10.0)
    assert report.none_worked
    assert str(report) == "1 waiting for down; down: no"


def test_a_storm_is_one_digest() -> None:
    channels = [Fake("a"), Fake("b")]
    working = desk(Memory(), channels, Clock())
    working.take([many(500)])
    working.deliver(10.0)
    for channel in channels:
        (message,) = channel.messages
        assert message.title == "500 failed (1 dataset)"
        assert len(message.facts) == 500
        assert len(message.text.splitlines()) < 60


def test_what_is_few_comes_one_by_one() -> None:
    channel = Fake("a")
    working = desk(Memory(), [channel], Clock(), digest_above=3)
    working.take([many(3)])
    working.deliver(10.0)
    assert len(channel.ids) == 3


def test_a_long_queue_is_gathered_and_loses_nothing() -> None:
    shelf, clock, down = Memory(), Clock(), Fake("down")
    down.error = "no"
    working = desk(shelf, [down], clock, remind_after_s=1e9)
    for i in range(3 * LONGEST_QUEUE):
        working.take([seen(clock.now, fact(rule_key("roads", f"p{i}", "unique")))])
    working.deliver(10.0)
    assert len(working.state.outbox["down"].entries) == LONGEST_QUEUE
    down.error = None
    clock.now += 1000.0
    working.deliver(10.0)
    told = [f["partition"] for m in down.messages for f in m.facts]
    assert told == [f"p{i}" for i in range(3 * LONGEST_QUEUE)]


def test_what_waits_for_a_channel_that_is_gone_goes_to_the_others() -> None:
    shelf, clock, old, new = Memory(), Clock(), Fake("old"), Fake("new")
    old.error = "no"
    working = desk(shelf, [old], clock)
    working.take([seen(1000.0, fact())])
    working.deliver(10.0)
    working = desk(shelf, [new], clock)
    working.take([])
    working.deliver(10.0)
    assert len(new.ids) == 1
    assert "old" not in working.state.outbox.queues


def test_without_channels_nothing_queued_is_lost() -> None:
    shelf, clock, old = Memory(), Clock(), Fake("old")
    old.error = "no"
    working = desk(shelf, [old], clock)
    working.take([seen(1000.0, fact())])
    desk(shelf, [], clock).take([])
    old.error = None
    desk(shelf, [old], clock).deliver(10.0)
    assert len(old.ids) == 1


def test_a_reminder_comes_when_nothing_was_told_for_a_while() -> None:
    shelf, clock, channel = Memory(), Clock(), Fake("a")
    for _ in range(5):
        working = desk(shelf, [channel], clock, remind_after_s=100.0)
        working.take([seen(clock.now, fact())])
        working.deliver(10.0)
        clock.now += 60.0
    assert [m.facts[0]["what"] for m in channel.messages] == ["opened", "reminded", "reminded"]


def test_time_is_kept() -> None:
    channel = Fake("a")
    working = desk(Memory(), [channel], Clock(), digest_above=1000)
    working.take([many(50)])
    working.deliver(0.0)
    assert channel.ids == []
    assert len(working.state.outbox["a"].entries) == 50


def test_routes() -> None:
    shelf, gis, ops, late = Memory(), Fake("gis"), Fake("ops"), Fake("late")
    routes = (
        Route(("gis",), owners=("team:gis",), severity=Severity.ERROR),
        Route(("late",), datasets=("riv*",)),
    )
    working = desk(shelf, [gis, ops, late], Clock(), routes=routes)
    working.take([seen(1000.0, fact())])
    working.deliver(10.0)
    assert [len(c.ids) for c in (gis, ops, late)] == [1, 0, 0]
    working.take([seen(1000.0, fact(rule_key("rivers", None, "unique"), owners=()))])
    working.deliver(10.0)
    assert [len(c.ids) for c in (gis, ops, late)] == [1, 0, 1]
    nobodys = fact(rule_key("lakes", None, "unique"), owners=("team:other",))
    working.take([seen(1000.0, nobodys)])
    working.deliver(10.0)
    assert [len(c.ids) for c in (gis, ops, late)] == [2, 1, 2]


def test_a_map_that_cannot_be_drawn_is_no_reason_to_be_silent() -> None:
    channel = Fake("a")

    def exhibit(*_: object) -> Exhibit:
        msg = "no"
        raise RuntimeError(msg)

    working = AlertDispatcher(Memory(), [channel], exhibit=exhibit)
    working.take([seen(1000.0, fact())])
    working.deliver(10.0)
    assert len(channel.ids) == 1


class Killed(BaseException):
    """Stands for SIGKILL between two instructions."""


class Deadly:
    """Counts the instants at which a process can die, and dies at one of them."""

    def __init__(self) -> None:
        self.left: int | None = None

    def __call__(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


class DeadlyShelf(Memory):
    def __init__(self, instant: Deadly) -> None:
        super().__init__()
        self.instant = instant

    def save(self, text: str) -> None:
        self.instant()
        super().save(text)
        self.instant()


class DeadlyChannel(Fake):
    def __init__(self, name: str, instant: Deadly) -> None:
        super().__init__(name)
        self.instant = instant
        self.taken_before_death: list[str] = []

    def send(self, message):  # type: ignore[no-untyped-def]
        self.instant()
        error = super().send(message)
        self.instant()
        return error


ROUNDS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 3), st.integers(1, 9), max_size=3),
        st.sets(st.integers(0, 3)),
        st.booleans(),
        st.one_of(st.none(), st.integers(0, 12)),
    ),
    min_size=1,
    max_size=8,
)


@given(rounds=ROUNDS, digest_above=st.sampled_from([1, 10]))
@settings(max_examples=150, deadline=None)
def test_killed_anywhere_nothing_is_lost_and_only_the_unavoidable_comes_twice(
    rounds: list[tuple[dict[int, int], set[int], bool, int | None]], digest_above: int
) -> None:
    instant, clock = Deadly(), Clock()
    shelf = DeadlyShelf(instant)
    mail, hook = DeadlyChannel("mail", instant), DeadlyChannel("hook", instant)
    log: list[Observation] = []
    deaths = 0

    def tick(fatal: int | None) -> None:
        nonlocal deaths
        instant.left = fatal
        try:
            working = desk(shelf, [mail, hook], clock, digest_above=digest_above)
            position = int(working.state.position or 0)
            working.take(log[position:], str(len(log)))
            working.deliver(10.0)
        except Killed:
            deaths += 1
        finally:
            instant.left = None

    for wrong, right, up, fatal in rounds:
        clock.now += 1000.0
        mail.error = None if up else "down"
        facts = [fact(rule_key("roads", f"p{k % 2}", f"rule_{k}"), v) for k, v in wrong.items()]
        keys = [rule_key("roads", f"p{k % 2}", f"rule_{k}") for k in right]
        log.append(seen(clock.now, *facts, right=tuple(keys)))
        tick(fatal)
    mail.error = None
    clock.now += 10_000.0
    tick(None)

    calm, quiet, witness = Memory(), Clock(), Fake("witness")
    expected = AlertDispatcher(
        calm, [witness], Rules(remind_after_s=1e12, digest_above=10**6), clock=quiet
    )
    for observation in log:
        expected.take([observation])
        expected.deliver(10.0)
    wanted = [f["id"] for m in witness.messages for f in m.facts]
    for channel in (mail, hook):
        told = [
            f["id"]
            for m in channel.messages
            for f in m.facts
            if f["kind"] == "rule" and f["what"] != "reminded"
        ]
        once = list(dict.fromkeys(told))
        states = {}
        for name in once:
            incident, _, state = name.partition(".")
            assert int(state) > states.get(incident, 0), "out of order"
            states[incident] = int(state)
        assert {n.partition(".")[0] for n in wanted} == {n.partition(".")[0] for n in once}
        twice = len(channel.ids) - len(set(channel.ids))
        assert twice <= deaths


def test_the_break_that_the_test_above_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that forgets to note a delivery sends the same state again."""
    shelf, clock, channel = Memory(), Clock(), Fake("a")
    working = desk(shelf, [channel], clock)
    working.take([seen(1000.0, fact())])
    monkeypatch.setattr(shelf, "save", lambda _text: None)
    working.deliver(10.0)
    desk(shelf, [channel], clock).deliver(10.0)
    assert channel.ids == [channel.ids[0]] * 2
    assert working.state.incidents[0].key == KEY
