"""Requirements on one features table of a GeoPackage: columns, geometry column, R-tree, counts."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.integrity.geopackage import quoted

CORE = ("GEOMETRY", "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING",
        "MULTIPOLYGON", "GEOMETRYCOLLECTION")  # fmt: skip
EXTENDED = ("CIRCULARSTRING", "COMPOUNDCURVE", "CURVEPOLYGON", "MULTICURVE", "MULTISURFACE",
            "CURVE", "SURFACE")  # fmt: skip
_SIMPLE = frozenset(CORE[1:7])
_ASSIGNABLE = {
    "GEOMETRY": {*CORE, *EXTENDED},
    "GEOMETRYCOLLECTION": {"GEOMETRYCOLLECTION", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON",
                           "MULTICURVE", "MULTISURFACE"},
    "CURVE": {"CURVE", "LINESTRING", "CIRCULARSTRING", "COMPOUNDCURVE"},
    "SURFACE": {"SURFACE", "POLYGON", "CURVEPOLYGON"},
    "CURVEPOLYGON": {"CURVEPOLYGON", "POLYGON"},
    "MULTICURVE": {"MULTICURVE", "MULTILINESTRING"},
    "MULTISURFACE": {"MULTISURFACE", "MULTIPOLYGON"},
}  # fmt: skip
"""Types of which a geometry may be in a column of a type (annex G); others take their own only."""
_TYPES = dict(enumerate((*CORE, *EXTENDED)))
"""Names by the number of a geometry type in WKB."""
_COLUMN_TYPE = re.compile(
    r"BOOLEAN|TINYINT|SMALLINT|MEDIUMINT|INT|INTEGER|FLOAT|DOUBLE|REAL|DATE|DATETIME"
    r"|(TEXT|BLOB)(\(\d+\))?"
)
_TRIGGERS = {
    "insert": (("insert",),),
    "delete": (("delete",),),
    "an update of the geometry": (("update1",), ("update6", "update7")),
    "an update that empties the geometry": (("update2",),),
    "an update of the id": (("update3",), ("update5",)),
    "an update of the id that empties the geometry": (("update4",),),
}
"""Names of triggers by what they follow; those of GeoPackage 1.4 replaced two of earlier ones."""
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 57
_PDOK_SYSTEMS = frozenset(
    {28992, 3034, 3035, *range(3040, 3050), 3857, 4258, 4326, 4936, 4937, 5730, 7409}
)


@dataclass(frozen=True)
class DescribedColumn:
    """A row of gpkg_geometry_columns."""

    name: str
    type: str
    srs: int
    z: int
    m: int


def judge(
    found: Judge, database: sqlite3.Connection, table: str, *, described: bool, extended: bool
) -> None:
    """Judges one table.

    Args:
        found: takes the findings.
        database: the file.
        table: name of the table.
        described: gpkg_geometry_columns can be read.
        extended: gpkg_extensions can be read.

    """
    there = columns_of(database, table)
    listed = database.execute(
        "SELECT data_type FROM gpkg_contents WHERE lower(table_name) = lower(?)", (table,)
    ).fetchone()
    if not there or listed is None:
        return
    geometry = _geometry_column(database, table) if described else None
    _columns(found, database, table, there, geometry, listed[0])
    if geometry is None:
        told = f"the features table {table} is not in gpkg_geometry_columns"
        found.expect("Req 22", not (described and listed[0] == "features"), told)
        _count(found, database, table)
        return
    if geometry.name.casefold() not in there:
        found.fail("Req 24", f"{table} has no column {geometry.name}")
        return
    _declared(found, database, table, there[geometry.name.casefold()], geometry, extended)
    filled = _geometries(found, database, table, geometry, extended=extended)
    _index(found, database, table, geometry, filled, extended=extended)
    _count(found, database, table)


def columns_of(database: sqlite3.Connection, table: str) -> dict[str, tuple[str, str, int]]:
    """Name, declared type and place in the primary key of each column, by its name casefolded."""
    rows = database.execute(f"PRAGMA table_info({quoted(table)})")
    return {str(n).casefold(): (str(n), str(t).upper(), int(pk)) for _, n, t, _, _, pk in rows}


def _geometry_column(database: sqlite3.Connection, table: str) -> DescribedColumn | None:
    row = database.execute(
        "SELECT column_name, geometry_type_name, srs_id, z, m FROM gpkg_geometry_columns "
        "WHERE lower(table_name) = lower(?)",
        (table,),
    ).fetchone()
    return None if row is None else DescribedColumn(str(row[0]), str(row[1]), *row[2:])


def _columns(
    found: Judge,
    database: sqlite3.Connection,
    table: str,
    there: dict[str, tuple[str, str, int]],
    geometry: DescribedColumn | None,
    listed: str,
) -> None:
    own = None if geometry is None else geometry.name.casefold()
    for key, (name, kind, _) in there.items():
        if key != own:
            right = _COLUMN_TYPE.fullmatch(kind) is not None
            found.expect("Req 5", right, f"column {name} of {table} has the type {kind or 'none'}")
        found.expect("RQ6", _snake(name), f"column {name} of {table} is not in snake case")
        _length(found, f"column {name} of {table}", name)
    found.expect("RQ1", _snake(table), f"the name of layer {table} is not in snake case")
    _length(found, f"layer {table}", table)
    is_view = database.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'view' AND lower(name) = lower(?)", (table,)
    ).fetchone()
    keys = [kind for _, kind, pk in there.values() if pk]
    integer = keys == ["INTEGER"]
    if not is_view and listed == "features":
        told = f"{table} has no primary key of one INTEGER column"
        found.expect("Req 29", integer, told)
    if not is_view and listed == "attributes":
        told = f"{table} has no primary key of one INTEGER column"
        found.expect("Req 119", integer, told)
    found.expect("RQ7", integer, f"{table} has no feature id column with a unique index")
    told = f"{table} is a features table without a geometry column"
    if (
        geometry is None
        and listed == "features"
        and not any(kind in {*CORE, *EXTENDED} for _, kind, _ in there.values())
    ):
        found.fail("Req 18", told)


def _declared(
    found: Judge,
    database: sqlite3.Connection,
    table: str,
    column: tuple[str, str, int],
    geometry: DescribedColumn,
    extended: bool,
) -> None:
    kind = geometry.type
    known = kind in {*CORE, *EXTENDED}
    found.expect("Req 25", known, f"geometry type {kind!r} of {table} is not in annex G")
    told = f"column {column[0]} of {table} is declared {column[1] or 'without a type'}, not {kind}"
    found.expect("Req 31", column[1] == kind.upper(), told)
    told = f"the geometry type of {table} is {kind}, not one of the six simple ones"
    found.expect("RQ14", kind in _SIMPLE, told)
    found.expect("RC17", column[0] == "geom", f"the geometry column of {table} is {column[0]}")
    if kind in EXTENDED:
        there = extended and _extension(database, table, geometry.name, f"gpkg_geom_{kind}")
        told = f"the extension gpkg_geom_{kind} of {table} is not declared"
        found.expect("Req 68", bool(there), told)
    row = database.execute(
        "SELECT organization, organization_coordsys_id FROM gpkg_spatial_ref_sys WHERE srs_id = ?",
        (geometry.srs,),
    ).fetchone()
    allowed = row is not None and str(row[0]).upper() == "EPSG" and row[1] in _PDOK_SYSTEMS
    told = " ".join(map(str, row)) if row is not None else f"srs_id {geometry.srs}"
    found.expect("RQ22", allowed, f"{told} of {table} is not one of PDOK's reference systems")


def _geometries(
    found: Judge,
    database: sqlite3.Connection,
    table: str,
    geometry: DescribedColumn,
    *,
    extended: bool,
) -> int:
    """Judges the heads of all geometries in one scan; the number of those with a position."""
    cell = quoted(geometry.name)
    usual = _usual(cell, geometry)
    rows, present, filled = database.execute(
        f"SELECT COUNT(*), COUNT({cell}), COUNT(CASE WHEN {usual} THEN 1 END) "  # noqa: S608
        f"FROM {quoted(table)}"
    ).fetchone()
    # Numbers, not aliases: a column of the table may be called like an alias.
    query = (
        f"SELECT substr({cell}, 1, 8), substr({cell}, {_wkb_start(cell)}, 5), COUNT(*) "  # noqa: S608
        f"FROM {quoted(table)} WHERE {cell} IS NOT NULL AND ({usual}) IS NOT TRUE GROUP BY 1, 2"
    )
    heads = database.execute(query).fetchall() if present != filled else []
    types: dict[str, int] = {}
    for head, wkb, count in heads:
        sound = isinstance(head, bytes) and len(head) == 8 and head[:3] == b"GP\0"
        sound = sound and head[3] >> 1 & 7 < 5 and head[3] >> 6 == 0
        if not found.expect("Req 19", sound, f"{count} geometries of {table} have no GP header"):
            continue
        number = int.from_bytes(head[4:], "little" if head[3] & 1 else "big", signed=True)
        told = f"{count} geometries of {table} have the srs_id {number}, not {geometry.srs}"
        found.expect("Req 33", number == geometry.srs, told)
        filled += 0 if head[3] & 0x10 else count
        kind, z, m = _wkb_type(wkb)
        types[kind] = types.get(kind, 0) + count
        _dimension(found, "Req 27", f"{count} geometries of {table}", "Z", geometry.z, there=z)
        _dimension(found, "Req 28", f"{count} geometries of {table}", "M", geometry.m, there=m)
    assignable = _ASSIGNABLE.get(geometry.type, {geometry.type})
    for kind, count in sorted(types.items()):
        told = f"{count} geometries of {table} are of the type {kind}, not {geometry.type}"
        found.expect("Req 32", kind in assignable, told)
        found.expect("RQ15", kind == geometry.type, told)
        if kind in EXTENDED and kind != geometry.type:
            there = extended and _extension(database, table, geometry.name, f"gpkg_geom_{kind}")
            told = f"{count} geometries of {table} are of the type {kind}, which is not declared"
            found.expect("Req 68", there, f"{told} as an extension")
    found.expect("RQ2", rows > 0, f"layer {table} has no feature")
    told = f"{rows - filled} geometries of {table} are null or empty"
    found.expect("RQ24", rows == filled, told)
    return int(filled)


def _usual(cell: str, geometry: DescribedColumn) -> str:
    """The SQL condition of a geometry with a position that is just as its column declares."""
    numbers = [n for n, name in _TYPES.items() if name == geometry.type]
    words = [
        1000 * (z + 2 * m) + n
        for n in numbers
        for z in (0, 1)
        for m in (0, 1)
        if geometry.z in {z, 2} and geometry.m in {m, 2}
    ]
    srs = geometry.srs if isinstance(geometry.srs, int) and abs(geometry.srs) < 1 << 31 else 0
    heads = [
        b"GP\0" + bytes([flags]) + srs.to_bytes(4, "little" if flags & 1 else "big", signed=True)
        for flags in range(10)
    ]
    bodies = [
        bytes([order]) + word.to_bytes(4, "little" if order else "big")
        for order in (0, 1)
        for word in words
    ]
    texts = [", ".join(f"x'{raw.hex()}'" for raw in raws) for raws in (heads, bodies)]
    return (
        f"substr({cell}, 1, 8) IN ({texts[0]}) "
        f"AND substr({cell}, {_wkb_start(cell)}, 5) IN ({texts[1]})"
    )


def _dimension(
    found: Judge, code: str, what: str, axis: str, declared: int, *, there: bool
) -> None:
    """Compares an axis of geometries with 0 (prohibited), 1 (mandatory) or 2 (optional)."""
    found.expect(
        code, declared != 0 or not there, f"{what} have {axis}, which is declared not to be"
    )
    found.expect(code, declared != 1 or there, f"{what} have no {axis}, which is declared to be")


def _wkb_start(cell: str) -> str:
    """SQL of the place of the WKB behind the header: 8 bytes and the envelope."""
    code = f"substr(hex(substr({cell}, 4, 1)), 2, 1)"
    # Bits 1 to 3 of the flags, bit 0 being the byte order.
    return (
        f"9 + CASE WHEN {code} IN ('0', '1') THEN 0 WHEN {code} IN ('2', '3') THEN 32 "
        f"WHEN {code} IN ('8', '9') THEN 64 ELSE 48 END"
    )


def _wkb_type(head: bytes) -> tuple[str, bool, bool]:
    """Name of the type, and whether it has Z and M, of the first five bytes of WKB."""
    if len(head) < 5 or head[0] > 1:
        return "none", False, False
    word = int.from_bytes(head[1:], "little" if head[0] else "big")
    dimension = word // 1000
    return _TYPES.get(word % 1000, f"number {word}"), dimension in {1, 3}, dimension in {2, 3}


def _index(
    found: Judge,
    database: sqlite3.Connection,
    table: str,
    geometry: DescribedColumn,
    filled: int,
    *,
    extended: bool,
) -> None:
    name = f"rtree_{table}_{geometry.name}"
    declared = extended and _extension(database, table, geometry.name, "gpkg_rtree_index")
    sql = database.execute(
        "SELECT sql FROM sqlite_master WHERE lower(name) = lower(?)", (name,)
    ).fetchone()
    if sql is None:
        told = f"the R-tree of {table}.{geometry.name} is declared, but not there"
        found.expect("Req 77", not declared, told)
        found.fail("RQ9", f"{table}.{geometry.name} has no R-tree")
        return
    told = f"{name} is not declared in gpkg_extensions with the scope write-only"
    found.expect("Req 78", bool(declared), told)
    if not found.expect("Req 77", is_rtree(sql[0]), f"{name} is not an R-tree"):
        return
    _triggers(found, database, table, name)
    answer = str(database.execute("SELECT rtreecheck(?)", (name,)).fetchone()[0])
    found.expect("RQ10", answer == "ok", f"{name} is damaged: {' '.join(answer.split())[:200]}")
    (entries,) = database.execute(f"SELECT COUNT(*) FROM {quoted(name)}").fetchone()  # noqa: S608
    told = f"{name} has {entries} entries for {filled} geometries"
    found.expect("RQ10", entries == filled, told)


def is_rtree(sql: object) -> bool:
    """True for the SQL that creates a virtual table of SQLite's R*Tree module."""
    return re.search(r"\busing\s+\"?rtree", str(sql), re.IGNORECASE) is not None


def _triggers(found: Judge, database: sqlite3.Connection, table: str, name: str) -> None:
    """Expects the triggers that keep an R-tree up to date, in the names of any version."""
    triggers = {
        str(n).casefold(): str(sql).casefold()
        for n, sql in database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' "
            "AND lower(tbl_name) = lower(?)",
            (table,),
        )
    }
    written = name.replace('"', '""').casefold()
    working = {n for n, sql in triggers.items() if written in sql.partition(" begin")[2]}
    for event, choices in _TRIGGERS.items():
        there = any(all(f"{name}_{n}".casefold() in working for n in names) for names in choices)
        found.expect("Req 75", there, f"{name} has no trigger that keeps it up to date on {event}")


def _count(found: Judge, database: sqlite3.Connection, table: str) -> None:
    if not columns_of(database, "gpkg_ogr_contents"):
        return
    told = database.execute(
        "SELECT feature_count FROM gpkg_ogr_contents WHERE lower(table_name) = lower(?)", (table,)
    ).fetchone()
    (rows,) = database.execute(f"SELECT COUNT(*) FROM {quoted(table)}").fetchone()  # noqa: S608
    if told is not None and told[0] is not None:
        reason = f"gpkg_ogr_contents counts {told[0]} features in {table}, there are {rows}"
        found.expect("RQ11", told[0] == rows, reason)


def _extension(database: sqlite3.Connection, table: str, column: str, extension: str) -> bool:
    row = database.execute(
        "SELECT 1 FROM gpkg_extensions WHERE lower(table_name) = lower(?) AND "
        "lower(column_name) = lower(?) AND lower(extension_name) = lower(?) AND scope IN "
        "('read-write', 'write-only')",
        (table, column, extension),
    ).fetchone()
    return row is not None


def _snake(name: str) -> bool:
    return _SNAKE_CASE.fullmatch(name) is not None


def _length(found: Judge, what: str, name: str) -> None:
    right = len(name) <= _LONGEST_NAME
    found.expect("RQ21", right, f"the name of {what} has {len(name)} characters")
