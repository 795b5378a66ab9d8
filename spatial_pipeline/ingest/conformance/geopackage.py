"""GeoPackage: OGC's requirements by their numbers, and PDOK's by its codes.

Requirements on the file are judged as a whole, those on a table for the one that is read: each
table of a file has a contract of its own.

Sources: OGC 12-128r19 (GeoPackage 1.4), with the numbers of its requirements; the list of PDOK's
geopackage-validator 0.10, without RQ8 (which ``columns`` judges), RQ23, RC19 and RC20 (which
``valid_geometry``, ``simple_geometry``, ``dimensions`` and ``ring_orientation`` do) and without
legacy codes. RQ10 and RQ11 hold for every GeoPackage: a stale index and a stale count mislead
readers.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.ingest.conformance import geopackage_extensions, geopackage_tables
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.conformance.moments import is_moment
from spatial_pipeline.ingest.integrity.geopackage import bounded

OGC, PDOK = "OGC 12-128r19", "PDOK"
REQUIREMENTS = {
    OGC: (
        *(f"Req {n}" for n in (2, 3, 5, 6, 7, 10, 11, 13, 14, 15, 16, 18, 19, 21, 22, 23, 24, 25,
                               26, 27, 28, 29, 31, 32, 33, 58, 60, 61, 62, 63, 64, 68, 75, 77,
                               78)),
        *geopackage_extensions.REQUIREMENTS, "Req 119", "Req 146",
        "RQ10", "RQ11",
    ),
    PDOK: ("RQ1", "RQ2", "RQ4", "RQ6", "RQ7", "RQ9", "RQ13", "RQ14", "RQ15", "RQ21", "RQ22",
           "RQ24", "RC17", "RC18"),
}  # fmt: skip
RECOMMENDED = frozenset({"RC17", "RC18"})
APPLICATION_IDS = {0x47503130: "GP10", 0x47503131: "GP11", 0x47504B47: "GPKG"}
_STRUCTURE = {
    "Req 10": ("gpkg_spatial_ref_sys", {
        "srs_name": "TEXT", "srs_id": "INTEGER", "organization": "TEXT",
        "organization_coordsys_id": "INTEGER", "definition": "TEXT", "description": "TEXT",
    }),
    "Req 13": ("gpkg_contents", {
        "table_name": "TEXT", "data_type": "TEXT", "identifier": "TEXT", "description": "TEXT",
        "last_change": "DATETIME", "min_x": "DOUBLE", "min_y": "DOUBLE", "max_x": "DOUBLE",
        "max_y": "DOUBLE", "srs_id": "INTEGER",
    }),
    "Req 21": ("gpkg_geometry_columns", {
        "table_name": "TEXT", "column_name": "TEXT", "geometry_type_name": "TEXT",
        "srs_id": "INTEGER", "z": "TINYINT", "m": "TINYINT",
    }),
    "Req 58": ("gpkg_extensions", {
        "table_name": "TEXT", "column_name": "TEXT", "extension_name": "TEXT",
        "definition": "TEXT", "scope": "TEXT",
    }),
}  # fmt: skip
_WKT2 = "definition_12_063"
_WITHOUT_CRS = {-1: "NONE", 0: "NONE"}
_EXTENSION_NAME = re.compile(r"[A-Za-z0-9]+_[A-Za-z0-9_]+")


def judge(file: Path, layer: str | None) -> Judge:
    """The findings about a GeoPackage and about one of its tables.

    Args:
        file: the private copy or view of the database.
        layer: the table that is read; None for the only one.

    """
    found = Judge("GeoPackage", REQUIREMENTS, RECOMMENDED)
    found.expect("Req 3", file.suffix.casefold() == ".gpkg", f"the suffix is {file.suffix!r}")
    try:
        with closing(bounded(file)) as database:
            database.text_factory = lambda raw: raw.decode("utf-8", "replace")
            _judge(found, database, layer)
    except sqlite3.DatabaseError as exc:
        found.fail("Req 6", f"the database cannot be read: {' '.join(str(exc).split())[:200]}")
    return found


def _judge(found: Judge, database: sqlite3.Connection, layer: str | None) -> None:
    _header(found, database)
    whole = {code: _structure(found, database, code) for code in ("Req 10", "Req 13")}
    if whole["Req 10"]:
        _reference_systems(found, database)
        _definitions(found, database)
    if not whole["Req 13"]:
        return
    _contents(found, database, references=whole["Req 10"])
    features = [
        str(t)
        for (t,) in database.execute(
            "SELECT table_name FROM gpkg_contents WHERE data_type = 'features' ORDER BY table_name"
        )
    ]
    described = _structure(found, database, "Req 21", needed=bool(features))
    extended = _structure(found, database, "Req 58", needed=False)
    if extended:
        _extensions(found, database)
    geopackage_extensions.judge(found, database)
    for relation in database.execute("SELECT name FROM sqlite_master WHERE type = 'view'"):
        found.fail("RQ4", f"there is a view {relation[0]}")
    if described:
        _geometry_columns(found, database, references=whole["Req 10"])
    name = layer if layer is not None or len(features) != 1 else features[0]
    if name is not None:
        geopackage_tables.judge(found, database, name, described=described, extended=extended)


def _header(found: Judge, database: sqlite3.Connection) -> None:
    number = int(database.execute("PRAGMA application_id").fetchone()[0])
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    known = APPLICATION_IDS.get(number & 0xFFFFFFFF)
    if found.expect("Req 2", known is not None, f"the application id is 0x{number:08x}, not GPKG"):
        right = known != "GPKG" or version >= 10200
        found.expect("Req 2", right, f"the user version is {version}, not 10200 or later")
    broken = [row[0] for row in database.execute("PRAGMA foreign_key_check")]
    for table in sorted(set(map(str, broken))):
        count = broken.count(table)
        found.fail("Req 7", f"{count} rows of {table} refer to rows that do not exist")


def _structure(
    found: Judge, database: sqlite3.Connection, code: str, *, needed: bool = True
) -> bool:
    """True when a table of the format is there with its columns."""
    table, columns = _STRUCTURE[code]
    there = {
        str(name).casefold(): str(declared).upper()
        for _, name, declared, *_ in database.execute(f"PRAGMA table_info({table})")
    }
    if not there:
        if needed:
            found.fail(code, f"the table {table} is missing")
        return False
    lost = [c for c in columns if c not in there]
    found.expect(code, not lost, f"{table} has no column {', '.join(lost)}")
    other = [f"{c} {there[c]}" for c, kind in columns.items() if there.get(c, kind) != kind]
    found.expect(code, not other, f"columns of {table} have other types: {', '.join(other)}")
    return not lost


def _reference_systems(found: Judge, database: sqlite3.Connection) -> None:
    rows = database.execute(
        "SELECT srs_id, organization, organization_coordsys_id, definition "
        "FROM gpkg_spatial_ref_sys WHERE srs_id IN (-1, 0, 4326)"
    ).fetchall()
    for srs, organization, code, definition in rows:
        wanted = _WITHOUT_CRS.get(srs, "EPSG")
        right = str(organization).upper() == wanted and code == srs
        right &= (definition == "undefined") == (srs in _WITHOUT_CRS)
        found.expect("Req 11", right, f"srs_id {srs} is {organization} {code}, not {wanted} {srs}")
    for srs in sorted({-1, 0, 4326} - {row[0] for row in rows}):
        found.fail("Req 11", f"gpkg_spatial_ref_sys has no srs_id {srs}")


def _definitions(found: Judge, database: sqlite3.Connection) -> None:
    """Expects WKT of WGS 84 and of the systems in use, of the code that it is stored under."""
    rows = database.execute(
        "SELECT * FROM gpkg_spatial_ref_sys WHERE srs_id NOT IN (-1, 0) "
        "AND (srs_id = 4326 OR srs_id IN (SELECT srs_id FROM gpkg_contents))"
    )
    names = [str(column[0]).casefold() for column in rows.description]
    for row in rows.fetchall():
        system = dict(zip(names, row, strict=True))
        texts = [str(system.get(n, "undefined")) for n in ("definition", _WKT2)]
        given = [t for t in texts if t.casefold() != "undefined"]
        told = f"srs_id {system['srs_id']} has no definition"
        if not found.expect("Req 10", bool(given), told):
            continue
        try:
            identifier = pyproj.CRS.from_wkt(given[0]).to_json_dict().get("id", {})
        except CRSError:
            told = f"the definition of srs_id {system['srs_id']} is not WKT: {given[0][:60]!r}"
            found.fail("Req 10", told)
            continue
        known = str(identifier.get("authority", "")).casefold()
        stored = system.get("organization_coordsys_id")
        same = known != str(system.get("organization")).casefold() or known != "epsg"
        same |= str(identifier.get("code")) == str(stored)
        told = f"the definition of srs_id {system['srs_id']} is EPSG {identifier.get('code')}"
        found.expect("Req 10", same, f"{told}, stored as {system.get('organization')} {stored}")


def _contents(found: Judge, database: sqlite3.Connection, *, references: bool) -> None:
    rows = database.execute(
        "SELECT c.table_name, c.srs_id, c.last_change, c.min_x > c.max_x OR c.min_y > c.max_y, "
        "EXISTS (SELECT 1 FROM sqlite_master WHERE lower(name) = lower(c.table_name) "
        "AND type IN ('table', 'view')) FROM gpkg_contents AS c ORDER BY 1"
    ).fetchall()
    known = _known_systems(database) if references else set()
    for name, srs, text, turned, there in rows:
        found.expect("Req 14", bool(there), f"gpkg_contents lists {name}, which is not a table")
        told = f"last_change of {name} is {text!r}, no ISO 8601 time"
        found.expect("Req 15", is_moment(text), told)
        told = f"gpkg_contents has a minimum of {name} above its maximum"
        found.expect("Req 13", not turned, told)
        if references and srs is not None:
            told = f"srs_id {srs} of {name} is not in gpkg_spatial_ref_sys"
            found.expect("Req 16", srs in known, told)


def _geometry_columns(found: Judge, database: sqlite3.Connection, *, references: bool) -> None:
    rows = database.execute(
        "SELECT g.table_name, g.column_name, g.srs_id, g.z, g.m, c.data_type, c.srs_id "
        "FROM gpkg_geometry_columns AS g LEFT JOIN gpkg_contents AS c "
        "ON lower(c.table_name) = lower(g.table_name) ORDER BY 1"
    ).fetchall()
    known = _known_systems(database) if references else set()
    for name, _, srs, z, m, kind, contents in rows:
        found.expect(
            "Req 23", kind == "features", f"{name} is not a features table in gpkg_contents"
        )
        if references:
            told = f"srs_id {srs} of {name} is not in gpkg_spatial_ref_sys"
            found.expect("Req 26", srs in known, told)
        found.expect("Req 27", z in {0, 1, 2}, f"z of {name} is {z!r}, not 0, 1 or 2")
        found.expect("Req 28", m in {0, 1, 2}, f"m of {name} is {m!r}, not 0, 1 or 2")
        if kind == "features":
            told = (
                f"srs_id of {name} is {srs} in gpkg_geometry_columns, {contents} in gpkg_contents"
            )
            found.expect("Req 146", srs == contents, told)
    systems = sorted({str(row[2]) for row in rows})
    found.expect(
        "RQ13", len(systems) < 2, f"geometry columns have the srs_ids {', '.join(systems)}"
    )
    names = sorted({str(row[1]) for row in rows})
    found.expect("RC18", len(names) < 2, f"geometry columns have the names {', '.join(names)}")


def _extensions(found: Judge, database: sqlite3.Connection) -> None:
    rows = database.execute(
        "SELECT table_name, column_name, extension_name, definition, scope FROM gpkg_extensions"
    ).fetchall()
    tables = {
        str(n).casefold()
        for (n,) in database.execute("SELECT name FROM sqlite_master WHERE type <> 'index'")
    }
    for table, column, extension, definition, scope in rows:
        if table is None:
            told = f"extension {extension}: the column {column} is of no table"
            found.expect("Req 61", column is None, told)
        else:
            there = str(table).casefold() in tables
            found.expect("Req 60", there, f"extension {extension}: {table} is not a table")
            if there and column is not None:
                columns = geopackage_tables.columns_of(database, str(table))
                told = f"extension {extension}: {table}.{column} is not a column"
                found.expect("Req 61", str(column).casefold() in columns, told)
        named = _EXTENSION_NAME.fullmatch(str(extension)) is not None
        told = f"extension name {extension!r} is not of the form author_name"
        found.expect("Req 62", named, told)
        found.expect("Req 63", bool(definition), f"extension {extension} has no definition")
        right = scope in {"read-write", "write-only"}
        found.expect("Req 64", right, f"scope of extension {extension} is {scope!r}")


def _known_systems(database: sqlite3.Connection) -> set[object]:
    return {srs for (srs,) in database.execute("SELECT srs_id FROM gpkg_spatial_ref_sys")}
