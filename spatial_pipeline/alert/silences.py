"""Acknowledgements and silences: words of people, and the changes that wait because of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from spatial_pipeline.alert.incidents import IncidentChange, What
from spatial_pipeline.alert.problems import Key, Place

Withheld = Mapping[str, tuple[IncidentChange, ...]]
"""Changes that wait for the end of a silence or of quiet hours, by the name of the channel."""


@dataclass(frozen=True)
class Acknowledgement:
    """Somebody is at it: no reminders until something else of the place fails.

    Attributes:
        place: dataset and partition.
        by: the person.
        at: POSIX seconds.
        note: words of the person.

    """

    place: Place
    by: str
    at: float
    note: str = ""


@dataclass(frozen=True)
class Silence:
    """Nothing is sent until a moment; what is still wrong then is told.

    Attributes:
        datasets: pattern of names of datasets; ``*`` and ``?`` match.
        partition: only this partition; all of them when None.
        until: POSIX seconds.
        by: the person.
        note: words of the person.

    """

    datasets: str
    partition: str | None
    until: float
    by: str
    note: str = ""

    def covers(self, key: Key, now: float) -> bool:
        """True when nothing is sent of a subject now."""
        named = fnmatch.fnmatchcase(key.dataset, self.datasets)
        return named and self.partition in (None, key.partition) and now < self.until


def withhold(
    waiting: Iterable[IncidentChange], change: IncidentChange, *, forget: bool
) -> tuple[IncidentChange, ...]:
    """The changes that wait, with one more; the last of an incident stands for all.

    Args:
        waiting: changes that wait.
        change: one more.
        forget: leave out an incident that opened and closed while it waited.

    """
    others = [c for c in waiting if c.incident != change.incident]
    former = [c for c in waiting if c.incident == change.incident]
    opened = any(c.what is What.OPENED for c in former)
    if opened and change.what is What.CLOSED:
        return tuple(others) if forget else (*others, change)
    if opened:
        change = replace(change, what=What.OPENED, before=None)
    return (*others, change)
