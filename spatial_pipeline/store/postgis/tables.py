"""Tables of published rows: filled beside the readers, proven, then exchanged in one moment.

A published table is an empty parent that never changes its identity, so that views, grants and
whatever else refers to it stay. Its rows are in parts, ordinary tables that inherit from it: one
for each partition of the dataset. Publishing fills a new part and exchanges it for the former one.

The rows of a part are frozen (``COPY FREEZE``): they count as older than every snapshot. So a
transaction in repeatable read that began before the exchange and comes to the table after it finds
a whole version too, where it would find an empty table with ordinary rows.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Set
from dataclasses import dataclass

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.store.postgis.binary import Digest, digest_sql
from spatial_pipeline.store.postgis.identifiers import (
    quoted,
    quoted_column,
    quoted_table,
    shortened,
)
from spatial_pipeline.store.postgis.layout import Layout, authority
from spatial_pipeline.store.postgis.ownership import added_by_hand, refuse_altered
from spatial_pipeline.store.postgis.readers import close_parts, refuse_strangers, secure_parts
from spatial_pipeline.store.postgis.replication import replicate
from spatial_pipeline.versions import Version, fingerprint

OWN_SRIDS = 910_000
"""First SRID for a CRS that spatial_ref_sys does not know."""


@dataclass(frozen=True, slots=True)
class PostGIS:
    """What of PostGIS a statement names.

    Attributes:
        schema: quoted schema of the extension.

    """

    schema: str

    @property
    def as_binary(self) -> str:
        """``ST_AsBinary``."""
        return f"{self.schema}.ST_AsBinary"

    def column(self, geometry_type: str | None, srid: int) -> str:
        """Type of a geometry column with its modifier."""
        if geometry_type is None:
            return f"{self.schema}.geometry"
        return f"{self.schema}.geometry({geometry_type},{srid})"


async def find_postgis(connection: asyncpg.Connection) -> PostGIS:
    """The extension of this database.

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
    return PostGIS(quoted(schema))


async def find_srid(connection: asyncpg.Connection, postgis: PostGIS, layout: Layout) -> int:
    """SRID of the layout's CRS; 0 without a CRS. A CRS that PostGIS does not know is added.

    Raises:
        asyncpg.PostgresError: the CRS is unknown and may not be added.

    """
    if layout.crs is None:
        return 0
    table = f"{postgis.schema}.spatial_ref_sys"
    known = authority(layout.crs)
    if known is not None and known[1].isdecimal():
        srid = await connection.fetchval(
            f"SELECT srid FROM {table} WHERE upper(auth_name) = upper($1) AND auth_srid = $2::int",
            known[0],
            int(known[1]),
        )
        if srid is not None:
            return int(srid)
    text = layout.crs.to_wkt("WKT1_GDAL")
    with warnings.catch_warnings():
        # The WKT keeps what the PROJ string loses, and PostGIS asks the WKT first.
        warnings.simplefilter("ignore", UserWarning)
        proj4 = layout.crs.to_proj4()
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", table)
    srid = await connection.fetchval(f"SELECT min(srid) FROM {table} WHERE srtext = $1", text)
    if srid is None:
        srid = await connection.fetchval(
            f"INSERT INTO {table} (srid, auth_name, auth_srid, srtext, proj4text)"
            " SELECT s, 'spatial_pipeline', s, $1, $2"
            f" FROM (SELECT coalesce(max(srid), $3::int - 1) + 1 AS s FROM {table}"
            " WHERE srid BETWEEN $3::int AND 998998) AS free RETURNING srid",
            text,
            proj4,
            OWN_SRIDS,
        )
    return int(srid)


def part_name(table: TableName, version: Version) -> TableName:
    """Name of the part that holds a version: short enough, and its own."""
    mark = fingerprint(table.schema, table.table, version.dataset, version.partition, version.id)
    return TableName(table.schema, f"{shortened(table.table, 40)}__{mark}")


@dataclass(frozen=True)
class Part:
    """A part of a table.

    Attributes:
        name: its name.
        layout: its columns.
        srid: SRID of its geometries.

    """

    name: TableName
    layout: Layout
    srid: int


async def new_part(
    connection: asyncpg.Connection,
    postgis: PostGIS,
    table: TableName,
    version: Version,
    layout: Layout,
) -> Part:
    """Creates the empty part of a version; must be in the transaction that fills it."""
    srid = await find_srid(connection, postgis, layout)
    geometry_type = layout.geometry_type
    if layout.geometry is not None:
        declared = await _declared(connection, postgis, table, layout.geometry)
        if declared in {(t, srid if t else 0) for t in _wider(geometry_type)}:
            geometry_type = declared[0]
    part = Part(part_name(table, version), layout, srid)
    kinds = [*(t.sql for t in layout.types), postgis.column(geometry_type, srid)]
    columns = ", ".join(
        f"{quoted_column(name)} {kind}" for name, kind in zip(layout.columns, kinds, strict=False)
    )
    try:
        await connection.execute(f"CREATE TABLE {quoted_table(part.name)} ({columns})")
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


async def fill(connection: asyncpg.Connection, part: Part, stream: AsyncIterator[bytes]) -> None:
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
    except (asyncpg.DataError, asyncpg.InternalServerError) as exc:
        where = f" ({exc.context})" if getattr(exc, "context", None) else ""
        msg = f"{part.name} cannot take a row: {exc}{where}"
        raise StoreError(msg) from exc


async def finish(connection: asyncpg.Connection, part: Part, comment: str) -> None:
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
    connection: asyncpg.Connection, postgis: PostGIS, part: Part, source: str | None = None
) -> Digest:
    """What the rows of a part hold, computed by the server from what it stored.

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
    part: Part,
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
    connection: asyncpg.Connection, table: TableName, part: Part, ours: Set[str]
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
                        f" {kind} in this one"
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


async def _declared(
    connection: asyncpg.Connection, postgis: PostGIS, table: TableName, column: str
) -> tuple[str | None, int]:
    """Declared type and SRID of a table's geometry column; ("", 0) when there is no such."""
    row = await connection.fetchrow(
        "SELECT atttypmod,"
        f" {postgis.schema}.postgis_typmod_type(atttypmod) AS type,"
        f" {postgis.schema}.postgis_typmod_srid(atttypmod) AS srid"
        " FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped"
        f" AND atttypid = to_regtype('{postgis.schema}.geometry')",
        quoted_table(table),
        column,
    )
    if row is None:
        return "", 0
    return (None, 0) if row["atttypmod"] == -1 else (row["type"], row["srid"])


def _wider(geometry_type: str | None) -> tuple[str | None, ...]:
    """Declared types that these geometries fit too, so that the table need not change."""
    if geometry_type is None:
        return (None,)
    base = geometry_type.rstrip("ZM")
    return (None, "Geometry" + geometry_type[len(base) :], geometry_type)
