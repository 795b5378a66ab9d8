"""Parts of published tables: created, filled by binary COPY, indexed, their rows summed up.

How readers come to see a part belongs to ``tables``; which parts there are, to ``ledger``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg

from spatial_pipeline.contract.geometry_type import GeometryType
from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.postgis.binary import Digest, digest_sql
from spatial_pipeline.publish.postgis.extension import PostGIS, find_srid
from spatial_pipeline.publish.postgis.geometry_column import takes_multi
from spatial_pipeline.publish.postgis.identifiers import quoted_column, quoted_table, shortened
from spatial_pipeline.publish.postgis.layout import TableLayout
from spatial_pipeline.publish.postgis.modifiers import present_column, srid_check
from spatial_pipeline.publish.postgis.relations import set_comment
from spatial_pipeline.runtime.hashing import fingerprint


def part_name(table: TableName, version: Version, asked: str = "") -> TableName:
    """Name of the part that holds a version: short enough, and its own.

    Args:
        table: the table that readers name.
        version: version in the part.
        asked: column settings of the contract (:attr:`Layout.asked`).

    """
    of = (table.schema, table.table, version.dataset, version.partition, version.id)
    mark = fingerprint(*of, asked) if asked else fingerprint(*of)
    return TableName(table.schema, f"{shortened(table.table, 40)}__{mark}")


@dataclass(frozen=True)
class TablePart:
    """A part of a table.

    Attributes:
        name: its name.
        layout: its columns.
        srid: SRID of its geometries.
        multi: True when single geometries are promoted for its column.

    """

    name: TableName
    layout: TableLayout
    srid: int
    multi: bool = False


async def new_part(
    connection: asyncpg.Connection,
    postgis: PostGIS,
    table: TableName,
    version: Version,
    layout: TableLayout,
) -> TablePart:
    """Creates the empty part of a version; must be in the transaction that fills it."""
    srid = await find_srid(connection, postgis, layout)
    kind = await column_for(connection, postgis, table, version, layout, srid)
    name = part_name(table, version, layout.asked)
    part = TablePart(name, layout, srid, takes_multi(kind))
    kinds = [*(t.sql for t in layout.types), postgis.column(kind, srid)]
    columns = [
        f"{quoted_column(name)} {kind}{' NOT NULL' if name in layout.required else ''}"
        for name, kind in zip(layout.columns, kinds, strict=False)
    ]
    if layout.geometry is not None and kind is None and srid:
        columns.append(srid_check(postgis.schema, layout.geometry, srid))
    try:
        await connection.execute(f"CREATE TABLE {quoted_table(part.name)} ({', '.join(columns)})")
    except asyncpg.InvalidSchemaNameError as exc:
        msg = f"{table}: there is no schema {table.schema!r} in the database"
        raise StoreError(msg) from exc
    except asyncpg.DuplicateTableError as exc:
        msg = (
            f"{table}: {part.name} exists, and no publication made it: rename or drop it"
            f" (DROP TABLE {quoted_table(part.name)})"
        )
        raise StoreError(msg) from exc
    return part


async def kept_part(
    connection: asyncpg.Connection,
    postgis: PostGIS,
    table: TableName,
    version: Version,
    layout: TableLayout,
) -> TablePart | None:
    """The part of a version that was kept, None when its geometry column fits the table no more.

    Such a part is dropped, so that the rows can be written again under its name.

    Raises:
        StoreError: readers hold the part that is dropped.

    """
    srid = await find_srid(connection, postgis, layout)
    kind = await column_for(connection, postgis, table, version, layout, srid)
    part = TablePart(part_name(table, version, layout.asked), layout, srid, takes_multi(kind))
    if layout.geometry is None:
        return part
    column = (postgis.schema, part.name, layout.geometry, version)
    present = await present_column(connection, *column)
    if present is not None and (present.type, present.srid) == (kind, srid):
        return part
    try:
        await connection.execute(f"DROP TABLE {quoted_table(part.name)}")
    except (asyncpg.LockNotAvailableError, asyncpg.DependentObjectsStillExistError) as exc:
        msg = f"{part.name} holds another geometry type and cannot be dropped: {exc}"
        raise StoreError(msg) from exc
    return None


async def column_for(
    connection: asyncpg.Connection,
    postgis: PostGIS,
    table: TableName,
    version: Version,
    layout: TableLayout,
    srid: int,
) -> GeometryType | None:
    """Type of the geometry column of a part; None for one without type modifier."""
    if layout.geometry is None:
        return None
    present = await present_column(connection, postgis.schema, table, layout.geometry, version)
    return layout.wanted.fitting(present, srid, shared=version.partition is not None)


async def fill(
    connection: asyncpg.Connection, part: TablePart, stream: AsyncIterator[bytes]
) -> None:
    """Fills a part by one binary COPY.

    Raises:
        StoreError: a row is not what its column takes.

    """
    try:
        await connection.copy_to_table(
            part.name.table,
            schema_name=part.name.schema,
            source=stream,
            columns=list(part.layout.columns),
            format="binary",
            freeze=True,
        )
    except (
        asyncpg.DataError,
        asyncpg.InternalServerError,
        asyncpg.NotNullViolationError,
    ) as exc:
        where = f" ({exc.context})" if getattr(exc, "context", None) else ""
        msg = f"{part.name} cannot take a row: {exc}{where}"
        raise StoreError(msg) from exc


async def finish(connection: asyncpg.Connection, part: TablePart, comment: str) -> None:
    """Indexes, key, statistics and comment of a filled part.

    Raises:
        StoreError: the key does not identify the rows.

    """
    name, layout = quoted_table(part.name), part.layout
    if layout.geometry is not None:
        column = quoted_column(layout.geometry)
        await connection.execute(f"CREATE INDEX ON {name} USING gist ({column})")
    if layout.key:
        key = ", ".join(quoted_column(k) for k in layout.key)
        nulls = " OR ".join(f"{quoted_column(k)} IS NULL" for k in layout.key)
        has_nulls = await connection.fetchval(f"SELECT EXISTS (SELECT FROM {name} WHERE {nulls})")
        kind = "UNIQUE" if has_nulls else "PRIMARY KEY"
        try:
            await connection.execute(f"ALTER TABLE {name} ADD {kind} ({key})")
        except asyncpg.UniqueViolationError as exc:
            msg = f"{part.name}: the key does not identify the rows: {exc.detail or exc}"
            raise StoreError(msg) from exc
    await set_comment(connection, part.name, comment)
    await connection.execute(f"ANALYZE {name}")


async def digest_of(
    connection: asyncpg.Connection, postgis: PostGIS, part: TablePart, source: str | None = None
) -> Digest:
    """Digest of the rows of a part, computed by the server from what it stored.

    Args:
        connection: to the server.
        postgis: its extension.
        part: the part.
        source: quoted relation from which the rows are read, the part itself unless given.

    Raises:
        StoreError: a column is missing.

    """
    layout = part.layout
    geometry = None if layout.geometry is None else quoted_column(layout.geometry)
    expressions = digest_sql([quoted_column(n) for n in layout.names], geometry, postgis.as_binary)
    source = source or quoted_table(part.name)
    try:
        row = await connection.fetchrow(f"SELECT {expressions} FROM {source}")
    except (asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError) as exc:
        msg = (
            f"{source}: a column was renamed, dropped or retyped by hand ({exc}): change it back,"
            f" or DROP TABLE {quoted_table(part.name)} and publish again"
        )
        raise StoreError(msg) from exc
    return Digest(*(int(value) for value in row or ()))
