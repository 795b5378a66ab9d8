"""Read position in Dagster's event log: finished runs in order, each at least once.

Some of the interfaces used here are not public in Dagster; no other module uses them, and
``test_state.py`` pins them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import dagster as dg
from dagster import DagsterEventType, EventLogRecord, RunStatusChangeRecordsFilter

from spatial_pipeline.runtime.json_text import json_text

ENDS = (
    DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED,
)  # fmt: skip
LOOK_BACK_S = 86_400.0
"""Seconds to look back at ended runs when the alerts are switched on."""
LAG_S = 120.0
"""Seconds by which a delayed event may arrive and still be read.

PostgreSQL shows events in the order of their commits, not of their ids, so an event may appear
behind a later one.
"""
PAGE = 200
NAMES = "spatial_pipeline/alerts"
"""Key of the row that lists the code locations with alerts."""


@dataclass(frozen=True)
class Position:
    """Read position in the event log.

    Attributes:
        since: POSIX seconds; older events are skipped.
        floor: everything up to this storage id was read.
        seen: storage ids above the floor that were read, with their times.
        met: assets that were never published, with the POSIX seconds when they were first seen.

    """

    since: float
    floor: int = 0
    seen: dict[int, float] = field(default_factory=dict)
    met: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, now: float) -> Position:
        """The position that :meth:`to_text` wrote; the beginning for an empty text."""
        if not text:
            return cls(since=now - LOOK_BACK_S)
        value = json.loads(text)
        seen = {int(k): v for k, v in value["seen"].items()}
        return cls(value["since"], value["floor"], seen, value.get("met", {}))

    def to_text(self) -> str:
        """As text; :meth:`of` reads it."""
        return json_text(
            {"since": self.since, "floor": self.floor, "seen": self.seen, "met": self.met}
        )

    def after(self, records: Sequence[EventLogRecord], now: float) -> Position:
        """The position after more records were read, in their order."""
        seen = {**self.seen, **{r.storage_id: r.timestamp for r in records}}
        settled = [i for i, at in seen.items() if at < now - LAG_S]
        # A recent record with a lower id keeps the floor below it.
        young = [i for i, at in seen.items() if at >= now - LAG_S]
        lowest = min(young, default=math.inf)
        floor = max((i for i in settled if i < lowest), default=self.floor)
        return replace(self, floor=floor, seen={i: at for i, at in seen.items() if i > floor})


def finished_runs(
    instance: dg.DagsterInstance, position: Position, limit: int = PAGE
) -> list[EventLogRecord]:
    """Ends of runs that were not read yet, oldest first.

    Args:
        instance: the instance.
        position: the read position.
        limit: about as many are returned; there may be more.

    """
    found: list[EventLogRecord] = []
    bound: float = math.inf
    for event_type in ENDS:
        cursor, more, new = None, True, 0
        while more and new < limit:
            page = instance.fetch_run_status_changes(
                RunStatusChangeRecordsFilter(
                    event_type,  # type: ignore[arg-type]  # each is one of its literals
                    after_storage_id=position.floor,
                    after_timestamp=position.since,
                ),
                limit=PAGE,
                cursor=cursor,
                ascending=True,
            )
            fresh = [r for r in page.records if r.storage_id not in position.seen]
            found += fresh
            new += len(fresh)
            cursor, more = page.cursor, page.has_more
            if more and new >= limit:
                # Events of the other types beyond this one must wait for the next page.
                bound = min(bound, page.records[-1].storage_id)
    return sorted((r for r in found if r.storage_id <= bound), key=lambda r: r.storage_id)


def events_of(instance: dg.DagsterInstance, run_id: str) -> list[dg.DagsterEvent]:
    """The events of a run that report problems or passes, in their order."""
    wanted = {
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.STEP_SUCCESS,
        DagsterEventType.STEP_FAILURE,
        DagsterEventType.RUN_FAILURE,
        DagsterEventType.ENGINE_EVENT,
    }
    records = instance.get_records_for_run(run_id, of_type=wanted).records
    return [
        r.event_log_entry.dagster_event
        for r in sorted(records, key=lambda r: r.storage_id)
        if r.event_log_entry.dagster_event is not None
    ]


@dataclass(frozen=True)
class Book:
    """The state of the alerts in the key-value table of the instance; one row.

    One statement writes it, so it is atomic even when killed, on SQLite and on PostgreSQL.
    """

    instance: dg.DagsterInstance
    name: str

    @property
    def key(self) -> str:
        """Key of the row."""
        return f"spatial_pipeline/alerts/{self.name}"

    def load(self) -> str | None:
        """The last saved state."""
        return self.instance.daemon_cursor_storage.get_cursor_values({self.key}).get(self.key)

    def save(self, text: str) -> None:
        """Saves."""
        pairs = {self.key: text}
        names = locations_of(self.instance)
        if self.name not in names:
            pairs[NAMES] = json_text([*names, self.name])
        self.instance.daemon_cursor_storage.set_cursor_values(pairs)


def locations_of(instance: dg.DagsterInstance) -> list[str]:
    """Names of the code locations with alerts."""
    text = instance.daemon_cursor_storage.get_cursor_values({NAMES}).get(NAMES)
    return [] if text is None else [str(n) for n in json.loads(text)]
