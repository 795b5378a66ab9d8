"""Deletes old versions from the store, and what the database keeps of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg

from spatial_pipeline.contract.retention import Retention
from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis import ledger
from spatial_pipeline.publish.postgis.pool import Database
from spatial_pipeline.publish.postgis.retention import (
    PrunedTables,
    nobody_publishes,
    prune_tables,
)
from spatial_pipeline.store.prune import Pruned, prune
from spatial_pipeline.store.root_files import OTHERS, remove_stale
from spatial_pipeline.store.versions import Store

PATIENCE_S = 10.0
"""Longest wait for a partition that another process works on; the next pruning takes it."""


@dataclass(frozen=True)
class PruneTarget:
    """A partition with its retention."""

    dataset: str
    partition: str | None
    retention: Retention


@dataclass(frozen=True)
class PrunedPartition:
    """The result for one partition.

    Attributes:
        files: what was deleted from the store.
        tables: what was deleted from the database.
        error: reason why nothing was deleted.

    """

    files: Pruned
    tables: PrunedTables = field(default_factory=PrunedTables)
    error: str | None = None

    @property
    def freed(self) -> int:
        """Bytes of files and tables."""
        return self.files.freed + self.tables.size

    @property
    def stays(self) -> tuple[str, ...]:
        """Reasons why something stayed that could have gone."""
        tables = tuple(
            f"{name} holds rows written by hand, or is being read" for name in self.tables.stays
        )
        return self.files.stays + tables

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {
            "dataset": self.files.dataset,
            "partition": self.files.partition,
            "versions": [
                {
                    "version": r.version.id,
                    "was": r.was,
                    "since": datetime.fromtimestamp(r.since, UTC).isoformat(timespec="seconds"),
                    "bytes": r.size,
                }
                for r in self.files.removed
            ],
            "remembered_bytes": self.files.remembered,
            "leftover_bytes": self.files.leftovers,
            "parts": list(self.tables.parts),
            "parts_bytes": self.tables.size,
            "records": self.tables.records,
            "kept": list(self.files.kept),
            "stays": list(self.stays),
            "error": self.error,
            "bytes": self.freed,
        }


def targets(store: Store, retention: dict[str, Retention] | Retention) -> list[PruneTarget]:
    """Every partition in the store of which versions were staged.

    Sources that datasets are compared with are staged beside them; they stay as long as any dataset
    keeps its versions, counted from when a check used them last.

    Args:
        store: the store.
        retention: of each dataset by its name, or one for all.

    """
    names = store.datasets() if isinstance(retention, Retention) else sorted(retention)
    given = [retention] if isinstance(retention, Retention) else [*retention.values()]
    others = [Retention(keep=1, days=max(r.days for r in given))] if given else []
    return [
        PruneTarget(
            name, partition, retention if isinstance(retention, Retention) else retention[name]
        )
        for name in names
        for partition in store.staged_partitions(name)
    ] + [PruneTarget(OTHERS, key, o) for o in others for key in store.staged_partitions(OTHERS)]


async def prune_versions(
    store: Store,
    database: Database | None,
    wanted: Sequence[PruneTarget],
    *,
    dry_run: bool = False,
    now: float | None = None,
) -> list[PrunedPartition]:
    """Prunes partitions one after the other; what cannot be pruned does not stop the others.

    Args:
        store: the store.
        database: the database that tables were published to; without it, files only.
        wanted: the partitions.
        dry_run: only say what would be deleted.
        now: POSIX seconds; the present unless given.

    """
    patient = Store(store.root, min(store.lock_timeout_s, PATIENCE_S))
    now = time.time() if now is None else now
    done = []
    async with _opened(database) as opened:
        for target in wanted:
            empty = Pruned(target.dataset, target.partition)
            try:
                done.append(await _pruned(patient, opened, target, now, dry_run))
            except StoreError as exc:
                done.append(PrunedPartition(empty, error=str(exc)))
    if not dry_run:
        await asyncio.to_thread(remove_stale, store.root, now)
    return done


@contextlib.asynccontextmanager
async def _opened(database: Database | None) -> AsyncIterator[Database | None]:
    if database is None:
        yield None
        return
    async with database.opened():
        yield database


async def _pruned(
    store: Store, database: Database | None, target: PruneTarget, now: float, dry_run: bool
) -> PrunedPartition:
    place = (target.dataset, target.partition)
    if database is None:
        return PrunedPartition(
            await asyncio.to_thread(prune, store, *place, target.retention, now, dry_run=dry_run)
        )
    async with database.connection() as connection, nobody_publishes(connection, *place) as free:
        if not free:
            busy = f"{Pruned(*place).title} is being published"
            return PrunedPartition(replace(Pruned(*place), stays=(busy,)))
        return await _pruned_with(connection, store, target, now, dry_run)


async def _pruned_with(
    connection: asyncpg.Connection, store: Store, target: PruneTarget, now: float, dry_run: bool
) -> PrunedPartition:
    place = (target.dataset, target.partition)
    pointer = await ledger.published(connection, *place)
    pointers = () if pointer is None else (pointer,)
    files = await asyncio.to_thread(
        prune, store, *place, target.retention, now, pointers, dry_run=dry_run
    )
    kept = {*files.kept, *(p.version for p in pointers)}
    tables = await prune_tables(connection, *place, sorted(kept), dry_run=dry_run)
    return PrunedPartition(files, tables)
