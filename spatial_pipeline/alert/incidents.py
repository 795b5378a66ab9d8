"""The incident machine: opened, updated, reminded, closed. Pure functions.

An incident's state number grows by one with everything that is told of it, so (incident, state
number) names one message for ever: told twice, it is recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from spatial_pipeline.alert.problems import Key, Observation, Problem
from spatial_pipeline.runtime.hashing import fingerprint

MUCH = 0.5
"""Violations have changed much when they differ by this share of what was told last."""


class What(StrEnum):
    """What is told of an incident."""

    OPENED = "opened"
    UPDATED = "updated"
    REMINDED = "reminded"
    CLOSED = "closed"


@dataclass(frozen=True)
class Incident:
    """One thing that is wrong until it is right.

    Attributes:
        id: name for ever; the same thing failing again later is another incident.
        state: number of things told so far.
        opened_at: POSIX seconds.
        told_at: POSIX seconds of what was told last.
        fact: what is wrong now.
        told: what was wrong when it was told last.

    """

    id: str
    state: int
    opened_at: float
    told_at: float
    fact: Problem
    told: Problem

    @property
    def key(self) -> Key:
        """What it is about."""
        return self.fact.key


@dataclass(frozen=True)
class IncidentChange:
    """Something to tell of an incident.

    Attributes:
        what: what happened.
        incident: id of the incident.
        state: its state number.
        fact: what is wrong; of a closed incident, what was wrong last.
        opened_at: POSIX seconds.
        at: POSIX seconds.
        before: violations when it was told last, None when it is told first or nothing is counted.

    """

    what: What
    incident: str
    state: int
    fact: Problem
    opened_at: float
    at: float
    before: int | None = None

    @property
    def id(self) -> str:
        """The idempotency key: the same for ever for the same incident in the same state."""
        return f"{self.incident}.{self.state}"


Incidents = Mapping[Key, Incident]


def observe(
    incidents: Incidents, observation: Observation, now: float | None = None
) -> tuple[dict[Key, Incident], list[IncidentChange]]:
    """The incidents after an observation, and what is to be told.

    Observing the same again tells nothing.

    Args:
        incidents: the open incidents.
        observation: what was looked at.
        now: POSIX seconds at which it is told; the time of the observation unless given.

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
    incidents: Incidents, now: float, after_s: float
) -> tuple[dict[Key, Incident], list[IncidentChange]]:
    """Tells again of incidents that nothing was told of for a while."""
    after = dict(incidents)
    changes: list[IncidentChange] = []
    for key in sorted(incidents, key=_order):
        if now - incidents[key].told_at >= after_s:
            after[key], change = _tell(incidents[key], What.REMINDED, incidents[key].fact, now, now)
            changes.append(change)
    return after, changes


def changed_much(told: Problem, now: Problem) -> bool:
    """True when people should hear of the difference."""
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
