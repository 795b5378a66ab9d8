"""Modifiers of columns beside their types: geometry type, SRID, NOT NULL.

A column whose geometries differ in dimensions can have no type modifier. Its SRID is then declared
by a check constraint, which the view ``geometry_columns`` reads (PostGIS, "Manually registering
geometry columns").
"""

from __future__ import annotations

import re

import asyncpg

from spatial_pipeline.contract.geometry_type import GeometryType
from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.postgis.geometry_column import Present
from spatial_pipeline.publish.postgis.identifiers import quoted, quoted_column, quoted_table

SRID_CHECK = "enforce_srid_spatial_pipeline"
_SRID = re.compile(r"= (\d+)")


async def present_column(
    connection: asyncpg.Connection, postgis: str, table: TableName, column: str, version: Version
) -> Present | None:
    """Geometry column of a table as it is declared, None when there is none.

    Args:
        connection: of the database.
        postgis: quoted schema of PostGIS.
        table: the table; need not exist.
        column: name of its geometry column.
        version: version to publish; parts of its own partition do not count as others.

    """
    row = await connection.fetchrow(
        "SELECT atttypmod,"
        f" {postgis}.postgis_typmod_type(atttypmod) AS type,"
        f" {postgis}.postgis_typmod_srid(atttypmod) AS srid,"
        " EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        # A join, or names in their own collation, would scan the parts of all tables.
        " WHERE i.inhparent = attrelid AND (SELECT p.partition FROM spatial_pipeline.parts p"
        ' WHERE p.part_schema = n.nspname::text COLLATE "default"'
        ' AND p.part_name = c.relname::text COLLATE "default") IS DISTINCT FROM $3) AS others'
        " FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped"
        f" AND atttypid = to_regtype('{postgis}.geometry')",
        quoted_table(table),
        column,
        version.partition,
    )
    if row is None:
        return None
    if row["atttypmod"] == -1:
        return Present(None, await _checked_srid(connection, table) or 0, row["others"])
    return Present(GeometryType.parse(row["type"]), row["srid"], row["others"])


def srid_check(postgis: str, column: str, srid: int) -> str:
    """Table constraint that declares the SRID of an untyped geometry column."""
    value = f"{postgis}.ST_SRID({quoted_column(column)})"
    return f"CONSTRAINT {quoted(SRID_CHECK)} CHECK ({value} = {srid})"


async def conform_srid(
    connection: asyncpg.Connection, postgis: str, table: TableName, part: TableName, column: str
) -> None:
    """Gives a table the SRID check of a part, or none when the part has none.

    Raises:
        StoreError: rows of other partitions have another SRID.

    """
    wanted = await _checked_srid(connection, part)
    present = await _checked_srid(connection, table)
    if wanted == present:
        return
    parent = quoted_table(table)
    if present is not None:
        await connection.execute(f"ALTER TABLE {parent} DROP CONSTRAINT {quoted(SRID_CHECK)}")
    if wanted is None:
        return
    try:
        check = srid_check(postgis, column, wanted)
        await connection.execute(f"ALTER TABLE {parent} ADD {check}")
    except asyncpg.CheckViolationError as exc:
        msg = f"{table}: geometries of other partitions have another SRID than {wanted}"
        raise StoreError(msg) from exc


async def conform_nulls(
    connection: asyncpg.Connection, table: TableName, part: TableName, required: frozenset[str]
) -> None:
    """Makes columns of a table NOT NULL that are required in all its parts, and no others.

    Args:
        connection: in a transaction that locks the table.
        table: the parent.
        part: will inherit from it.
        required: columns that are declared to hold no nulls.

    """
    rows = await connection.fetch(
        "SELECT a.attname, a.attnotnull AS present, a.attname = ANY ($3) AND c.attnotnull"
        " AND coalesce((SELECT bool_and(o.attnotnull) FROM pg_inherits i"
        " JOIN pg_attribute o ON o.attrelid = i.inhrelid AND o.attname = a.attname"
        " WHERE i.inhparent = a.attrelid), true) AS wanted"
        " FROM pg_attribute a JOIN pg_attribute c ON c.attname = a.attname"
        " AND c.attrelid = to_regclass($2)"
        " WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped",
        quoted_table(table),
        quoted_table(part),
        sorted(required),
    )
    for row in rows:
        if row["wanted"] != row["present"]:
            change = "SET" if row["wanted"] else "DROP"
            # The parts keep what they have: a part with a primary key cannot drop it.
            await connection.execute(
                f"ALTER TABLE ONLY {quoted_table(table)}"
                f" ALTER {quoted_column(row['attname'])} {change} NOT NULL"
            )


async def _checked_srid(connection: asyncpg.Connection, table: TableName) -> int | None:
    """SRID that the check constraint of a table declares, None when it has no such."""
    told = await connection.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = to_regclass($1) AND conname = $2",
        quoted_table(table),
        SRID_CHECK,
    )
    found = None if told is None else _SRID.search(told)
    return None if found is None else int(found[1])
