"""Headers of geometry blobs of a GeoPackage table that are none, or contradict their column.

GDAL looks at nothing in a header but its size: a blob may say that it is in another reference
system, and nothing is heard of it. Bounds in a header are hints and are not compared; staging
computes its own.

Source: OGC 12-128r19 (GeoPackage 1.4), 2.1.3.1 and requirements 19, 25 and 33.
"""

from __future__ import annotations

import sqlite3

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats.layer import Layer

_ENVELOPES = range(5)
"""Codes of an envelope in the flags."""


def audit(layer: Layer, database: sqlite3.Connection, table: str, cell: str, srs: int) -> None:
    """Adds blobs whose header is none, or is another's, to the defects of a layer.

    Args:
        layer: the open layer.
        database: the file.
        table: quoted name.
        cell: quoted name of the geometry column.
        srs: see :func:`reference_system`.

    """
    for condition, reason in _conditions(cell, srs):
        _collect(layer.defects, database, table, str(layer.geometry), cell, condition, reason)


def odd(cell: str, srs: int) -> str:
    """The SQL condition of a header that :func:`audit` names; one look at eight bytes."""
    sound = [
        b"GP\0" + bytes([flags]) + srs.to_bytes(4, "little" if flags & 1 else "big", signed=True)
        for flags in range(64)
        if flags >> 1 & 7 in _ENVELOPES
    ]
    literals = ", ".join(f"x'{head.hex()}'" for head in sound)
    return f"substr({cell}, 1, 8) NOT IN ({literals})"


def reference_system(layer: Layer, database: sqlite3.Connection) -> int | None:
    """The SRS of the geometry column; takes the CRS of a layer whose tables contradict.

    None for a column that gpkg_geometry_columns does not describe.
    """
    found = database.execute(
        "SELECT g.srs_id, c.srs_id FROM gpkg_geometry_columns AS g "
        "LEFT JOIN gpkg_contents AS c ON lower(c.table_name) = lower(g.table_name) "
        "WHERE lower(g.table_name) = lower(?)",
        (layer.name,),
    ).fetchone()
    if found is None or not isinstance(found[0], int):
        return None
    column, contents = found
    if contents is not None and contents != column:
        layer.crs = None
        layer.notes.append(
            f"gpkg_geometry_columns says SRS {column}, gpkg_contents {contents}: the CRS is unknown"
        )
    return int(column)


def refuse_unread(layer: Layer, database: sqlite3.Connection) -> None:
    """Refuses a table that has a geometry column which GDAL does not see.

    Raises:
        SourceError: gpkg_contents does not list it as features.

    """
    if layer.geometry is not None:
        return
    found = database.execute(
        "SELECT column_name FROM gpkg_geometry_columns WHERE lower(table_name) = lower(?)",
        (layer.name,),
    ).fetchone()
    if found is not None:
        msg = (
            f"gpkg_geometry_columns names {found[0]!r} of table {layer.name!r}, "
            "which gpkg_contents does not list as features"
        )
        raise SourceError(msg)


def _conditions(cell: str, srs: int) -> list[tuple[str, str]]:
    """SQL conditions of wrong headers, with what to say of them."""
    flags = f"substr({cell}, 4, 1)"
    little, big = (_flags(range(first, 64, 2)) for first in (1, 0))
    magic = f"typeof({cell}) = 'blob' AND substr({cell}, 1, 3) = x'475000'"
    known = f"({flags} IN ({little}) OR {flags} IN ({big}))"
    stated = (
        f"substr({cell}, 5, 4) = CASE WHEN {flags} IN ({little}) "
        f"THEN x'{srs.to_bytes(4, 'little', signed=True).hex()}' "
        f"ELSE x'{srs.to_bytes(4, 'big', signed=True).hex()}' END"
    )
    there = f"{cell} IS NOT NULL"
    return [
        (f"{there} AND NOT ({magic} AND {known})", "is not a GeoPackage geometry"),
        (f"{there} AND {magic} AND {known} AND NOT {stated}", f"says another SRS than {srs}"),
    ]


def _flags(values: range) -> str:
    """Flag bytes with an envelope code that there is, as SQL literals."""
    return ", ".join(f"x'{v:02x}'" for v in values if v >> 1 & 7 in _ENVELOPES)


def _collect(
    defects: Defects,
    database: sqlite3.Connection,
    table: str,
    geometry: str,
    cell: str,
    condition: str,
    reason: str,
) -> None:
    if not database.execute(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1").fetchone():  # noqa: S608
        return
    rows = database.execute(
        f"SELECT n, substr(c, 1, 40) FROM (SELECT row_number() OVER () - 1 AS n, {cell} AS c, "  # noqa: S608
        f"({condition}) AS wrong FROM {table}) WHERE wrong"
    ).fetchall()
    defects.add([n for n, _ in rows], geometry, [_shown(c) for _, c in rows], reason)


def _shown(value: object) -> str:
    return f"x'{value.hex()}'" if isinstance(value, bytes) else repr(value)
