"""Requirements on the metadata and schema extensions of a GeoPackage, by OGC's numbers.

Source: OGC 12-128r19 (GeoPackage 1.4), annexes F.8 (metadata) and F.9 (schema).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from spatial_pipeline.ingest.conformance import geopackage_tables
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.conformance.moments import is_moment
from spatial_pipeline.ingest.integrity.geopackage import quoted

REQUIREMENTS = tuple(f"Req {n}" for n in (*range(93, 115), 140, 141))
METADATA, REFERENCE = "gpkg_metadata", "gpkg_metadata_reference"
COLUMNS, CONSTRAINTS = "gpkg_data_columns", "gpkg_data_column_constraints"
_STRUCTURE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    METADATA: ("Req 93", ("id", "md_scope", "md_standard_uri", "mime_type", "metadata")),
    REFERENCE: ("Req 95", ("reference_scope", "table_name", "column_name", "row_id_value",
                           "timestamp", "md_file_id", "md_parent_id")),
    COLUMNS: ("Req 103", ("table_name", "column_name", "name", "title", "description", "mime_type",
                          "constraint_name")),
    CONSTRAINTS: ("Req 107", ("constraint_name", "constraint_type", "value", "min",
                              "min_is_inclusive", "max", "max_is_inclusive", "description")),
}  # fmt: skip
_RENAMED = {"min_is_inclusive": "minisinclusive", "max_is_inclusive": "maxisinclusive"}
"""Names of columns in GeoPackage 1.0."""
_SCOPES = frozenset({
    "undefined", "fieldSession", "collectionSession", "series", "dataset", "featureType",
    "feature", "attributeType", "attribute", "tile", "model", "catalog", "schema", "taxonomy",
    "software", "service", "collectionHardware", "nonGeographicDataset", "dimensionGroup", "style",
})  # fmt: skip
_REFERENCES = frozenset({"geopackage", "table", "column", "row", "row/col"})
_CONSTRAINTS = frozenset({"range", "enum", "glob"})


def judge(found: Judge, database: sqlite3.Connection) -> None:
    """Judges the tables of both extensions that are there."""
    relations = {
        str(n).casefold()
        for (n,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        )
    }
    there = {name: _structure(found, database, name) for name in _STRUCTURE if name in relations}
    declared = _declared(database) if "gpkg_extensions" in relations else set()
    for name, extension, code in (
        (METADATA, "gpkg_metadata", "Req 140"), (COLUMNS, "gpkg_schema", "Req 141"),
    ):  # fmt: skip
        told = f"there is a table {name}, and no extension {extension} is declared"
        found.expect(code, name not in there or extension in declared, told)
    if METADATA in there and REFERENCE not in there:
        found.fail("Req 95", f"the table {REFERENCE} is missing")
    if there.get(METADATA):
        _metadata(found, database)
    if there.get(METADATA) and there.get(REFERENCE):
        _references(found, database, relations)
    if there.get(COLUMNS):
        _columns(found, database, constrained=there.get(CONSTRAINTS, False))
    if there.get(CONSTRAINTS):
        _constraints(found, database)


def _declared(database: sqlite3.Connection) -> set[str]:
    names = database.execute("SELECT extension_name FROM gpkg_extensions")
    return {str(name).casefold() for (name,) in names}


def _structure(found: Judge, database: sqlite3.Connection, table: str) -> bool:
    code, columns = _STRUCTURE[table]
    there = geopackage_tables.columns_of(database, table)
    lost = [c for c in columns if c not in there and _RENAMED.get(c) not in there]
    found.expect(code, not lost, f"{table} has no column {', '.join(lost)}")
    return all(c in there for c in columns)


def _metadata(found: Judge, database: sqlite3.Connection) -> None:
    for (scope,) in database.execute("SELECT DISTINCT md_scope FROM gpkg_metadata"):
        found.expect("Req 94", scope in _SCOPES, f"md_scope {scope!r} is not in the code list")


def _references(found: Judge, database: sqlite3.Connection, relations: set[str]) -> None:
    rows = database.execute(
        "SELECT reference_scope, table_name, column_name, row_id_value, timestamp, md_file_id, "
        "md_parent_id, md_file_id IN (SELECT id FROM gpkg_metadata), md_parent_id IS NULL OR "
        "md_parent_id IN (SELECT id FROM gpkg_metadata) FROM gpkg_metadata_reference"
    ).fetchall()
    for scope, table, column, row, moment, file, parent, known, parent_known in rows:
        if not found.expect("Req 96", scope in _REFERENCES, f"reference_scope is {scope!r}"):
            continue
        there = table is not None and str(table).casefold() in relations
        right = there if scope != "geopackage" else table is None
        told = f"table_name {table!r} of the reference scope {scope}"
        if not found.expect("Req 97", right, told):
            continue
        columns = geopackage_tables.columns_of(database, str(table)) if there else {}
        named = scope in {"column", "row/col"}
        right = str(column).casefold() in columns if named else column is None
        found.expect("Req 98", right, f"column_name {column!r} of the reference scope {scope}")
        right = _has_row(database, str(table), row) if scope.startswith("row") else row is None
        found.expect("Req 99", right, f"row_id_value {row!r} of the reference scope {scope}")
        found.expect("Req 100", is_moment(moment), f"timestamp {moment!r} is not an ISO 8601 time")
        found.expect("Req 101", bool(known), f"md_file_id {file} is not in gpkg_metadata")
        told = f"md_parent_id {parent} of md_file_id {file}"
        found.expect("Req 102", bool(parent_known) and parent != file, told)


def _has_row(database: sqlite3.Connection, table: str, row: object) -> bool:
    if not isinstance(row, int):
        return False
    try:
        query = f"SELECT 1 FROM {quoted(table)} WHERE rowid = ?"  # noqa: S608
        return database.execute(query, (row,)).fetchone() is not None
    except sqlite3.OperationalError:
        # A view has no rowid.
        return True


def _columns(found: Judge, database: sqlite3.Connection, *, constrained: bool) -> None:
    rows = database.execute(
        "SELECT d.table_name, d.column_name, d.constraint_name, c.table_name IS NOT NULL "
        "FROM gpkg_data_columns AS d LEFT JOIN gpkg_contents AS c "
        "ON lower(c.table_name) = lower(d.table_name)"
    ).fetchall()
    names = set()
    if constrained:
        known = database.execute("SELECT constraint_name FROM gpkg_data_column_constraints")
        names = {str(n).casefold() for (n,) in known}
    for table, column, constraint, listed in rows:
        told = f"gpkg_data_columns names {table}, which gpkg_contents does not list"
        if found.expect("Req 104", bool(listed), told):
            there = str(column).casefold() in geopackage_tables.columns_of(database, str(table))
            told = f"gpkg_data_columns names {table}.{column}, which is not a column"
            found.expect("Req 105", there, told)
        if constraint is not None:
            told = f"constraint {constraint} of {table}.{column} is not defined"
            found.expect("Req 106", str(constraint).casefold() in names, told)


def _constraints(found: Judge, database: sqlite3.Connection) -> None:
    rows = database.execute(
        "SELECT constraint_name, constraint_type, value, min, min_is_inclusive, max, "
        "max_is_inclusive FROM gpkg_data_column_constraints"
    ).fetchall()
    names = [str(r[0]).casefold() for r in rows]
    for name, kind, value, low, low_in, high, high_in in rows:
        if not found.expect(
            "Req 108", kind in _CONSTRAINTS, f"constraint {name} is of the type {kind!r}"
        ):
            continue
        if kind == "range":
            alone = names.count(str(name).casefold()) == 1
            found.expect("Req 109", alone, f"the range {name} stands there several times")
            found.expect("Req 110", value is None, f"the range {name} has the value {value!r}")
            ordered = low is not None and high is not None and low < high
            found.expect("Req 111", ordered, f"the range {name} is from {low} to {high}")
            flags = low_in in {0, 1} and high_in in {0, 1}
            told = f"the inclusiveness of the range {name} is {low_in!r} and {high_in!r}"
            found.expect("Req 112", flags, told)
        else:
            bare = all(v is None for v in (low, low_in, high, high_in))
            found.expect("Req 113", bare, f"the {kind} {name} has a minimum or a maximum")
            found.expect("Req 114", value is not None, f"the {kind} {name} has no value")
