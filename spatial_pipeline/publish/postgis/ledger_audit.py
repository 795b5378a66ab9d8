"""Comparison of the ledger with the tables and the pointers of files; changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.publish.postgis import ledger, parts, proof, readers, relations
from spatial_pipeline.publish.postgis.extension import find_postgis
from spatial_pipeline.publish.postgis.identifiers import quoted_table
from spatial_pipeline.publish.postgis.ownership import adopt, is_held, refuse_altered
from spatial_pipeline.store.verify import Defect

OnFile = Callable[[str, str | None], Publication | None]
"""The publication of a partition in the store of files; None when there is none."""


async def verify_ledger(connection: asyncpg.Connection, on_file: OnFile) -> list[Defect]:
    """Defects of everything that was published to a database.

    Args:
        connection: to the server.
        on_file: reads the pointer in the store.

    """
    found: list[Defect] = []
    rows = await connection.fetch(
        "SELECT dataset, partition FROM spatial_pipeline.publications ORDER BY 1, 2"
    )
    for row in rows:
        place = (row["dataset"], row["partition"])
        publication = await ledger.published(connection, *place)
        if publication is None:
            continue
        found += _pointers(place, publication, on_file(*place))
        found += await _raster(connection, place, publication)
    rows = await connection.fetch(
        "SELECT dataset, partition, version, part_schema, part_name, table_name"
        " FROM spatial_pipeline.parts WHERE state = 'current' ORDER BY 1, 2, 3"
    )
    for row in rows:
        version = Version(row["dataset"], row["partition"], row["version"])
        table = TableName(row["part_schema"], row["table_name"])
        name = TableName(row["part_schema"], row["part_name"])
        for look in (_owned, _shown, _proven):
            problem = await _problem(connection, look, version, table, name)
            if problem:
                remedy = f"{problem[1]}, then spatial-pipeline run {version.dataset}"
                found.append(
                    Defect(version.dataset, version.partition, version.id, problem[0], remedy)
                )
                break
    return found


Look = Callable[
    [asyncpg.Connection, Version, TableName, TableName], Awaitable[tuple[str, str] | None]
]


async def _problem(
    connection: asyncpg.Connection, look: Look, version: Version, table: TableName, name: TableName
) -> tuple[str, str] | None:
    transaction = connection.transaction()
    await transaction.start()
    try:
        # As the next publication sees it, which finds parts again after a restore.
        await adopt(connection, version)
        return await look(connection, version, table, name)
    except StoreError as exc:
        return str(exc), "do what it says"
    except asyncpg.InsufficientPrivilegeError as exc:
        return f"{table} cannot be read: {exc}", f"GRANT SELECT ON {quoted_table(table)}"
    finally:
        # Nothing was changed.
        await transaction.rollback()


async def _owned(
    connection: asyncpg.Connection, version: Version, table: TableName, name: TableName
) -> tuple[str, str] | None:
    if not await is_held(connection, name):
        gone = f"its part {name} was dropped or replaced by hand: readers of {table} miss its rows"
        return gone, "leave it as it is"
    await ledger.refuse_foreign(connection, table, version.dataset)
    return None


async def _shown(
    connection: asyncpg.Connection, version: Version, table: TableName, name: TableName
) -> tuple[str, str] | None:
    if not await relations.is_attached(connection, table, name):
        text = f"its part {name} is not attached to {table}: readers miss its rows"
        return text, f"DROP TABLE {quoted_table(name)}"
    columns = await ledger.published_columns(connection, version.dataset)
    await refuse_altered(connection, table, columns)
    await readers.refuse_strangers(connection, table)
    return None


async def _proven(
    connection: asyncpg.Connection, version: Version, table: TableName, name: TableName
) -> tuple[str, str] | None:
    known = await ledger.parts(connection, version, table)
    part = next((p for p in known if p.name == name), None)
    layout = await proof.recorded_layout(connection, version)
    if part is None or part.proven is None or layout is None:
        return "the ledger has no proof of its rows", "publish it again"
    source = await proof.source_of(connection, table, name)
    count = part.proven.count
    if part.written is not None and await proof.is_untouched(
        connection, source, layout, part.written, count
    ):
        return None
    postgis = await find_postgis(connection)
    stored = await parts.digest_of(connection, postgis, parts.TablePart(name, layout, 0), source)
    if stored == part.proven:
        return None
    text = f"rows of {table} were changed by hand: {stored.count} rows of {count} proven ones"
    return text, f"DROP TABLE {quoted_table(name)}"


def _pointers(
    place: tuple[str, str | None], publication: Publication, on_file: Publication | None
) -> list[Defect]:
    """Readers of files and of tables see the same version, but while a publication goes on."""
    if on_file is not None and on_file.version == publication.version:
        return []
    file = "nothing" if on_file is None else on_file.version
    text = f"readers of the database see {publication.version}, readers of files {file}"
    remedy = f"spatial-pipeline run {place[0]}: the later one counts"
    return [Defect(*place, publication.version, text, remedy)]


async def _raster(
    connection: asyncpg.Connection, place: tuple[str, str | None], publication: Publication
) -> list[Defect]:
    row = await connection.fetchrow(
        "SELECT version, href FROM spatial_pipeline.rasters"
        " WHERE dataset = $1 AND partition IS NOT DISTINCT FROM $2",
        *place,
    )
    if row is None:
        return []
    there = await asyncio.to_thread(Path(row["href"]).exists)
    if there and row["version"] == publication.version:
        return []
    text = f"spatial_pipeline.rasters names {row['href']} of {row['version']}, which is not there"
    return [Defect(*place, publication.version, text, f"spatial-pipeline run {place[0]}")]
