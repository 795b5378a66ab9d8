"""Published tables: parts are filled unseen, proven, then exchanged in one transaction.

A published table is an empty parent that never changes its identity, so that views, grants and
whatever else refers to it stay. Its rows are in parts, ordinary tables that inherit from it: one
for each partition of the dataset. Publishing fills a new part and exchanges it for the former one.

The rows of a part are frozen (``COPY FREEZE``): they count as older than every snapshot. So a
transaction in repeatable read that began before the exchange and comes to the table after it finds
a whole version too, where it would find an empty table with ordinary rows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Set
from dataclasses import dataclass

import asyncpg

from spatial_pipeline.contract.geometry_type import GeometryType
from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.postgis.binary import Digest, digest_sql
from spatial_pipeline.publish.postgis.geometry_column import takes_multi
from spatial_pipeline.publish.postgis.identifiers import (
    quoted,
    quoted_column,
    quoted_table,
    shortened,
)
from spatial_pipeline.publish.postgis.layout import TableLayout
from spatial_pipeline.publish.postgis.modifiers import (
    conform_nulls,
    conform_srid,
    present_column,
    srid_check,
)
from spatial_pipeline.publish.postgis.ownership import added_by_hand, refuse_altered
from spatial_pipeline.publish.postgis.readers import close_parts, refuse_strangers, secure_parts
from spatial_pipeline.publish.postgis.replication import replicate
from spatial_pipeline.publish.postgis.srids import srid_of
from spatial_pipeline.runtime.hashing import fingerprint
from spatial_pipeline.store.locks import TIMEOUT_S


@dataclass(frozen=True, slots=True)
class PostGIS:
    """Names of the PostGIS extension that statements use.

    Attributes:
        schema: quoted schema of the extension.
        patience_s: longest wait for another session that adds a CRS.

    """

    schema: str
    patience_s: float = TIMEOUT_S

    @property
    def as_binary(self) -> str:
        """``ST_AsBinary``."""
        return f"{self.schema}.ST_AsBinary"

    def column(self, geometry_type: object | None, srid: int) -> str:
        """Type of a geometry column with its modifier."""
        if geometry_type is None:
            return f"{self.schema}.geometry"
        return f"{self.schema}.geometry({geometry_type},{srid})"


async def find_postgis(connection: asyncpg.Connection, patience_s: float = TIMEOUT_S) -> PostGIS:
    """The extension of this database.

    Args:
        connection: to the database.
        patience_s: see :class:`PostGIS`.

    Raises:
        StoreError: it is not there.

    """
    schema = await connection.fetchval(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'postgis'"
    )
    if schema is None:
        msg = "the database has no PostGIS: run CREATE EXTENSION postgis in it"
        raise StoreError(msg)
    return PostGIS(quoted(schema), patience_s)


async def find_srid(connection: asyncpg.Connection, postgis: PostGIS, layout: TableLayout) -> int:
    """SRID of the layout's CRS; see :func:`srids.srid_of`."""
    systems = f"{postgis.schema}.spatial_ref_sys"
    return await srid_of(connection, systems, layout.crs, layout.srid, postgis.patience_s)


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


async def exchange(
    connection: asyncpg.Connection,
    table: TableName,
    part: TablePart,
    former: TableName | None,
    comment: str | None,
    ours: Set[str],
) -> None:
    """Makes readers of the table see this part instead of the former one of the same partition.

    Must be the last of a transaction: from here on readers wait for its end.

    Args:
        connection: in a transaction.
        table: the table that readers name.
        part: holds the rows, proven.
        former: part of the same partition that is attached now.
        comment: of the table; None leaves the one it has.
        ours: columns that were published before; others were added by hand.

    Raises:
        asyncpg.LockNotAvailableError: readers hold the table; the caller may try again.
        StoreError: the columns of the table cannot become those of the part, or readers would see
            rows that nobody proved.

    """
    parent, child = quoted_table(table), quoted_table(part.name)
    await connection.execute(f"CREATE TABLE IF NOT EXISTS {parent} ()")
    await connection.execute(f"LOCK TABLE {parent} IN ACCESS EXCLUSIVE MODE")
    await refuse_altered(connection, table, ours)
    if former is not None:
        await connection.execute(f"ALTER TABLE {quoted_table(former)} NO INHERIT {parent}")
    await _conform(connection, table, part, ours)
    await conform_nulls(connection, table, part.name, part.layout.required)
    if part.layout.geometry is not None:
        postgis = await find_postgis(connection)
        await conform_srid(connection, postgis.schema, table, part.name, part.layout.geometry)
    if not await is_attached(connection, table, part.name):
        try:
            await connection.execute(f"ALTER TABLE {child} INHERIT {parent}")
        except (asyncpg.DatatypeMismatchError, asyncpg.WrongObjectTypeError) as exc:
            msg = (
                f"{table}: a constraint or a property of a column was added by hand, which the"
                f" published rows do not have: {exc}; drop it from {parent}"
            )
            raise StoreError(msg) from exc
    await refuse_strangers(connection, table)
    await close_parts(connection, table)
    await secure_parts(connection, table)
    await replicate(connection, table, part.name)
    if comment is not None:
        await set_comment(connection, table, comment)


async def is_attached(connection: asyncpg.Connection, table: TableName, part: TableName) -> bool:
    """True when the part's rows are read through the table."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_inherits"
            " WHERE inhparent = to_regclass($1) AND inhrelid = to_regclass($2))",
            quoted_table(table),
            quoted_table(part),
        )
    )


async def relation_kind(connection: asyncpg.Connection, table: TableName) -> str | None:
    """PostgreSQL's ``relkind`` of a name, None when it is free."""
    kind = await connection.fetchval(
        "SELECT relkind FROM pg_class WHERE oid = to_regclass($1)", quoted_table(table)
    )
    return None if kind is None else kind.decode()


async def columns_of(connection: asyncpg.Connection, table: TableName) -> dict[str, str]:
    """Name → type of the columns of a table; empty when there is none."""
    rows = await connection.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
        " WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        quoted_table(table),
    )
    return {row["attname"]: row["type"] for row in rows}


async def set_comment(connection: asyncpg.Connection, table: TableName, comment: str) -> None:
    """Sets the comment of a table; the server quotes the text."""
    statement = await connection.fetchval(
        "SELECT format('COMMENT ON TABLE %s IS %L', $1::text, $2::text)",
        quoted_table(table),
        comment.replace("\0", ""),
    )
    await connection.execute(statement)


async def _conform(
    connection: asyncpg.Connection, table: TableName, part: TablePart, ours: Set[str]
) -> None:
    """Gives the parent the columns of the part; where other parts forbid it, the part yields."""
    parent, child = quoted_table(table), quoted_table(part.name)
    wanted = await columns_of(connection, part.name)
    present = await columns_of(connection, table)
    others = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass($1))", parent
    )
    try:
        for name, kind in wanted.items():
            if name not in present:
                await connection.execute(f"ALTER TABLE {parent} ADD {quoted_column(name)} {kind}")
            elif present[name] != kind:
                if others:
                    msg = (
                        f"{table}: column {name!r} is {present[name]} in the other partitions and"
                        f" {kind} in this one{_way_out(part, name)}"
                    )
                    raise StoreError(msg)
                await connection.execute(
                    f"ALTER TABLE {parent} ALTER {quoted_column(name)} TYPE {kind} USING NULL"
                )
        for name, kind in present.items():
            if name in wanted:
                continue
            if name not in ours:
                raise StoreError(added_by_hand(table, name))
            if others:
                await connection.execute(f"ALTER TABLE {child} ADD {quoted_column(name)} {kind}")
            else:
                await connection.execute(f"ALTER TABLE {parent} DROP {quoted_column(name)}")
    except (asyncpg.DependentObjectsStillExistError, asyncpg.FeatureNotSupportedError) as exc:
        msg = f"{table}: its columns cannot change: {exc} ({exc.detail})"
        raise StoreError(msg) from exc


def _way_out(part: TablePart, column: str) -> str:
    """Way out for a geometry column that cannot have two types."""
    if column != part.layout.geometry:
        return ""
    return ": publish all partitions to another table, with publish: {table: …, geometry: …}"
