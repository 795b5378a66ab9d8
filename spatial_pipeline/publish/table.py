"""Publishes a proven version to the readers of a database and to those of files.

Two pointers say what is published: one in the database, in the same transaction as the rows and
the gate's decision, and one in the store of files. The database goes first. A crash before its
commit leaves both at the former version. A crash between its commit and the switch of the file
leaves the file behind; whoever publishes the partition next sees by its number the later
publication in the database and switches the file before anything else. The other order would show
a version to the readers of files that the database may still refuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from spatial_pipeline.contract.models import DatasetContract
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.publish.files import VersionStore, advanced, ask, reversed_to


class Tables(Protocol):
    """Database as publishing needs it; nobody else publishes the partition meanwhile."""

    async def published(self) -> Publication | None:
        """Publication that readers of the database see."""

    async def shows(self) -> bool:
        """True when the table holds the version already."""

    async def promote(
        self, publication: Publication, ask: Callable[[], Awaitable[Verdict]]
    ) -> None:
        """Rows, proof, decision and exchange, in one transaction."""


async def publish(
    contract: DatasetContract, version: Version, shelf: VersionStore, tables: Tables
) -> Publication:
    """Makes readers see this version, if the gate is open for it.

    Publishing what is published already changes nothing.

    Raises:
        GateClosedError: the gate is closed; readers keep seeing what they saw.
        StoreError: the database or the store cannot be written.

    """
    former = await _agreed(version, shelf, tables)
    publication = advanced(contract, version, former)
    return await _promoted(contract, version, shelf, tables, (former, publication), by_name=False)


async def roll_back(
    contract: DatasetContract, version: Version, shelf: VersionStore, tables: Tables
) -> Publication:
    """Makes readers see an earlier version; what was published until now is withdrawn.

    Raises:
        GateClosedError: the gate is closed for that version.
        StoreError: the database or the store cannot be written.

    """
    former = await _agreed(version, shelf, tables)
    publication = reversed_to(contract, version, former)
    return await _promoted(contract, version, shelf, tables, (former, publication), by_name=True)


async def _agreed(version: Version, shelf: VersionStore, tables: Tables) -> Publication | None:
    """The latest publication; the file follows when a crash left it behind."""

    def mended() -> Publication | None:
        with shelf.lock(version.dataset, version.partition, "publish"):
            shelf.mend(version.dataset, version.partition)
            return shelf.published(version.dataset, version.partition)

    on_file = await asyncio.to_thread(mended)
    in_database = await tables.published()
    if in_database is None:
        return on_file
    if on_file is not None and on_file.number > in_database.number:
        return on_file
    if on_file != in_database:
        await _switched(version, shelf, in_database)
    return in_database


async def _promoted(
    contract: DatasetContract,
    version: Version,
    shelf: VersionStore,
    tables: Tables,
    change: tuple[Publication | None, Publication],
    *,
    by_name: bool,
) -> Publication:
    former, publication = change

    async def asked() -> Verdict:
        return await asyncio.to_thread(ask, contract, version, shelf, by_name=by_name)

    # A closed gate should not cost a COPY; it is asked again where it counts.
    await asked()
    if publication == former and publication == await tables.published() and await tables.shows():
        return publication
    await tables.promote(publication, asked)
    await _switched(version, shelf, publication)
    return publication


async def _switched(version: Version, shelf: VersionStore, publication: Publication) -> None:
    """Switches the file's pointer; cancelling does not stop it halfway."""

    def switch() -> None:
        with shelf.lock(version.dataset, version.partition, "publish"):
            shelf.switch(version.dataset, version.partition, publication)

    await asyncio.shield(asyncio.create_task(asyncio.to_thread(switch)))
