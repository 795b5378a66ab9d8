"""Deletion of parts and records of obsolete versions from the database.

Files are pruned first, by ``store/prune.py``; here the parts and the records of versions that are
gone follow. Tables that readers see, and rows written by hand, stay.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.postgis.identifiers import quoted_table
from spatial_pipeline.publish.postgis.ownership import adopt, is_held
from spatial_pipeline.publish.postgis.proof import rows_of_others

logger = logging.getLogger("spatial_pipeline")
_OF = "dataset = $1 AND partition IS NOT DISTINCT FROM $2"
STAYS = (
    asyncpg.LockNotAvailableError,
    asyncpg.DependentObjectsStillExistError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedTableError,
)
"""Reasons of the server to leave an obsolete part where it is until the next run."""


@dataclass(frozen=True)
class PrunedTables:
    """Result for one partition.

    Attributes:
        parts: names of the parts that were dropped, or would be.
        size: their bytes, indexes and TOAST included.
        records: number of records of versions.
        stays: names of parts that hold rows of others, or that somebody reads.

    """

    parts: tuple[str, ...] = ()
    size: int = 0
    records: int = 0
    stays: tuple[str, ...] = ()


@contextlib.asynccontextmanager
async def nobody_publishes(
    connection: asyncpg.Connection, dataset: str, partition: str | None
) -> AsyncIterator[bool]:
    """True while nobody publishes the partition and none can begin; False when somebody does."""
    key = f"spatial_pipeline publish {dataset} {partition!r}"
    if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", key):
        yield False
        return
    try:
        yield True
    finally:
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", key)


async def prune_tables(
    connection: asyncpg.Connection,
    dataset: str,
    partition: str | None,
    kept: Sequence[str],
    *,
    dry_run: bool = False,
) -> PrunedTables:
    """Drops parts and records of versions that are not kept; nobody publishes meanwhile.

    Args:
        connection: to the server.
        dataset: name of the dataset.
        partition: partition key or None.
        kept: ids of the versions that stay.
        dry_run: only say what would be dropped.

    """
    if not dry_run:
        # After a restore parts have other oids; they would not be recognised as ours.
        await adopt(connection, Version(dataset, partition, "-"))
    where = f"{_OF} AND (state = 'obsolete' OR state = 'previous' AND version <> ALL ($3::text[]))"
    rows = await connection.fetch(
        "SELECT part_schema, part_name, coalesce(pg_total_relation_size(relation), 0) AS size"
        f" FROM spatial_pipeline.parts WHERE {where} ORDER BY 1, 2",
        dataset,
        partition,
        list(kept),
    )
    sizes = {quoted_table(TableName(r[0], r[1])): int(r[2]) for r in rows}
    left: set[str] = set()
    if sizes and not dry_run:
        await connection.execute(
            f"UPDATE spatial_pipeline.parts SET state = 'obsolete' WHERE {where}",
            dataset,
            partition,
            list(kept),
        )
        await sweep(connection, Version(dataset, partition, "-"))
        left = await _parts(connection, dataset, partition)
    dropped = {name: size for name, size in sizes.items() if name not in left}
    records = await _records(connection, dataset, partition, kept)
    if records and not dry_run:
        await connection.execute(
            f"DELETE FROM spatial_pipeline.versions WHERE {_OF} AND version = ANY ($3::text[])",
            dataset,
            partition,
            records,
        )
    stays = tuple(n for n in sizes if n in left)
    return PrunedTables(tuple(dropped), sum(dropped.values()), len(records), stays)


async def sweep(connection: asyncpg.Connection, version: Version) -> None:
    """Drops obsolete parts of a partition; those that somebody reads wait for the next run.

    What is not the part that was filled, and a part with rows of others, stays.
    """
    names = await connection.fetch(
        "SELECT part_schema, part_name, relation, written FROM spatial_pipeline.parts"
        f" WHERE {_OF} AND state = 'obsolete'",
        version.dataset,
        version.partition,
    )
    for row in names:
        name = TableName(row["part_schema"], row["part_name"])
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '250ms'")
                if await is_held(connection, name):
                    await connection.execute(
                        f"LOCK TABLE {quoted_table(name)} IN ACCESS EXCLUSIVE MODE"
                    )
                    strange = await rows_of_others(connection, name, row["written"])
                    if strange:
                        logger.warning(
                            "%s is not needed any more, and holds %d rows that were written by"
                            " hand: move them, and DROP TABLE %s",
                            name,
                            strange,
                            quoted_table(name),
                        )
                        continue
                    if await is_held(connection, name):
                        await connection.execute(f"DROP TABLE {quoted_table(name)}")
                await connection.execute(
                    "DELETE FROM spatial_pipeline.parts WHERE part_schema = $1 AND part_name = $2",
                    name.schema,
                    name.table,
                )
        except STAYS as exc:
            logger.info("%s stays for now: %s", name, exc)


async def _parts(connection: asyncpg.Connection, dataset: str, partition: str | None) -> set[str]:
    rows = await connection.fetch(
        f"SELECT part_schema, part_name FROM spatial_pipeline.parts WHERE {_OF}", dataset, partition
    )
    return {quoted_table(TableName(r[0], r[1])) for r in rows}


async def _records(
    connection: asyncpg.Connection, dataset: str, partition: str | None, kept: Sequence[str]
) -> list[str]:
    """Versions whose record may go.

    The record of a version with a part stays: its rows are compared by it. So does one that alone
    says that a column of the table is ours.
    """
    rows: list[Any] = await connection.fetch(
        "SELECT v.version, v.partition IS NOT DISTINCT FROM $2 AND v.version <> ALL ($3::text[])"
        " AND NOT EXISTS (SELECT FROM spatial_pipeline.parts p WHERE p.dataset = v.dataset"
        " AND p.partition IS NOT DISTINCT FROM v.partition AND p.version = v.version)"
        " AND NOT EXISTS (SELECT FROM spatial_pipeline.publications p WHERE p.dataset = v.dataset"
        " AND p.partition IS NOT DISTINCT FROM v.partition AND p.version = v.version) AS may_go,"
        " ARRAY(SELECT c.value ->> 'name' FROM jsonb_array_elements(v.profile -> 'columns') c)"
        " || ARRAY(SELECT v.profile ->> 'geometry_column') AS names"
        " FROM spatial_pipeline.versions v WHERE v.dataset = $1 ORDER BY 2, v.recorded_at DESC",
        dataset,
        partition,
        list(kept),
    )
    known: set[str | None] = {None}
    found = []
    for row in rows:  # those that stay come first
        names = set(row["names"])
        if row["may_go"] and names <= known:
            found.append(row["version"])
        known |= names
    return found
