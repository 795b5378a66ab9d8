"""A week of one failing dataset: 12 rules, 3 partitions; the messages as people get them.

As a command, which prints every message and writes the first mail as a page::

    python -m spatial_pipeline_tests.alert.week --html mail.html
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from spatial_pipeline.alert.dispatcher import AlertDispatcher, Rules
from spatial_pipeline.alert.message import Exhibit, Links, Message
from spatial_pipeline.alert.problems import Observation, Problem, rule_key
from spatial_pipeline.alert.silences import Silence
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.model.violation import Violation
from spatial_pipeline_tests.alert.cases import Memory

MONDAY = datetime(2026, 11, 23, 3, 12, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86_400.0
PARTITIONS = ("north", "middle", "south")
RULES = (
    ("valid_geometry", "polygons that cross themselves", "self_intersection", "m"),
    ("must_not_overlap", "overlaps, largest 0.0577 m²", "overlap", "m²"),
    ("must_not_have_gaps", "gaps, largest 12.4 m²", "gap", "m²"),
    ("unique", "duplicate keys", "duplicate", ""),
    ("not_null", "missing values in class", "null", ""),
    ("allowed_values", "values of class that are not in the list", "value", ""),
    ("value_range", "values of height outside 0 to 4810", "range", "m"),
    ("min_area", "polygons below 25 ha", "too_small", "m²"),
    ("no_spikes", "spikes", "spike", "°"),
    ("no_slivers", "slivers", "sliver", ""),
    ("simple_geometry", "boundaries that touch themselves", "touch", ""),
    ("must_be_covered_by", "parcels outside their municipality", "outside", "m²"),
)
"""Name, words, reason and unit of each rule; the last three warn only."""


@dataclass
class Inbox:
    """A channel that keeps what it got, and when."""

    name: str = "mail"
    now: float = MONDAY
    messages: list[tuple[float, Message]] = field(default_factory=list)

    def send(self, message: Message) -> str | None:
        """Takes every message."""
        self.messages.append((self.now, message))
        return None


def problem(partition: str, number: int, count: int, version: str) -> Problem:
    """A rule that found something in a partition."""
    name, words, reason, unit = RULES[number]
    places = [(603_607.55 + 13.25 * i, 5_463_658.73 - 7.5 * number) for i in range(2)]
    sample = tuple(
        Violation(((f"{4711 + i}",),), reason, place, 0.0577 * (i + 1), unit)
        for i, place in enumerate(places)
    )
    return Problem(
        rule_key("parcels", partition, name),
        Severity.WARN if number >= 9 else Severity.ERROR,
        f"{count} {words}",
        violations=count,
        checked=40_700,
        value=float(count),
        limit=0.0,
        sample=sample[:count],
        version=version,
        layer=f"/var/lib/spatial/store/parcels/{partition}/{version}/violations.parquet",
        run_id="3f2b8c1e-77aa-4f0e-9d55-0e6f1c2a9b10",
        asset="parcels/staged",
        owners=("team:cadastre", "anna@example.org"),
    )


class Week:
    """Seven days, tick by tick."""

    def __init__(self) -> None:
        self.inbox, self.shelf, self.now = Inbox(), Memory(), MONDAY

    @property
    def desk(self) -> AlertDispatcher:
        """The dispatcher of one tick."""
        links = Links("https://dagster.example.org", "https://files.example.org", "production")
        rules = Rules(links=links, remind_after_s=DAY)
        exhibit = Exhibit("version 2f9c51d07ab84e3390aa, since 2026-11-22 03:11:40 UTC")
        return AlertDispatcher(
            self.shelf, [self.inbox], rules, lambda *_: exhibit, clock=lambda: self.now
        )

    def tick(self, at: float, problems: Sequence[Problem] = (), right: Sequence[int] = (),
             partitions: Sequence[str] = PARTITIONS) -> None:  # fmt: skip
        """One tick of the sensor, so many seconds after the beginning."""
        self.now = self.inbox.now = MONDAY + at
        desk = self.desk
        keys = [rule_key("parcels", p, RULES[i][0]) for p in partitions for i in right]
        desk.take([Observation.of(self.now, problems, keys)] if problems or keys else [])
        desk.deliver(10.0)

    def live(self) -> list[tuple[float, Message]]:
        """All messages of the week."""
        counts = {p: [3 + 7 * i for i in range(12)] for p in PARTITIONS}
        failing = [problem(p, i, counts[p][i], f"c0ffee{n}") for n, p in enumerate(PARTITIONS)
                   for i in range(12)]  # fmt: skip
        self.tick(0, failing)
        for hour in range(1, 24):  # every look finds the same
            self.tick(hour * HOUR, failing)
        self.desk.acknowledge("parcels", "north", "anna", "the supplier sends a new file on Friday")
        until = MONDAY + 3 * DAY + 10 * HOUR
        self.tick(1 * DAY)  # reminders of the two others
        self.desk.silence(Silence("parcels", "south", until, "ben", "server moves"))
        self.tick(1 * DAY + HOUR)
        fixed = [i for i in range(12) if i not in (1, 2)]
        self.tick(2 * DAY, right=fixed, partitions=["middle"])
        worse = problem("middle", 1, 400, "c0ffee7")
        self.tick(3 * DAY, [worse], partitions=["middle"])
        self.tick(3 * DAY + 10 * HOUR)  # the silence is over
        self.tick(4 * DAY, right=range(12), partitions=["north", "middle"])
        self.tick(4 * DAY + 2 * HOUR, right=range(12), partitions=["south"])
        self.tick(6 * DAY, right=range(12))
        return self.inbox.messages


def main() -> None:
    """The command; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--html", type=Path, help="write the first mail to this file")
    given = parser.parse_args()
    found = Week().live()
    for at, message in found:
        print(f"=== {datetime.fromtimestamp(at, UTC):%a %H:%M}  {message.level}: {message.title}\n")
        print(message.text)
    print(f"{len(found)} messages")
    if given.html is not None:
        given.html.write_text(f"<!doctype html><meta charset=utf-8>{found[0][1].html}")


if __name__ == "__main__":
    main()
