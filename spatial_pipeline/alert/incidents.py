"""The incident state machine: opened, updated, reminded, closed. Pure functions.

An incident's state number grows by one with every reported change, so (incident, state number)
identifies one message for ever and deduplicates repeats.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from spatial_pipeline.alert.problems import Key, Observation, Place, Problem
from spatial_pipeline.runtime.hashing import fingerprint

MUCH = 0.5
"""Share by which violations must differ from those last reported, to be reported again."""


class What(StrEnum):
    """Kinds of reported changes of an incident."""

    OPENED = "opened"
    UPDATED = "updated"
    REMINDED = "reminded"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    CLOSED = "closed"


@dataclass(frozen=True)
class Incident:
    """A problem from its first occurrence until it is resolved.

    Attributes:
        id: permanent id; the same thing failing again later is another incident.
        state: number of changes reported so far.
        opened_at: POSIX seconds.
        told_at: POSIX seconds of the last report.
        fact: the current problem.
        told: the problem as last reported.

    """

    id: str
    state: int
    opened_at: float
    told_at: float
    fact: Problem
    told: Problem

    @property
    def key(self) -> Key:
        """The subject of the incident."""
        return self.fact.key


@dataclass(frozen=True)
class IncidentChange:
    """A change of an incident to report.

    Attributes:
        what: kind of change.
        incident: id of the incident.
        state: its state number.
        fact: the problem; for a closed incident, the last one.
        opened_at: POSIX seconds.
        at: POSIX seconds.
        before: violations at the last report, None at the first report or when nothing is counted.
        words: words of the person who acknowledged or silenced it.

    """

    what: What
    incident: str
    state: int
    fact: Problem
    opened_at: float
    at: float
    before: int | None = None
    words: str = ""

    @property
    def id(self) -> str:
        """The idempotency key: permanent for one incident in one state."""
        return f"{self.incident}.{self.state}"


Incidents = Mapping[Key, Incident]


def observe(
    incidents: Incidents, observation: Observation, now: float | None = None
) -> tuple[dict[Key, Incident], list[IncidentChange]]:
    """The incidents after an observation, and the changes to report.

    A repeated identical observation reports nothing.

    Args:
        incidents: the open incidents.
        observation: the observation.
        now: POSIX seconds of the report; the time of the observation unless given.

    """
    now = observation.at if now is None else now
    after = dict(incidents)
    changes: list[IncidentChange] = []
    wrong = {f.key: f for f in observation.facts}
    for key in sorted(observation.judged - wrong.keys(), key=_order):
        closed = after.pop(key, None)
        if closed is not None:
            changes.append(_tell(closed, What.CLOSED, closed.fact, observation.at, now)[1])
    for key in sorted(wrong, key=_order):
        fact, former = wrong[key], after.get(key)
        if former is None:
            identity = fingerprint(_order(key), observation.at, fact.run_id)
            former = Incident(identity, 0, observation.at, observation.at, fact, fact)
            after[key], change = _tell(former, What.OPENED, fact, observation.at, now)
            changes.append(change)
        elif changed_much(former.told, fact):
            after[key], change = _tell(former, What.UPDATED, fact, observation.at, now)
            changes.append(change)
        else:
            after[key] = replace(former, fact=fact)
    return after, changes


def remind(
    incidents: Incidents, now: float, after_s: float, quiet: Collection[Place] = ()
) -> tuple[dict[Key, Incident], list[IncidentChange]]:
    """Reminders of all open incidents of a place of which nothing was reported for a while.

    Args:
        incidents: the open incidents.
        now: POSIX seconds.
        after_s: seconds since the last report of anything of the place.
        quiet: places that somebody acknowledged.

    """
    latest: dict[Place, float] = {}
    for key, incident in incidents.items():
        latest[key.place] = max(incident.told_at, latest.get(key.place, incident.told_at))
    due = {p for p, at in latest.items() if now - at >= after_s and p not in quiet}
    return tell(incidents, due, What.REMINDED, now)


def tell(
    incidents: Incidents, places: Collection[Place], what: What, now: float, words: str = ""
) -> tuple[dict[Key, Incident], list[IncidentChange]]:
    """Reports all open incidents of some places.

    Args:
        incidents: the open incidents.
        places: dataset and partition of each.
        what: the reason.
        now: POSIX seconds.
        words: words of a person.

    """
    after = dict(incidents)
    changes: list[IncidentChange] = []
    for key in sorted(incidents, key=_order):
        if key.place in places:
            after[key], change = _tell(incidents[key], what, incidents[key].fact, now, now)
            changes.append(replace(change, words=words))
    return after, changes


def changed_much(told: Problem, now: Problem) -> bool:
    """True when the difference is large enough to report."""
    if (told.status, told.severity) != (now.status, now.severity):
        return True
    if told.violations is None or now.violations is None:
        return told.violations is not now.violations
    return abs(now.violations - told.violations) >= max(1.0, MUCH * told.violations)


def _tell(
    incident: Incident, what: What, fact: Problem, at: float, now: float
) -> tuple[Incident, IncidentChange]:
    told = replace(incident, state=incident.state + 1, told_at=now, fact=fact, told=fact)
    before = None if what is What.OPENED else incident.told.violations
    return told, IncidentChange(what, told.id, told.state, fact, told.opened_at, at, before)


def _order(key: Key) -> tuple[str, str, str, str]:
    return key.dataset, key.partition or "", key.kind.value, key.name
