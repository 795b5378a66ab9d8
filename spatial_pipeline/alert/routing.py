"""Routing of alerts to channels."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from spatial_pipeline.alert.problems import Kind, Problem
from spatial_pipeline.contract.vocabulary import Severity


@dataclass(frozen=True)
class QuietTimes:
    """Hours of every day at which a route waits.

    Attributes:
        begin: minutes after midnight.
        end: minutes after midnight; before ``begin`` when midnight lies between the two.
        zone: IANA time zone.

    """

    begin: int
    end: int
    zone: str = "UTC"

    def holds(self, now: float) -> bool:
        """True at these hours; ``now`` in POSIX seconds."""
        at = datetime.fromtimestamp(now, ZoneInfo(self.zone))
        minutes = at.hour * 60 + at.minute
        if self.begin <= self.end:
            return self.begin <= minutes < self.end
        return minutes >= self.begin or minutes < self.end


@dataclass(frozen=True)
class Route:
    """A set of channels, and the conditions under which they get alerts; empty ones always hold.

    Attributes:
        channels: names of channels.
        owners: one of these owns the asset.
        datasets: patterns (``*`` and ``?``), one of which the dataset's name matches.
        severity: exactly this severity.
        quiet: hours of the day at which nothing is sent through this route.

    """

    channels: tuple[str, ...]
    owners: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    severity: Severity | None = None
    quiet: QuietTimes | None = None

    def takes(self, fact: Problem) -> bool:
        """True when every condition is met."""
        return (
            (not self.owners or not set(self.owners).isdisjoint(fact.owners))
            and (
                not self.datasets
                or any(fnmatch.fnmatchcase(fact.key.dataset, p) for p in self.datasets)
            )
            and self.severity in (None, fact.severity)
        )


def waits(routes: Sequence[Route], channel: str, fact: Problem, now: float) -> bool:
    """True when every route that leads a problem to a channel has quiet hours now."""
    taking = [r for r in routes if channel in r.channels and r.takes(fact)]
    return bool(taking) and all(r.quiet is not None and r.quiet.holds(now) for r in taking)


def recipients(routes: Sequence[Route], channels: Sequence[str], fact: Problem) -> tuple[str, ...]:
    """Names of the channels that get a problem, in the order of ``channels``.

    A problem that no route matches goes to every channel, so a forgotten route loses nothing. That
    a channel is down is reported through the others.
    """
    others = [c for c in channels if fact.key.kind is not Kind.CHANNEL or c != fact.key.name]
    named = {c for r in routes if r.takes(fact) for c in r.channels}
    return tuple(c for c in others if c in named) or tuple(others)
