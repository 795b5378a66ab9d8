"""Verification of a published table against the proven version, and the resulting refusals."""

from __future__ import annotations

from dataclasses import replace

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.postgis import ledger, parts, proof, relations
from spatial_pipeline.publish.postgis.extension import PostGIS, find_postgis, find_srid
from spatial_pipeline.publish.postgis.identifiers import quoted_column, quoted_table
from spatial_pipeline.publish.postgis.layout import TableLayout
from spatial_pipeline.publish.postgis.ownership import is_held


async def refuse_changed(
    connection: asyncpg.Connection,
    table: TableName,
    version: Version,
    part: ledger.KnownPart,
    layout: TableLayout,
) -> None:
    """published_matches_staged of rows that readers see already, read as they read them.

    Where the values had to be read, the origin of the rows is remembered, so that the next run
    need not read them again: after a restore, for one.

    Args:
        connection: to the server.
        table: the published table.
        version: version that it should show.
        part: holds the version, and is attached.
        layout: columns of the version.

    Raises:
        StoreError: the rows are not those that were proven.

    """
    missing = set(layout.columns) - set(await relations.columns_of(connection, table))
    if missing:
        msg = (
            f"{table}: column {min(missing)!r} was dropped by hand: DROP TABLE"
            f" {quoted_table(part.name)} and publish again"
        )
        raise StoreError(msg)
    proven = part.proven
    source = await proof.source_of(connection, table, part.name)
    if proven is None or (
        part.written is not None
        and await proof.is_untouched(connection, source, layout, part.written, proven.count)
    ):
        return
    postgis = await find_postgis(connection)
    srid = await find_srid(connection, postgis, layout)
    read = parts.TablePart(part.name, layout, srid)
    origin = await proof.origin_of(connection, part.name)
    stored = await parts.digest_of(connection, postgis, read, source)
    await refuse_srids(connection, postgis, read, source)
    if stored == proven:
        await ledger.remember_origin(connection, part.name, origin)
    if stored != proven:
        msg = (
            f"{table}: rows of {version} were changed by hand since they were published"
            f" ({stored.count} rows of {proven.count}): DROP TABLE {quoted_table(part.name)} and"
            " publish again"
        )
        raise StoreError(msg)


async def refuse_loss(
    connection: asyncpg.Connection,
    postgis: PostGIS,
    table: TableName,
    version: Version,
    name: TableName,
) -> None:
    """Refuses to replace a part to which rows were added by hand, and which would be dropped.

    Args:
        connection: to the server.
        postgis: its extension.
        table: the published table.
        version: version to publish.
        name: its part, which may be there from an earlier publication.

    Raises:
        StoreError: there are such rows.

    """
    for former in await ledger.parts(connection, version, table):
        if former.written is None or former.proven is None:
            continue
        if not (former.name == name or await relations.is_attached(connection, table, former.name)):
            continue
        if not await is_held(connection, former.name):
            continue
        written = former.written.transaction
        strange = await proof.rows_of_others(connection, former.name, written)
        held = replace(version, id=former.version)
        layout = await proof.recorded_layout(connection, held)
        if not strange or layout is None:
            continue
        read = parts.TablePart(former.name, layout, 0)
        if await parts.digest_of(connection, postgis, read) != former.proven:
            msg = (
                f"{table}: {strange} rows of {held} were inserted or changed by hand since they"
                " were published, and would be lost: copy what you need from it,"
                f" DROP TABLE {quoted_table(former.name)}, and publish again"
            )
            raise StoreError(msg)


async def refuse_srids(
    connection: asyncpg.Connection, postgis: PostGIS, part: parts.TablePart, source: str
) -> None:
    """Refuses geometries in another CRS than the part was filled with; no digest contains it.

    Raises:
        StoreError: there are some.

    """
    if part.layout.geometry is None:
        return
    column = quoted_column(part.layout.geometry)
    strange = await connection.fetchval(
        f"SELECT count(*) FROM {source} WHERE {postgis.schema}.ST_SRID({column}) <> $1::int",
        part.srid,
    )
    if strange:
        msg = (
            f"{part.name}: {strange} geometries were given another SRID than {part.srid} by hand:"
            f" DROP TABLE {quoted_table(part.name)} and publish again"
        )
        raise StoreError(msg)
