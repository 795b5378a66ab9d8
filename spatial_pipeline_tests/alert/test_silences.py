"""Acknowledged, silenced and at quiet hours: what is sent, what waits, and what is told later."""

from __future__ import annotations

from spatial_pipeline.alert.dispatcher import AlertDispatcher, Rules
from spatial_pipeline.alert.problems import Key, rule_key
from spatial_pipeline.alert.routing import QuietTimes, Route
from spatial_pipeline.alert.silences import Silence
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline_tests.alert.cases import KEY, Fake, Memory, fact, seen

HOUR = 3600.0
MIDNIGHT = 1_700_006_400.0 - 1_700_006_400.0 % 86_400


class Office:
    """A dispatcher that is made anew for every tick, as the sensor does."""

    def __init__(self, *channels: Fake, **rules: object) -> None:
        self.channels = channels or (Fake("a"),)
        self.rules, self.shelf, self.now = rules, Memory(), MIDNIGHT

    @property
    def desk(self) -> AlertDispatcher:
        rules = Rules(**self.rules)  # type: ignore[arg-type]
        return AlertDispatcher(self.shelf, self.channels, rules, clock=lambda: self.now)

    def tick(self, *facts: object, right: tuple[Key, ...] = (), hours: float = 0.0) -> None:
        self.now += hours * HOUR
        desk = self.desk
        desk.take([seen(self.now, *facts, right=right)])  # type: ignore[arg-type]
        desk.deliver(10.0)

    @property
    def titles(self) -> list[str]:
        return [m.title for m in self.channels[0].messages]


def test_an_acknowledged_place_is_not_reminded_of() -> None:
    office = Office()
    office.tick(fact())
    assert office.desk.acknowledge("roads", "p1", "anna", "asked the supplier") == 1
    for _ in range(5):
        office.tick(hours=30)
    assert office.titles == [
        "roads[p1] is held: unique fails",
        "roads[p1] is acknowledged by anna: asked the supplier",
    ]
    office.tick(right=(KEY,))
    assert office.titles[2:] == ["roads[p1] passes again after 6 days"]
    assert office.desk.state.acknowledged == ()


def test_something_else_that_blocks_ends_the_acknowledgement() -> None:
    office = Office()
    office.tick(fact())
    office.desk.acknowledge("roads", None, "anna")
    office.tick(fact(rule_key("roads", "p1", "crs")), hours=1)
    office.tick(hours=30)
    assert office.titles[2:] == [
        "roads[p1] is still held: crs and unique fail (1 new)",
        "roads[p1] is still held: crs and unique fail, for 1 day",
    ]


def test_nothing_open_is_acknowledged_by_nobody() -> None:
    assert Office().desk.acknowledge("roads", None, "anna") == 0


def test_a_silence_holds_back_and_tells_at_its_end_what_is_still_wrong() -> None:
    office = Office()
    until = office.now + 8 * HOUR
    office.desk.silence(Silence("roa*", None, until, "anna"))
    office.tick(fact())
    office.tick(fact(rule_key("roads", "p2", "unique")), hours=1)
    office.tick(fact(violations=9), right=(rule_key("roads", "p2", "unique"),), hours=1)
    assert office.titles == []
    office.tick(hours=7)
    assert office.titles == ["roads[p1] is held: unique fails"]
    assert "9 violations" in office.channels[0].messages[0].text
    assert office.desk.state.silences == ()
    assert office.desk.state.withheld == {}


def test_a_silence_says_when_it_begins_and_can_be_ended() -> None:
    office = Office()
    office.tick(fact())
    office.desk.silence(Silence("roads", "p1", office.now + 8 * HOUR, "anna", "server moves"))
    office.tick(fact(violations=50), hours=1)
    assert office.titles[1:] == [
        "roads[p1] is silent until 2023-11-15 08:00:00 UTC by anna: server moves"
    ]
    assert office.desk.end_silences("roads", None) == 0
    assert office.desk.end_silences("roads", "p1") == 1
    office.tick()
    assert office.titles[2:] == ["roads[p1] is still held: unique fails (1 changed)"]


def test_other_datasets_are_told_during_a_silence() -> None:
    office = Office()
    office.desk.silence(Silence("rivers", None, office.now + 8 * HOUR, "anna"))
    office.tick(fact())
    assert len(office.titles) == 1


def test_quiet_hours_hold_back_one_route_and_not_the_other() -> None:
    office = Office(
        Fake("team"),
        Fake("night"),
        routes=(
            Route(("team",), quiet=QuietTimes(22 * 60, 6 * 60)),
            Route(("night",), severity=Severity.ERROR),
        ),
    )
    team, night = office.channels
    office.tick(fact(), hours=2)
    office.tick(fact(rule_key("roads", "p2", "unique")), hours=1)
    office.tick(right=(rule_key("roads", "p2", "unique"),), hours=1)
    assert (len(team.messages), len(night.messages)) == (0, 3)
    office.tick(hours=3)
    # It was over before anybody was up, and is told all the same.
    assert sorted(office.titles) == [
        "roads[p1] is held: unique fails",
        "roads[p2] passes again after 1 hour",
    ]


def test_quiet_hours_are_those_of_a_time_zone() -> None:
    quiet = QuietTimes(22 * 60, 6 * 60, "Europe/Berlin")
    at = [h for h in range(24) if quiet.holds(MIDNIGHT + h * HOUR)]
    assert at == [0, 1, 2, 3, 4, 21, 22, 23]
    assert [h for h in range(24) if QuietTimes(60, 120).holds(MIDNIGHT + h * HOUR)] == [1]


def test_the_state_of_an_earlier_release_is_read() -> None:
    """Without acknowledgements, silences and limits."""
    office = Office()
    office.tick(fact())
    for new in ('"acknowledged":[],', '"silences":[],', '"limit":0.0,', '"value":4.0,'):
        assert office.shelf.text is not None
        office.shelf.text = office.shelf.text.replace(new, "")
    office.shelf.text = office.shelf.text.replace(',"withheld":{}', "")
    office.tick(right=(KEY,), hours=2)
    assert office.titles[1:] == ["roads[p1] passes again after 2 hours"]
