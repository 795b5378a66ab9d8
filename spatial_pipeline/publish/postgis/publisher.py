"""Promotes a version in PostGIS: rows, proof, decision and exchange in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from spatial_pipeline.contract.publication import GeometryColumn
from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.profile import Profile, RasterProfile, VectorProfile
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.publish.postgis import (
    ledger,
    parts,
    proof,
    readers,
    relations,
    tables,
    verify,
)
from spatial_pipeline.publish.postgis.binary import Digest
from spatial_pipeline.publish.postgis.column_comments import comment_columns
from spatial_pipeline.publish.postgis.copy_stream import Sent, rows
from spatial_pipeline.publish.postgis.extension import PostGIS, find_postgis
from spatial_pipeline.publish.postgis.identifiers import quoted_table
from spatial_pipeline.publish.postgis.layout import asked_of, layout_of
from spatial_pipeline.publish.postgis.lock_holders import holders
from spatial_pipeline.publish.postgis.ownership import (
    adopt,
    is_held,
    marker,
    owner_comment,
    refuse_altered,
    replace_dropped,
)
from spatial_pipeline.publish.postgis.pool import Database, ServerAddress
from spatial_pipeline.publish.postgis.retention import sweep
from spatial_pipeline.publish.postgis.session_lock import lock_session
from spatial_pipeline.store import locks

logger = logging.getLogger("spatial_pipeline")
LONGEST_PAUSE_S = 1.0
LOCKED_OUT = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


@dataclass(frozen=True)
class Candidate:
    """Candidate for publication.

    Attributes:
        version: the version.
        profile: its profile.
        path: its data file.
        data: reader of its features, None for a raster.
        table: where a vector dataset goes, None when it is only written down.
        key: columns that identify a feature.
        comment: comment of the table.
        geometry: geometry column that the contract declares.
        columns: comments of columns.

    """

    version: Version
    profile: Profile
    path: Path
    data: VectorReader | None
    table: TableName | None
    key: tuple[str, ...]
    comment: str
    geometry: GeometryColumn = field(default_factory=GeometryColumn)
    columns: Mapping[str, str] = field(default_factory=dict)


class Publisher:
    """Publishes one partition of one dataset; nobody else publishes it meanwhile."""

    def __init__(
        self, connection: asyncpg.Connection, address: ServerAddress, candidate: Candidate
    ) -> None:
        self._connection = connection
        self._address = address
        self._candidate = candidate

    async def published(self) -> Publication | None:
        """Publication of the partition that readers of the database see."""
        version = self._candidate.version
        return await ledger.published(self._connection, version.dataset, version.partition)

    async def shows(self) -> bool:
        """True when readers of the table see the candidate's rows already.

        Raises:
            StoreError: the rows were changed by hand since they were proven, or others are among
                them.

        """
        table = self._candidate.table
        if table is None:
            return True
        async with self._connection.transaction(), self._reading(table):
            return await self._shown(table)

    @contextlib.asynccontextmanager
    async def _reading(self, table: TableName) -> AsyncIterator[None]:
        """Bounds the wait for a lock of somebody else on a table that is read, in a transaction."""
        patience = self._address.lock_timeout_s * self._address.lock_attempts
        await self._connection.execute(f"SET LOCAL lock_timeout = {int(patience * 1000)}")
        try:
            yield
        except LOCKED_OUT as exc:
            msg = f"{table} could not be read: somebody holds it locked for {patience:g} s"
            raise StoreError(msg) from exc
        await self._connection.execute("SET LOCAL lock_timeout TO DEFAULT")

    async def _shown(self, table: TableName) -> bool:
        """True when the rows that readers see are the proven ones of the candidate."""
        connection, candidate = self._connection, self._candidate
        await ledger.refuse_foreign(connection, table, candidate.version.dataset)
        name = parts.part_name(table, candidate.version, asked_of(candidate.geometry))
        if not await relations.is_attached(connection, table, name):
            return False
        known = await ledger.parts(connection, candidate.version, table)
        part = next((p for p in known if p.name == name), None)
        if part is None or part.proven is None or not isinstance(candidate.profile, VectorProfile):
            return False
        ours = await ledger.published_columns(connection, candidate.version.dataset)
        await refuse_altered(connection, table, ours)
        await connection.execute(f"LOCK TABLE {quoted_table(table)} IN ACCESS SHARE MODE")
        await readers.refuse_strangers(connection, table)
        await readers.close_parts(connection, table)
        # Nobody may read a part by name now; the second fence can wait for the next run.
        with contextlib.suppress(*LOCKED_OUT):
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '250ms'")
                await readers.secure_parts(connection, table)
        await ledger.recognise(connection, table, None)
        layout = await asyncio.to_thread(
            layout_of,
            candidate.path,
            candidate.profile,
            candidate.key,
            table,
            candidate.geometry,
        )
        await verify.refuse_changed(connection, table, candidate.version, part, layout)
        return True

    async def promote(
        self, publication: Publication, ask: Callable[[], Awaitable[Verdict]]
    ) -> None:
        """Makes readers see the candidate; all of it in one transaction, or nothing.

        Args:
            publication: publication to record.
            ask: the gate, asked when the rows are there and proven; raises when it is closed.

        Raises:
            StoreError: the table cannot take the rows, or holds others than the staged file.

        """
        connection, candidate = self._connection, self._candidate
        async with connection.transaction():
            # The file's pointer follows this commit, so that a crash of the server may not lose it.
            await connection.execute("SET LOCAL synchronous_commit = on")
            part = None
            if candidate.table is not None:
                part, proven, written = await self._prepared(candidate, candidate.table)
            verdict = await ask()
            await ledger.record(
                connection, candidate.version, publication, candidate.profile, verdict
            )
            if isinstance(candidate.profile, RasterProfile):
                await ledger.record_raster(
                    connection, candidate.version, str(candidate.path), candidate.profile
                )
            if part is not None and candidate.table is not None:
                await self._exchanged(candidate, candidate.table, part, proven, written)
        await sweep(connection, candidate.version)
        if candidate.table is not None:
            await self._seen(candidate.table)
            for old in await ledger.left_behind(connection, candidate.version, candidate.table):
                logger.warning(
                    "%s goes to %s now; %s keeps what was published to it before, see the section"
                    " on another table in docs/postgis.md",
                    candidate.version.dataset,
                    candidate.table,
                    old,
                )

    async def _seen(self, table: TableName) -> None:
        """published_matches_staged once more, through the name that readers use.

        Raises:
            StoreError: they see something else already.

        """
        if not await self.shows():
            msg = f"{table} was changed by hand at the moment of its publication: publish again"
            raise StoreError(msg)
        # Nobody else analyzes a table without rows of its own, and its parts are not asked for it.
        await self._connection.execute(f"ANALYZE (SKIP_LOCKED) {quoted_table(table)}")

    async def _prepared(
        self, candidate: Candidate, table: TableName
    ) -> tuple[parts.TablePart, Digest, proof.RowOrigin | None]:
        """The part with the candidate's rows, what they are proven to hold, and their origin.

        It is a new one, or the one that was kept, whose origin is known.
        """
        connection = self._connection
        profile = candidate.profile
        if candidate.data is None or not isinstance(profile, VectorProfile):
            msg = f"{candidate.version} has no features to write to {table}"
            raise StoreError(msg)
        dataset = candidate.version.dataset
        await ledger.refuse_foreign(connection, table, dataset)
        # Asked again when the table is locked; a table that is refused should not cost a COPY.
        await refuse_altered(connection, table, await ledger.published_columns(connection, dataset))
        postgis = await find_postgis(connection, self._address.patience_s)
        layout = await asyncio.to_thread(
            layout_of, candidate.path, profile, candidate.key, table, candidate.geometry
        )
        name = parts.part_name(table, candidate.version, layout.asked)
        async with self._reading(table):
            await verify.refuse_loss(connection, postgis, table, candidate.version, name)
        sent = Sent()
        written = None
        version, part = candidate.version, None
        if await is_held(connection, name):
            part = await parts.kept_part(connection, postgis, table, version, layout)
        if part is not None:
            async with contextlib.aclosing(rows(candidate.data, part, sent)) as stream:
                async for _chunk in stream:
                    pass
        else:
            part = await parts.new_part(connection, postgis, table, version, layout)
            async with contextlib.aclosing(rows(candidate.data, part, sent)) as stream:
                await parts.fill(connection, part, stream)
            await parts.finish(connection, part, marker(version, table))
            written = await proof.written_now(connection, name)
        if sent.promoted:
            logger.warning(
                "%s: %d of %d geometries are promoted to Multi types in %s",
                candidate.version,
                sent.promoted,
                sent.digest.count,
                table,
            )
        await self._matched(candidate, postgis, part, sent.digest, kept=written is None)
        if written is None:
            await verify.refuse_srids(connection, postgis, part, quoted_table(name))
        return part, sent.digest, written

    async def _matched(
        self,
        candidate: Candidate,
        postgis: PostGIS,
        part: parts.TablePart,
        sent: Digest,
        *,
        kept: bool,
    ) -> None:
        """published_matches_staged: the rows that the server holds are the staged ones."""
        stored = await parts.digest_of(self._connection, postgis, part)
        staged = candidate.profile.count
        if sent.count != staged or stored != sent:
            differing = [
                name
                for name, here, there in (
                    ("count", staged, stored.count),
                    ("attributes", sent.attributes, stored.attributes),
                    ("geometry", sent.geometry, stored.geometry),
                )
                if here != there
            ]
            msg = (
                f"published_matches_staged failed for {candidate.version}: {part.name} differs in"
                f" {', '.join(differing) or 'count'} ({stored.count} rows of {staged})"
            )
            if kept:
                msg += (
                    "; it was kept from an earlier publication and changed by hand: copy what you"
                    f" need from it, DROP TABLE {quoted_table(part.name)}, and publish again"
                )
            raise StoreError(msg)

    async def _exchanged(
        self,
        candidate: Candidate,
        table: TableName,
        part: parts.TablePart,
        proven: Digest,
        written: proof.RowOrigin | None,
    ) -> None:
        """Exchanges the parts as soon as no reader is in the way; asks for the lock in short waits.

        Readers that come while we wait for the lock wait behind us, so no wait is long.
        """
        connection, address = self._connection, self._address
        version = candidate.version
        wait_ms = int(address.lock_timeout_s * 1000)
        await connection.execute(f"SET LOCAL lock_timeout = {wait_ms}")
        pause = address.lock_timeout_s / 4
        key = f"spatial_pipeline table {quoted_table(table)}"
        began, silent = time.monotonic(), True
        for attempt in range(address.lock_attempts):
            try:
                async with connection.transaction():
                    await connection.execute(
                        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", key
                    )
                    await ledger.claim(connection, table, version.dataset)
                    current = await self._current(version, table, part)
                    await ledger.record_part(connection, version, table, part.name, proven, written)
                    ours = await ledger.published_columns(connection, version.dataset)
                    await replace_dropped(connection, table)
                    kept = await owner_comment(connection, table)
                    comment = None if kept else candidate.comment
                    await tables.exchange(connection, table, part, current, comment, ours)
                    await comment_columns(connection, table, part.name, current, candidate.columns)
                    await ledger.recognise(connection, table, comment)
                return
            except LOCKED_OUT as exc:
                whose = await holders(connection, key, table=quoted_table(table))
                if attempt + 1 == address.lock_attempts:
                    msg = (
                        f"{table} could not be exchanged: {whose} holds it longer than"
                        f" {address.lock_attempts} waits of {address.lock_timeout_s:g} s: end that"
                        " session, then publish again"
                    )
                    raise StoreError(msg) from exc
                waited = time.monotonic() - began
                if silent and waited >= locks.SAY_AFTER_S:
                    logger.warning("waiting since %.0f s: %s is held by %s", waited, table, whose)
                    silent = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _current(
        self, version: Version, table: TableName, part: parts.TablePart
    ) -> TableName | None:
        """The attached part of the same partition."""
        for known in await ledger.parts(self._connection, version, table):
            if known.name != part.name and await relations.is_attached(
                self._connection, table, known.name
            ):
                return known.name
        return None


@contextlib.asynccontextmanager
async def publishing(database: Database, candidate: Candidate) -> AsyncIterator[Publisher]:
    """Lends a publisher of a partition; others wait until it is given back.

    The lock is the session's: it goes when the session goes, so what a dead process held is free,
    and whoever holds it is alive.

    Raises:
        StoreError: the database cannot be reached, refuses, or goes away meanwhile.

    """
    version = candidate.version
    async with database.connection() as connection:
        key = f"spatial_pipeline publish {version.dataset} {version.partition!r}"
        await lock_session(connection, key, f"publishing {version.dataset}", database.address)
        try:
            await adopt(connection, version)
            await sweep(connection, version)
            yield Publisher(connection, database.address, candidate)
        finally:
            # Giving the connection back unlocks too; this frees the next one a moment earlier.
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", key)
