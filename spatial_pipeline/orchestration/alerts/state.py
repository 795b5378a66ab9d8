"""Dagster's event log as the alerts read it: finished runs in order, each at least once.

Not all of this is public in Dagster; it is used here and nowhere else, and
``test_alert_log.py`` pins it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster import DagsterEventType, EventLogRecord, RunStatusChangeRecordsFilter

from spatial_pipeline.runtime.json_text import json_text

ENDS = (
    DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED,
)  # fmt: skip
LOOK_BACK_S = 86_400.0
"""Seconds to look back at ended runs when the alerts are switched on."""
LAG_S = 120.0
"""PostgreSQL shows events in the order of their commits, not of their ids; an event that shows up
behind a later one is still seen when it comes this many seconds late."""
PAGE = 200


@dataclass(frozen=True)
class Position:
    """Read position in the event log.

    Attributes:
        since: POSIX seconds; older events are skipped.
        floor: everything up to this storage id was read.
        seen: storage ids above the floor that were read, with their times.

    """

    since: float
    floor: int = 0
    seen: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, now: float) -> Position:
        """The position that :meth:`to_text` wrote; the beginning for an empty text."""
        if not text:
            return cls(since=now - LOOK_BACK_S)
        value = json.loads(text)
        seen = {int(k): v for k, v in value["seen"].items()}
        return cls(value["since"], value["floor"], seen)

    def to_text(self) -> str:
        """As text; :meth:`of` reads it."""
        return json_text({"since": self.since, "floor": self.floor, "seen": self.seen})

    def after(self, records: Sequence[EventLogRecord], now: float) -> Position:
        """The position after some more records were read, in their order."""
        seen = {**self.seen, **{r.storage_id: r.timestamp for r in records}}
        settled = [i for i, at in seen.items() if at < now - LAG_S]
        # What is young and has a lower id keeps the floor below it.
        young = [i for i, at in seen.items() if at >= now - LAG_S]
        lowest = min(young, default=math.inf)
        floor = max((i for i in settled if i < lowest), default=self.floor)
        return Position(self.since, floor, {i: at for i, at in seen.items() if i > floor})


def finished_runs(
    instance: dg.DagsterInstance, position: Position, limit: int = PAGE
) -> list[EventLogRecord]:
    """Ends of runs that were not read yet, oldest first.

    Args:
        instance: the instance.
        position: what was read.
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
                # Of the other types, nothing beyond this one may be read before its next page.
                bound = min(bound, page.records[-1].storage_id)
    return sorted((r for r in found if r.storage_id <= bound), key=lambda r: r.storage_id)


def events_of(instance: dg.DagsterInstance, run_id: str) -> list[dg.DagsterEvent]:
    """The events of a run that say what was wrong or right, in their order."""
    wanted = {
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.STEP_SUCCESS,
        DagsterEventType.STEP_FAILURE,
        DagsterEventType.RUN_FAILURE,
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

    One statement writes it, so it is there whole after any kill, on SQLite and on PostgreSQL.
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
        self.instance.daemon_cursor_storage.set_cursor_values({self.key: text})
