"""Verification of everything that is kept: the store of files, and the database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from spatial_pipeline.errors import SpatialPipelineError, StoreError
from spatial_pipeline.model.version import Publication
from spatial_pipeline.publish.postgis.ledger_audit import verify_ledger
from spatial_pipeline.publish.postgis.pool import Database
from spatial_pipeline.store.verify import Defect, partitions, verify, verify_root
from spatial_pipeline.store.versions import Store


@dataclass(frozen=True)
class StoreReport:
    """Everything that was looked at, and what is wrong.

    Attributes:
        partitions: number of partitions.
        versions: number of versions.
        defects: what is wrong, harmful ones first.
        database: ``verified``, ``not configured``, or why it could not be verified.

    """

    partitions: int
    versions: int
    defects: tuple[Defect, ...]
    database: str

    @property
    def harmed(self) -> bool:
        """True when a reader may see, or miss, something because of a defect."""
        return any(d.harms for d in self.defects)


async def verify_store(
    store: Store, database: Database | None, datasets: Sequence[str] = ()
) -> StoreReport:
    """Verifies the store and, where one is configured, the database.

    Args:
        store: the store.
        database: the database that tables were published to.
        datasets: names of the datasets; all of the store unless given.

    """
    places = [p for p in await asyncio.to_thread(partitions, store) if _wanted(p[0], datasets)]
    found = [] if datasets else await asyncio.to_thread(verify_root, store, time.time())
    versions = 0
    for place in places:
        versions += len(await asyncio.to_thread(store.versions, *place))
        found += await asyncio.to_thread(verify, store, *place)
    said = "not configured"
    if database is not None:
        try:
            async with database.opened(), database.connection() as connection:
                ledger = await verify_ledger(connection, lambda *p: _published(store, *p))
            found += [d for d in ledger if _wanted(d.dataset, datasets)]
            said = "verified"
        except SpatialPipelineError as exc:
            said = str(exc)
    found.sort(key=lambda d: (not d.harms, d.dataset, d.partition or "", d.version or ""))
    return StoreReport(len(places), versions, tuple(found), said)


def _wanted(dataset: str, datasets: Sequence[str]) -> bool:
    return not datasets or dataset in datasets


def _published(store: Store, dataset: str, partition: str | None) -> Publication | None:
    with contextlib.suppress(StoreError):
        return store.published(dataset, partition)
    return None
