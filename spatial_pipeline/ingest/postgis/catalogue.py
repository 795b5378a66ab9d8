"""Description of a relation from the catalogues of PostgreSQL and PostGIS.

Names travel as parameters, and the server itself quotes what it found; no statement is built from
a name of ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.postgis.plan import (
    ServerPlan,
    changing,
    declared_types,
    planned,
    secured,
)
from spatial_pipeline.ingest.postgis.query import single_statement
from spatial_pipeline.ingest.postgis.types import GEOMETRIES, TableColumn

MAX_LISTED = 20
_FIND = """
SELECT c.oid, n.nspname, c.relname, format('%I.%I', n.nspname, c.relname) AS quoted,
       c.relkind = 'v' AS viewed, pg_catalog.row_security_active(c.oid) AS secured
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = $2::text
  AND CASE WHEN $1::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $1 END
"""
_COLUMNS = """
SELECT attname, atttypid, atttypmod, attnotnull FROM pg_catalog.pg_attribute
WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_TYPES = """
WITH RECURSIVE base AS (
    SELECT number, oid, typmod, false AS required
    FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS given(oid, typmod, number)
  UNION ALL
    SELECT number, t.typbasetype, t.typtypmod, required OR t.typnotnull
    FROM base CROSS JOIN LATERAL (
      SELECT * FROM pg_catalog.pg_type WHERE pg_type.oid = base.oid OFFSET 0) AS t
    WHERE t.typtype = 'd'
)
SELECT number, t.typname, n.nspname, typmod, required,
       pg_catalog.format_type(t.oid, typmod) AS declared
FROM base CROSS JOIN LATERAL (
  SELECT * FROM pg_catalog.pg_type WHERE pg_type.oid = base.oid OFFSET 0) AS t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype <> 'd' ORDER BY number
"""
_KEY = """
SELECT a.attname FROM pg_catalog.pg_index i
CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = $1 AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY place
"""
_POSTGIS = """
SELECT n.nspname, format('%I', n.nspname) AS quoted FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis'
"""
_SPATIAL = """
SELECT DISTINCT n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND t.typname IN ('geometry', 'geography')
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
    AND d.objid = c.oid AND d.deptype = 'e')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
ORDER BY 1, 2 LIMIT $1
"""
_PATH = "SELECT pg_catalog.current_setting('search_path')"
_SET_PATH = "SELECT pg_catalog.set_config('search_path', $1, true)"
_SECURED = "has row-level security: rows that its policies hide from the login are not there"
_DECLARED = re.compile(r"(?:\S+\.)?(?:geometry|geography)\((\w+)(?:,(\d+))?\)")
_TYPE_NAMES = {
    n.upper(): n
    for n in ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
              "GeometryCollection", "CircularString", "CompoundCurve", "CurvePolygon",
              "MultiCurve", "MultiSurface", "PolyhedralSurface", "Triangle", "TIN")
}  # fmt: skip


@dataclass(frozen=True)
class Relation:
    """A table, a view or a query.

    Attributes:
        name: schema and name, None for a query.
        sql: relation or subquery after FROM.
        columns: its columns in their order.
        key: columns of the primary key.
        postgis: quoted schema of PostGIS, None where it is not installed.
        notes: notes for users of the dataset.
        stored: True for rows that are read as they lie there, without code of users.

    """

    name: TableName | None
    sql: str
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...]
    postgis: str | None
    notes: tuple[str, ...] = ()
    stored: bool = False


async def relation(connection: asyncpg.Connection, layer: str | None, text: str | None) -> Relation:
    """The relation that a query describes, or else the one that a layer names."""
    return await (table(connection, layer) if text is None else query(connection, text))


async def table(connection: asyncpg.Connection, wanted: str | None) -> Relation:
    """The relation that a layer names; the only one with a geometry when it names none.

    Raises:
        SourceError: there is no such relation.

    """
    found: Any = None
    for schema, name in _readings(wanted) if wanted else [await _only(connection)]:
        found = found or await connection.fetchrow(_FIND, schema, name)
    if found is None:
        listed = ", ".join(map(str, await _spatial(connection))) or "none"
        msg = f"no table or view {wanted!r} in it; tables with geometries: {listed}"
        raise SourceError(msg)
    # Takes the lock that keeps the columns as they are until the end of the transaction.
    await connection.execute(f"SELECT FROM {found['quoted']} LIMIT 0")
    rows = await connection.fetch(_COLUMNS, found["oid"])
    postgis = await connection.fetchrow(_POSTGIS)
    columns = await _described(connection, rows, postgis)
    key = tuple(r["attname"] for r in await connection.fetch(_KEY, found["oid"]))
    place = TableName(found["nspname"], found["relname"])
    notes = []
    if found["secured"]:
        notes.append(f"{place} {_SECURED}")
    if found["viewed"]:
        notes += await _said_of_plan(connection, await planned(connection, found["quoted"]))
    stored = not (found["viewed"] or found["secured"])
    return Relation(place, found["quoted"], columns, key, _home(postgis), tuple(notes), stored)


async def query(connection: asyncpg.Connection, text: str) -> Relation:
    """The relation that a query describes.

    The server parses the query by itself first, as one statement. So it is balanced, and stands
    for itself between the parentheses that are put around it.

    Raises:
        SourceError: it returns no rows.

    """
    prepared = await connection.prepare(text)
    attributes = prepared.get_attributes()
    if not attributes:
        msg = "the query returns no columns"
        raise SourceError(msg)
    sql = f"(\n{single_statement(text)}\n)"
    plan = await planned(connection, sql)
    declared = await declared_types(connection, plan)
    rows = [
        {"attname": a.name, "atttypid": a.type.oid, "atttypmod": -1, "attnotnull": False}
        for a in attributes
    ]
    postgis = await connection.fetchrow(_POSTGIS)
    described = await _described(connection, rows, postgis)
    columns = tuple(
        replace(c, declared=declared.get(i, c.declared)) if c.is_geometry else c
        for i, c in enumerate(described)
    )
    notes = await _said_of_plan(connection, plan)
    return Relation(None, sql, columns, (), _home(postgis), tuple(notes))


async def use_no_search_path(connection: asyncpg.Connection) -> None:
    """Spells names with their schemas until the end of the transaction."""
    await connection.fetch(_SET_PATH, "pg_catalog")


async def _said_of_plan(connection: asyncpg.Connection, plan: ServerPlan) -> list[str]:
    notes = [f"{name} {_SECURED}" for name in await secured(connection, plan)]
    called = await changing(connection, plan)
    if called:
        notes.append(
            f"calls {', '.join(called)}: the rows may differ at each look, which then is a new "
            "version"
        )
    return notes


async def geometry_type(
    connection: asyncpg.Connection, relation: Relation, column: TableColumn
) -> tuple[str, int]:
    """Geometry type and SRID that a column declares: ``Unknown`` and 0 when it does not."""
    if relation.name is None:
        return _type_of(column.declared)
    found = await connection.fetchrow(
        f"SELECT type, coord_dimension, srid FROM {relation.postgis}.{column.type}_columns "  # noqa: S608
        f"WHERE f_table_schema = $1 AND f_table_name = $2 AND f_{column.type}_column = $3",
        relation.name.schema,
        relation.name.table,
        column.name,
    )
    if found is None:
        return "Unknown", 0
    name = found["type"].upper()
    if name in _TYPE_NAMES:
        name += {3: "Z", 4: "ZM"}.get(found["coord_dimension"], "")
    return _named_type(name), found["srid"]


def _type_of(declared: str) -> tuple[str, int]:
    """Geometry type and SRID of a type such as ``geometry(PointZ,4326)``."""
    found = _DECLARED.fullmatch(declared)
    return ("Unknown", 0) if found is None else (_named_type(found[1].upper()), int(found[2] or 0))


def _named_type(name: str) -> str:
    """``POINTZM`` → ``Point ZM``; ``Unknown`` for any geometry, whatever its dimensions."""
    plain, suffix = name, ""
    for letters in ("ZM", "Z", "M"):
        if name not in _TYPE_NAMES and name.endswith(letters):
            plain, suffix = name.removesuffix(letters), f" {letters}"
            break
    return "Unknown" if plain == "GEOMETRY" else _TYPE_NAMES.get(plain, plain.title()) + suffix


async def reference_system(
    connection: asyncpg.Connection, relation: Relation, srid: int, notes: list[str]
) -> str | None:
    """WKT2 of an SRID; None for 0 and for what is not known."""
    if srid == 0:
        return None
    found = await connection.fetchrow(
        f"SELECT auth_name, auth_srid, srtext, proj4text FROM {relation.postgis}.spatial_ref_sys "  # noqa: S608
        "WHERE srid = $1",
        srid,
    )
    if found is None:
        notes.append(f"SRID {srid} is not in spatial_ref_sys")
        return None
    reason = "it has no definition"
    for given in ((found["auth_name"], found["auth_srid"]), found["srtext"], found["proj4text"]):
        if not given:
            continue
        try:
            return str(pyproj.CRS.from_user_input(given).to_wkt())
        except (CRSError, TypeError) as exc:
            reason = " ".join(str(exc).split())[:300]
    notes.append(f"SRID {srid} is not understood: {reason}")
    return None


async def _described(
    connection: asyncpg.Connection, rows: Sequence[Any], postgis: Any
) -> tuple[TableColumn, ...]:
    # A type is spelled with its schema unless it is on the search path, which differs by login.
    path = await connection.fetchval(_PATH)
    await use_no_search_path(connection)
    types = await connection.fetch(
        _TYPES, [r["atttypid"] for r in rows], [r["atttypmod"] for r in rows]
    )
    await connection.fetch(_SET_PATH, path)
    home = None if postgis is None else postgis["nspname"]
    columns = []
    for row, kind in zip(rows, types, strict=True):
        spatial = kind["typname"] in GEOMETRIES and kind["nspname"] == home
        # A type of somebody else's may have the name of a built-in one.
        known = spatial or kind["nspname"] == "pg_catalog"
        columns.append(
            TableColumn(
                name=row["attname"],
                type=kind["typname"] if known else "other",
                typmod=kind["typmod"],
                nullable=not (row["attnotnull"] or kind["required"]),
                declared=kind["declared"],
            )
        )
    return tuple(columns)


def _home(postgis: Any) -> str | None:
    return None if postgis is None else str(postgis["quoted"])


def _readings(wanted: str) -> list[tuple[str | None, str]]:
    """Schemas and names that a text may mean, most likely first; None: on the search path."""
    readings: list[tuple[str | None, str]] = []
    try:
        parsed = TableName.parse(wanted)
        readings.append((parsed.schema, parsed.table))
    except ValueError:
        if "\0" in wanted:
            return []
        schema, dot, name = wanted.partition(".")
        readings += [(schema, name)] if dot else []
    readings.append((None, wanted))
    return readings


async def _only(connection: asyncpg.Connection) -> tuple[str, str]:
    found = await _spatial(connection)
    if len(found) != 1:
        listed = ", ".join(map(str, found)) or "none"
        msg = f"name a table as layer: schema.table; tables with geometries: {listed}"
        raise SourceError(msg)
    return found[0].schema, found[0].table


async def _spatial(connection: asyncpg.Connection) -> list[TableName]:
    rows = await connection.fetch(_SPATIAL, MAX_LISTED)
    return [TableName(r["nspname"], r["relname"]) for r in rows]
