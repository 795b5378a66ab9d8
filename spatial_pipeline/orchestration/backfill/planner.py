"""Plans the backfills of schema changes: the memory of their sensor, and its next step.

Three rules prevent loops. A partition that was neither published nor checked after its backfill, as
after a run that died, is requested once more on the same basis, and then no more. What a person
cancelled stays cancelled until the basis changes. A backfill that Dagster gave up is requested
again a few times only.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spatial_pipeline.orchestration.backfill.request import BackfillState, Requested
from spatial_pipeline.runtime.hashing import fingerprint
from spatial_pipeline.runtime.json_text import json_text

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.staleness import Outdated

BREAKDOWNS = 3
"""Consecutive backfills that Dagster gave up, after which a person must act."""


ATTEMPTS = 2
"""Requests of a partition on one basis while it is neither published nor checked."""
MARK = "+"
BASES = ("planned", "tried", "stopped")


@dataclass(frozen=True)
class PlannerCursor:
    """The cursor of the sensor.

    Attributes:
        asked: id of the last requested backfill.
        booked: id of the last backfill whose end was taken into account.
        planned: partition → basis of everything that was outdated at the last request.
        tried: partition → basis on which it was requested, with a mark for each request.
        stopped: partition → basis on which a person cancelled it.
        breakdowns: backfills that Dagster gave up, since the last that it brought to an end.

    """

    asked: str | None = None
    booked: str | None = None
    planned: dict[str, str] = field(default_factory=dict)
    tried: dict[str, str] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    breakdowns: int = 0

    def to_text(self) -> str:
        """Text for the cursor; :meth:`of_text` is its inverse."""
        value = dataclasses.asdict(self)
        # Thousands of partitions share a basis, which is longer than a key.
        for name in BASES:
            value[name] = _turned(value[name])
        return json_text(value, compact=True, sort_keys=True)

    @classmethod
    def of_text(cls, text: str | None) -> PlannerCursor:
        """The memory in a cursor; an empty one when there is none or it is unreadable."""
        try:
            value = json.loads(text or "{}")
            bases = {n: {p: b for b, keys in value[n].items() for p in keys} for n in BASES}
            return cls(value["asked"], value["booked"], **bases, breakdowns=value["breakdowns"])
        except (ValueError, AttributeError, KeyError, TypeError):
            return cls()


@dataclass(frozen=True)
class PlannedStep:
    """The next step of the sensor.

    Attributes:
        memory: the sensor's new memory.
        identity: id of the backfill to request; equal in two ticks with equal knowledge.
        launch: partitions to request, in their order; may be empty.
        left: partitions that come later.
        told: the reason why nothing, or not everything, is requested.

    """

    memory: PlannerCursor
    identity: str
    launch: tuple[Outdated, ...]
    left: int
    told: str


def next_step(
    memory: PlannerCursor,
    last: Requested | None,
    found: Sequence[Outdated],
    running: Set[str],
    at_most: int,
) -> PlannedStep:
    """Plans the next request.

    Args:
        memory: the sensor's memory.
        last: the last requested backfill.
        found: the outdated partitions, first what should come first.
        running: partitions that a run is building, or is queued to build.
        at_most: partitions of one backfill.

    """
    if last is not None and last.state is BackfillState.ACTIVE:
        told = f"backfill {last.id} of {len(last.partitions)} is under way"
        return PlannedStep(memory, "", (), 0, told)
    memory = _booked(memory, last, found)
    if memory.breakdowns >= BREAKDOWNS:
        told = f"Dagster gave up {memory.breakdowns} backfills, the last is {memory.booked}"
        return PlannedStep(memory, "", (), 0, f"{told}; reset the cursor of this sensor to go on")
    wanted = [
        o
        for o in found
        if _attempts(memory.tried, o) < ATTEMPTS and memory.stopped.get(o.partition) != o.basis
    ]
    free = [o for o in wanted if o.partition not in running]
    launch = tuple(free[:at_most])
    told = _told(memory, found, len(wanted) - len(free))
    if not launch:
        return PlannedStep(memory, "", (), len(wanted), told)
    identity = fingerprint(
        None if last is None else last.id, [[o.partition, o.basis] for o in launch]
    )
    memory = dataclasses.replace(
        memory,
        asked=identity,
        planned={o.partition: o.basis for o in wanted},
        tried={
            **memory.tried,
            **{o.partition: o.basis + MARK * (_attempts(memory.tried, o) + 1) for o in launch},
        },
    )
    return PlannedStep(memory, identity, launch, len(wanted) - len(launch), told)


def _booked(
    memory: PlannerCursor, last: Requested | None, found: Sequence[Outdated]
) -> PlannerCursor:
    """The memory after the end of the last backfill was taken into account, once."""
    now = {o.partition: o.basis for o in found}
    planned, tried, stopped = memory.planned, memory.tried, memory.stopped
    booked, breakdowns = memory.booked, memory.breakdowns
    if last is not None and last.id != booked:
        if last.id != memory.asked:
            # The tick that requested it was killed before it could store the memory.
            planned = now
            tried = {**{p: now[p] + MARK for p in last.partitions if p in now}, **tried}
        booked, breakdowns = last.id, 0
        if last.state is BackfillState.CANCELED:
            stopped = {**stopped, **planned}
        elif last.state is BackfillState.BROKEN:
            breakdowns = memory.breakdowns + 1
            tried = {p: b for p, b in tried.items() if p not in last.partitions - last.launched}
    return PlannerCursor(
        asked=memory.asked,
        booked=booked,
        planned={},
        tried={p: b for p, b in tried.items() if now.get(p) == b.rstrip(MARK)},
        stopped={p: b for p, b in stopped.items() if now.get(p) == b},
        breakdowns=breakdowns,
    )


def _attempts(tried: Mapping[str, str], found: Outdated) -> int:
    """Number of requests of a partition on today's basis."""
    mark = tried.get(found.partition, "")
    return mark.count(MARK) if mark.rstrip(MARK) == found.basis else 0


def _told(memory: PlannerCursor, found: Sequence[Outdated], waiting: int) -> str:
    told = []
    stopped = [o.partition for o in found if memory.stopped.get(o.partition) == o.basis]
    if stopped:
        told.append(f"{_some(stopped)}: a person cancelled the backfill")
    tried = [
        o.partition
        for o in found
        if _attempts(memory.tried, o) >= ATTEMPTS and o.partition not in stopped
    ]
    if tried:
        told.append(f"{_some(tried)}: tried {ATTEMPTS} times, neither published nor held")
    if waiting:
        told.append(f"{waiting} being made by other runs")
    return "; ".join(told) or "nothing is outdated"


def _some(keys: Sequence[str], shown: int = 5) -> str:
    more = f" and {len(keys) - shown} more" if len(keys) > shown else ""
    return ", ".join(keys[:shown]) + more


def _turned(bases: Mapping[str, str]) -> dict[str, list[str]]:
    """Basis → partitions."""
    turned: dict[str, list[str]] = {}
    for partition, basis in sorted(bases.items()):
        turned.setdefault(basis, []).append(partition)
    return turned
