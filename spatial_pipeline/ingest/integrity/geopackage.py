"""Values of a GeoPackage or SQLite table that its declared types cannot hold.

SQLite stores any value in any column; GDAL reads it as the declared type and makes up what does
not fit. One scan of the table finds those values by ``typeof``.

Source: OGC 12-128r19 (GeoPackage 1.4), table 1, and 2.1.3 for the header of a geometry.
"""

from __future__ import annotations

import math
import re
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats.geojson_columns import typed
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.integrity import geopackage_blobs
from spatial_pipeline.ingest.integrity.sqlite import read_only

_STEPS, _MOST_STEPS = 1_000_000, 200_000
"""Instructions between two looks at the count, and looks until a query is given up."""
_INTEGERS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 32, "INT": 64, "INTEGER": 64}
_EXACT = 1 << 53
_ENVELOPES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
"""Bytes of the envelope in a geometry's header, by its code."""
_LONGEST_POINT = 8 + 64 + 5 + 32
_DATE_GLOB = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"


def audit(layer: Layer, file: Path) -> dict[str, pa.Array]:
    """Adds the defects of a layer's table, its true count, and rows whose geometry is none.

    Args:
        layer: the open layer, whose ``name`` is the table.
        file: the private copy or view of the database.

    Returns:
        Columns to stage in the place of those that GDAL rounds.

    Raises:
        SourceError: the table cannot be read, or reading it does not end.

    """
    try:
        with closing(bounded(file)) as database:
            return _audit(layer, file, database)
    except sqlite3.DatabaseError as exc:
        msg = f"the table cannot be read: {' '.join(str(exc).split())[:300]}"
        raise SourceError(msg) from exc


def contents_of(file: Path) -> set[str]:
    """Names of the tables that gpkg_contents lists, casefolded; none where it cannot be read."""
    try:
        with closing(bounded(file)) as database:
            rows = database.execute("SELECT table_name FROM gpkg_contents").fetchall()
    except sqlite3.DatabaseError:
        return set()
    return {bytes(name).decode("utf-8", "replace").casefold() for (name,) in rows}


def bounded(file: Path) -> sqlite3.Connection:
    """The database, read only, with a bound on what a query may cost."""
    database = read_only(file)
    database.text_factory = bytes
    _bound(database)
    database.execute("PRAGMA trusted_schema=OFF")
    return database


def _bound(database: sqlite3.Connection) -> None:
    looks = 0

    def look() -> int:
        nonlocal looks
        looks += 1
        return int(looks > _MOST_STEPS)

    database.set_progress_handler(look, _STEPS)


def _audit(layer: Layer, file: Path, database: sqlite3.Connection) -> dict[str, pa.Array]:
    table = quoted(layer.name or "")
    found = database.execute(
        "SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE", (layer.name,)
    ).fetchone()
    if found is None:
        return {}
    columns = database.execute(f"PRAGMA table_xinfo({table})").fetchall()
    declared = {c[1].decode(): (c[2] or b"").decode().upper() for c in columns}
    names = {f.name for f in layer.attributes}
    wrong = {n: w for n, t in declared.items() if n in names and (w := _wrong(quoted(n), t))}
    geometry = next((n for n in declared if n not in names and n == layer.geometry), None)
    if _has(database, "gpkg_geometry_columns"):
        geopackage_blobs.refuse_unread(layer, database)
    looks: list[tuple[str, Callable[[], None]]] = []
    if geometry is not None and _has(database, "gpkg_geometry_columns"):
        cell = quoted(geometry)
        layer.lost = partial(_present, file, table, cell)
        looks.append((_nan(cell), partial(_points_of_nan, layer, database, table, geometry)))
        srs = geopackage_blobs.reference_system(layer, database)
        if srs is not None:
            headers = partial(geopackage_blobs.audit, layer, database, table, cell, srs)
            looks.append((geopackage_blobs.odd(cell, srs), headers))
    for name, (condition, reason) in wrong.items():
        collect = partial(_collect, layer.defects, database, table, name, condition, reason)
        looks.append((condition, collect))
    count, some = _scanned(database, table, [condition for condition, _ in looks])
    if layer.declared_count is not None and layer.declared_count != count:
        layer.notes.append(
            f"gpkg_ogr_contents counts {layer.declared_count} features, the table has {count}"
        )
    layer.declared_count = count
    for condition, look in looks if some else ():
        query = f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1"  # noqa: S608
        if database.execute(query).fetchone():
            look()
    moments = {n for n, t in declared.items() if re.match("DATETIME|TIMESTAMP", t)}
    return {**_unrounded(layer, database, table), **_times(layer, database, table, moments)}


def _scanned(database: sqlite3.Connection, table: str, conditions: list[str]) -> tuple[int, bool]:
    """Number of rows, and whether a condition holds in one of them: most tables are sound."""
    # SQLite bounds the depth of an expression, and only CASE leaves out what need not be known.
    groups = [conditions[i : i + 100] for i in range(0, len(conditions), 100)]
    odd = [f"COUNT(CASE WHEN {' OR '.join(f'({c})' for c in g)} THEN 1 END)" for g in groups]
    query = f"SELECT {', '.join(['COUNT(*)', *odd])} FROM {table}"  # noqa: S608
    count, *found = database.execute(query).fetchone()
    return count, any(found)


def _times(
    layer: Layer, database: sqlite3.Connection, table: str, moments: set[str]
) -> dict[str, pa.Array]:
    """Columns of times that are not all in UTC or finer than GDAL reads.

    Without ``Z`` a time is in no zone; GDAL takes it for UTC. A column with both is text already,
    but as GDAL writes it.
    """
    found: dict[str, pa.Array] = {}
    for column in layer.attributes:
        cell = quoted(column.name)
        odd = f"{cell} NOT GLOB '*Z' OR length({cell}) > {len('2020-01-01T00:00:00.000Z')}"
        query = f"SELECT 1 FROM {table} WHERE {odd} LIMIT 1"  # noqa: S608
        text = pa.types.is_string(column.type) and column.name in moments
        if not (pa.types.is_timestamp(column.type) or text):
            continue
        if not database.execute(query).fetchone():
            continue
        values: list[str | None] = [
            v.decode("utf-8", "surrogateescape") if isinstance(v, bytes) else None
            for (v,) in database.execute(f"SELECT {cell} FROM {table}")  # noqa: S608
        ]
        for row in layer.defects.rows(column.name).tolist():
            values[row] = None
        found[column.name] = typed(values, column.name, column.type, layer.defects)
    return found


def _unrounded(layer: Layer, database: sqlite3.Connection, table: str) -> dict[str, pa.Array]:
    """Columns of 32-bit numbers that hold more than that: SQLite stores 64 bits in any column."""
    found: dict[str, pa.Array] = {}
    for column in layer.attributes:
        if column.type != pa.float32():
            continue
        rows = database.execute(f"SELECT {quoted(column.name)} FROM {table}")  # noqa: S608
        values = [float(v) if isinstance(v, int | float) else None for (v,) in rows]
        exact = pa.array(values, pa.float64())
        narrow = exact.cast(pa.float32(), safe=False).cast(pa.float64())
        if not narrow.equals(exact):
            found[column.name] = exact
    return found


def _points_of_nan(layer: Layer, database: sqlite3.Connection, table: str, name: str) -> None:
    """Names points of NaN that are not marked as empty: in WKB alone they are empty points.

    The mark is bit 4 of the flags in the header of a geometry (OGC 12-128r19, 2.1.3.1.1).
    """
    cell = quoted(name)
    condition = _nan(cell)
    some = database.execute(f"SELECT {cell} FROM {table} WHERE {condition}")  # noqa: S608
    if not any(_is_point_of_nan(blob) for (blob,) in some):
        return
    found = database.execute(
        f"SELECT n, g FROM (SELECT row_number() OVER () - 1 AS n, {cell} AS g, "  # noqa: S608
        f"({condition}) AS wrong FROM {table}) WHERE wrong"
    )
    rows = [n for n, blob in found if _is_point_of_nan(blob)]
    layer.defects.add(
        rows,
        name,
        ["POINT (nan nan)"] * len(rows),
        "is a point of NaN, which in WKB is an empty one",
    )


def _nan(cell: str) -> str:
    """The SQL condition of what may be a point of NaN that is not marked as empty."""
    # A NaN has these bytes, in either order; the costly look at the flags comes last.
    return (
        f"length({cell}) <= {_LONGEST_POINT} "
        f"AND (instr({cell}, x'F87F') OR instr({cell}, x'F8FF') "
        f"OR instr({cell}, x'7FF8') OR instr({cell}, x'FFF8')) "
        f"AND typeof({cell}) = 'blob' "
        f"AND instr('13579BDF', substr(hex(substr({cell}, 4, 1)), 1, 1)) = 0"
    )


def _is_point_of_nan(blob: bytes) -> bool:
    """Whether the geometry behind a GeoPackage header is a point without numbers."""
    envelope = _ENVELOPES.get(blob[3] >> 1 & 7)
    if envelope is None or len(blob) < 8 + envelope + 21 or blob[8 + envelope] > 1:
        return False
    order = "<" if blob[8 + envelope] else ">"
    word, x, y = struct.unpack_from(f"{order}Idd", blob, 9 + envelope)
    return (word & 0x1FFFFFFF) % 1000 == 1 and math.isnan(x) and math.isnan(y)


def _present(file: Path, table: str, cell: str, rows: NDArray[np.int64]) -> list[int]:
    """Those rows, numbered as they are read, in which a geometry column holds something."""
    if not len(rows):
        return []
    wanted = set(rows.tolist())
    with closing(bounded(file)) as database:
        found = database.execute(
            f"SELECT n FROM (SELECT row_number() OVER () - 1 AS n, {cell} IS NOT NULL AS there "  # noqa: S608
            f"FROM {table}) WHERE there"
        )
        return [n for (n,) in found if n in wanted]


def _collect(
    defects: Defects,
    database: sqlite3.Connection,
    table: str,
    name: str,
    condition: str,
    reason: str,
) -> None:
    # Rows are numbered in the order in which GDAL reads them.
    numbered = (
        f"SELECT n, c FROM (SELECT row_number() OVER () - 1 AS n, {quoted(name)} AS c, "  # noqa: S608
        f"({condition}) AS wrong FROM {table}) WHERE wrong"
    )
    rows = database.execute(numbered).fetchall()
    texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for _, v in rows]
    defects.add([r for r, _ in rows], name, texts, reason)


def _wrong(cell: str, declared: str) -> tuple[str, str] | None:
    """The SQL condition of a value that a declared type cannot hold, and what to say of it."""
    base = re.split(r"[ (]", declared, maxsplit=1)[0]
    kind = f"typeof({cell})"
    if base == "BOOLEAN":
        return f"{cell} IS NOT NULL AND ({kind} <> 'integer' OR {cell} NOT IN (0, 1))", (
            "is not a BOOLEAN (0 or 1)"
        )
    if base in _INTEGERS:
        most = 1 << (_INTEGERS[base] - 1)
        outside = "" if most > 1 << 62 else f" OR {cell} NOT BETWEEN {-most} AND {most - 1}"
        return f"{cell} IS NOT NULL AND ({kind} <> 'integer'{outside})", f"is not of type {base}"
    if base in {"REAL", "DOUBLE", "FLOAT"}:
        inexact = f"{kind} = 'integer' AND {cell} NOT BETWEEN {-_EXACT} AND {_EXACT}"
        return f"{kind} NOT IN ('null', 'real', 'integer') OR ({inexact})", f"is not of type {base}"
    if base == "DATE":
        return (
            (
                f"{cell} IS NOT NULL AND ({kind} <> 'text' OR {cell} NOT GLOB '{_DATE_GLOB}' "
                f"OR date({cell}, '+0 days') IS NOT {cell})"
            ),
            "is not a date",
        )
    if base in {"DATETIME", "TIMESTAMP"}:
        day, time = f"substr({cell}, 1, 10)", f"substr({cell}, 12, 8)"
        return (
            (
                f"{cell} IS NOT NULL AND ({kind} <> 'text' OR {cell} NOT GLOB '{_DATE_GLOB}[T ]*' "
                f"OR date({day}, '+0 days') IS NOT {day} "
                f"OR time(substr({time} || ':00', 1, 8)) IS NULL)"
            ),
            "is not a date and time",
        )
    if base in {"TEXT", "VARCHAR"}:
        return f"{kind} = 'blob'", "is not text"
    if base == "BLOB":
        return f"{kind} NOT IN ('null', 'blob')", "is not a BLOB"
    return None


def _has(database: sqlite3.Connection, table: str) -> bool:
    found = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
    return found.fetchone() is not None


def quoted(name: str) -> str:
    """The name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
