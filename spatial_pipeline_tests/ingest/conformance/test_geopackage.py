"""A file that breaks one requirement is found by its code; a good one has no finding."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from spatial_pipeline.ingest.conformance import geopackage
from spatial_pipeline_tests.ingest.sources import staged_vector, table_of, write_layer

SQUARES = [shapely.box(i, 0, i + 1, 1) for i in range(3)]


def written(
    path: Path, crs: str = "EPSG:28992", kind: str = "Polygon", layer: str | None = None
) -> Path:
    pyogrio.raw.write(
        str(path), geometry=np.array(shapely.to_wkb(SQUARES), dtype=object), geometry_type=kind,
        crs=crs, field_data=[np.arange(3)], fields=["a"], layer=layer,
    )  # fmt: skip
    return path


def codes(path: Path, standard: str | None = None) -> set[str]:
    found = geopackage.judge(path, None).evidence()
    return {f.code for f in found.findings if standard in (None, f.standard)}


def test_a_good_file_has_no_finding(tmp_path: Path) -> None:
    assert codes(written(tmp_path / "roads.gpkg")) == set()
    assert codes(written(tmp_path / "utm.gpkg", "EPSG:32633"), geopackage.OGC) == set()
    curves = written(tmp_path / "any.gpkg", kind="Unknown")
    assert codes(curves, geopackage.OGC) == set()
    assert codes(curves) == {"RQ14", "RQ15"}


NO_TRIGGERS = "SELECT 'DROP TRIGGER \"' || name || '\"' FROM sqlite_master WHERE type = 'trigger'"
BREAKS = {
    "Req 2": "PRAGMA application_id = 7",
    "Req 5": "ALTER TABLE roads ADD COLUMN b VARCHAR(3)",
    "Req 7": "CREATE TABLE c (x REFERENCES roads(fid)); INSERT INTO c VALUES (99)",
    "Req 10": "ALTER TABLE gpkg_spatial_ref_sys RENAME COLUMN definition TO wkt",
    "Req 11": "DELETE FROM gpkg_spatial_ref_sys WHERE srs_id = 0",
    "Req 13": "ALTER TABLE gpkg_contents DROP COLUMN min_x",
    "Req 14": "INSERT INTO gpkg_contents (table_name, data_type, srs_id) VALUES ('no', 'tiles', 0)",
    "Req 15": "UPDATE gpkg_contents SET last_change = 'yesterday'",
    "Req 16": "UPDATE gpkg_contents SET srs_id = 77",
    "Req 18": "DELETE FROM gpkg_geometry_columns; ALTER TABLE roads DROP COLUMN geom",
    "Req 19": "UPDATE roads SET geom = x'00' WHERE fid = 1",
    "Req 21": "DROP TABLE gpkg_geometry_columns",
    "Req 22": "DELETE FROM gpkg_geometry_columns",
    "Req 23": "UPDATE gpkg_contents SET data_type = 'attributes'",
    "Req 24": "UPDATE gpkg_geometry_columns SET column_name = 'shape'",
    "Req 25": "UPDATE gpkg_geometry_columns SET geometry_type_name = 'BLOB'",
    "Req 26": "UPDATE gpkg_geometry_columns SET srs_id = 77",
    "Req 27": "UPDATE gpkg_geometry_columns SET z = 1",
    "Req 28": "UPDATE gpkg_geometry_columns SET m = 1",
    "Req 29": "CREATE TABLE t AS SELECT * FROM roads; DROP TABLE roads; "
              "CREATE TABLE roads (fid INTEGER, geom POLYGON, a INTEGER)",
    "Req 31": "UPDATE gpkg_geometry_columns SET geometry_type_name = 'MULTIPOLYGON'",
    "Req 32": "UPDATE gpkg_geometry_columns SET geometry_type_name = 'POINT'",
    "Req 33": "UPDATE roads SET geom = CAST(substr(geom, 1, 4) || x'01000000' || "
              "substr(geom, 9) AS BLOB)",
    "Req 58": "ALTER TABLE gpkg_extensions RENAME COLUMN scope TO s",
    "Req 60": "UPDATE gpkg_extensions SET table_name = 'no'",
    "Req 61": "UPDATE gpkg_extensions SET column_name = 'no'",
    "Req 62": "INSERT INTO gpkg_extensions VALUES (NULL, NULL, 'mine', 'x', 'read-write')",
    "Req 64": "UPDATE gpkg_extensions SET scope = 'all'",
    "Req 68": "UPDATE gpkg_geometry_columns SET geometry_type_name = 'CURVEPOLYGON'",
    "Req 75": "DROP TRIGGER rtree_roads_geom_insert",
    "Req 77": "DROP TABLE rtree_roads_geom",
    "Req 78": "DELETE FROM gpkg_extensions",
    "Req 146": "UPDATE gpkg_contents SET srs_id = 4326",
    "RQ10": "DELETE FROM rtree_roads_geom WHERE id = 2",
    "RQ11": "UPDATE gpkg_ogr_contents SET feature_count = 9",
    "RQ1": "UPDATE gpkg_contents SET table_name = 'Roads'; ALTER TABLE roads RENAME TO r; "
           "ALTER TABLE r RENAME TO Roads",
    "RQ2": "DELETE FROM roads",
    "RQ4": "CREATE VIEW v AS SELECT 1",
    "RQ6": "ALTER TABLE roads RENAME COLUMN a TO A1",
    "RQ7": "CREATE TABLE t AS SELECT * FROM roads; DROP TABLE roads; "
           "CREATE TABLE roads (fid INTEGER, geom POLYGON, a INTEGER)",
    "RQ9": "DROP TABLE rtree_roads_geom",
    "RQ13": "INSERT INTO gpkg_geometry_columns VALUES ('no', 'geom', 'POINT', 4326, 0, 0)",
    "RQ14": "UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY'",
    "RQ15": "UPDATE gpkg_geometry_columns SET geometry_type_name = 'MULTIPOLYGON'",
    "RQ21": f"ALTER TABLE roads RENAME COLUMN a TO {'a' * 58}",
    "RQ22": "UPDATE gpkg_spatial_ref_sys SET organization_coordsys_id = 1 WHERE srs_id = 28992",
    "RQ24": "UPDATE roads SET geom = NULL WHERE fid = 1",
    "RC17": "ALTER TABLE roads RENAME COLUMN geom TO shape; "
            "UPDATE gpkg_geometry_columns SET column_name = 'shape'",
    "RC18": "INSERT INTO gpkg_geometry_columns VALUES ('no', 'other', 'POINT', 28992, 0, 0)",
}  # fmt: skip


METADATA = """
    CREATE TABLE gpkg_metadata (id INTEGER PRIMARY KEY, md_scope TEXT, md_standard_uri TEXT,
      mime_type TEXT, metadata TEXT);
    CREATE TABLE gpkg_metadata_reference (reference_scope TEXT, table_name TEXT, column_name TEXT,
      row_id_value INTEGER, timestamp DATETIME, md_file_id INTEGER, md_parent_id INTEGER);
    INSERT INTO gpkg_extensions VALUES
      ('gpkg_metadata', NULL, 'gpkg_metadata', 'x', 'read-write'),
      ('gpkg_metadata_reference', NULL, 'gpkg_metadata', 'x', 'read-write');
    INSERT INTO gpkg_metadata VALUES (1, 'dataset', 'x', 'text/xml', '<a/>');
    INSERT INTO gpkg_metadata_reference VALUES
      ('table', 'roads', NULL, NULL, '2020-01-01T00:00:00.000Z', 1, NULL),
      ('geopackage', NULL, NULL, NULL, '2020-01-01T00:00:00Z', 1, NULL),
      ('row/col', 'roads', 'a', 2, '2020-01-01T00:00:00Z', 1, NULL);
"""
SCHEMA = """
    CREATE TABLE gpkg_data_columns (table_name TEXT, column_name TEXT, name TEXT, title TEXT,
      description TEXT, mime_type TEXT, constraint_name TEXT);
    CREATE TABLE gpkg_data_column_constraints (constraint_name TEXT, constraint_type TEXT,
      value TEXT, min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN,
      description TEXT);
    INSERT INTO gpkg_extensions VALUES
      ('gpkg_data_columns', NULL, 'gpkg_schema', 'x', 'read-write');
    INSERT INTO gpkg_data_column_constraints VALUES ('r', 'range', NULL, 0, 1, 9, 0, NULL),
      ('e', 'enum', 'A', NULL, NULL, NULL, NULL, NULL),
      ('e', 'enum', 'B', NULL, NULL, NULL, NULL, NULL);
    INSERT INTO gpkg_data_columns VALUES ('roads', 'a', 'n', 't', 'd', NULL, 'r');
"""
TRIGGER = """
    DROP TRIGGER rtree_roads_geom_insert;
    CREATE TRIGGER rtree_roads_geom_insert AFTER INSERT ON roads BEGIN SELECT 1; END;
"""


def _reference(change: str) -> str:
    return f"{METADATA} UPDATE gpkg_metadata_reference SET {change} WHERE reference_scope = 'table'"


def _constraint(change: str, name: str) -> str:
    return (
        f"{SCHEMA} UPDATE gpkg_data_column_constraints SET {change} "
        f"WHERE constraint_name = '{name}'"
    )


OTHER_SYSTEM = """
    UPDATE gpkg_spatial_ref_sys SET definition =
      (SELECT definition FROM gpkg_spatial_ref_sys WHERE srs_id = {}) WHERE srs_id = {}
"""
MORE = [
    ("Req 10", "UPDATE gpkg_spatial_ref_sys SET definition = 'x[' WHERE srs_id = 28992"),
    ("Req 10", "UPDATE gpkg_spatial_ref_sys SET definition = 'undefined' WHERE srs_id = 28992"),
    ("Req 10", OTHER_SYSTEM.format(4326, 28992)), ("Req 10", OTHER_SYSTEM.format(28992, 4326)),
    ("Req 19", "UPDATE roads SET geom = x'' WHERE fid = 1"),
    ("Req 13", "UPDATE gpkg_contents SET min_x = 9, max_x = 0"),
    ("Req 15", "UPDATE gpkg_contents SET last_change = '2020-13-41T25:61:61.000Z'"),
    ("Req 15", "UPDATE gpkg_contents SET last_change = '2020-01-01T00:00:00 o clock Z'"),
    ("Req 19", "UPDATE roads SET geom = CAST(x'475000c1' || substr(geom, 5) AS BLOB)"),
    ("Req 61", "INSERT INTO gpkg_extensions VALUES (NULL, 'geom', 'a_b', 'x', 'read-write')"),
    ("Req 62", "INSERT INTO gpkg_extensions VALUES (NULL, NULL, 'my x_y!', 'x', 'read-write')"),
    ("Req 63", "INSERT INTO gpkg_extensions VALUES (NULL, NULL, 'a_b', '', 'read-write')"),
    ("Req 77", "DROP TABLE rtree_roads_geom; CREATE TABLE rtree_roads_geom (id, minx, maxx)"),
    ("Req 93", f"{METADATA} ALTER TABLE gpkg_metadata RENAME COLUMN mime_type TO mime"),
    ("Req 94", f"{METADATA} UPDATE gpkg_metadata SET md_scope = 'all'"),
    ("Req 95", f"{METADATA} DROP TABLE gpkg_metadata_reference"),
    ("Req 96", _reference("reference_scope = 'all'")), ("Req 97", _reference("table_name = 'no'")),
    ("Req 98", _reference("column_name = 'a'")), ("Req 99", _reference("row_id_value = 1")),
    ("Req 99", _reference("reference_scope = 'row', row_id_value = 77")),
    ("Req 100", _reference("timestamp = 'today'")), ("Req 101", _reference("md_file_id = 7")),
    ("Req 102", _reference("md_parent_id = 1")),
    ("Req 103", f"{SCHEMA} ALTER TABLE gpkg_data_columns RENAME COLUMN title TO t"),
    ("Req 104", f"{SCHEMA} UPDATE gpkg_data_columns SET table_name = 'no'"),
    ("Req 105", f"{SCHEMA} UPDATE gpkg_data_columns SET column_name = 'no'"),
    ("Req 106", f"{SCHEMA} UPDATE gpkg_data_columns SET constraint_name = 'no'"),
    ("Req 107", f"{SCHEMA} ALTER TABLE gpkg_data_column_constraints RENAME COLUMN min TO low"),
    ("Req 108", _constraint("constraint_type = 'list'", "r")),
    ("Req 109", _constraint("constraint_name = 'r', constraint_type = 'range'", "e")),
    ("Req 110", _constraint("value = 'x'", "r")), ("Req 111", _constraint("min = 10", "r")),
    ("Req 112", _constraint("min_is_inclusive = 5", "r")), ("Req 113", _constraint("min = 1", "e")),
    ("Req 114", _constraint("value = NULL", "e")),
    ("Req 140", f"{METADATA} DELETE FROM gpkg_extensions WHERE extension_name = 'gpkg_metadata'"),
    ("Req 141", f"{SCHEMA} DELETE FROM gpkg_extensions WHERE extension_name = 'gpkg_schema'"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "sql"), MORE)
def test_what_published_validators_name(code: str, sql: str, tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg")
    with closing(sqlite3.connect(path)) as database:
        for (drop,) in database.execute(NO_TRIGGERS).fetchall():
            database.execute(drop)
        database.executescript("PRAGMA legacy_alter_table = ON;" + sql)
        database.commit()
    assert code in codes(path)


def test_extensions_that_are_declared_and_whole_are_good(tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg")
    with closing(sqlite3.connect(path)) as database:
        database.executescript(METADATA + SCHEMA)
    assert codes(path) == set()


def test_a_trigger_that_does_not_keep_the_index_is_none(tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg")
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TRIGGER)
    assert codes(path) == {"Req 75"}


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.4"])
def test_files_of_every_version_are_good(version: str, tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    table = table_of(SQUARES, a=[1, 2, 3])
    write_layer(path, table, "Polygon", crs="EPSG:28992", VERSION=version)
    assert codes(path, geopackage.OGC) == set()


def test_names_with_quotes_are_found(tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg", layer='my "roads" table')
    assert codes(path, geopackage.OGC) == set()


def test_an_attributes_table_has_a_key(tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE t (n TEXT)")
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type) VALUES ('t', 'attributes')"
        )
    assert {f.code for f in geopackage.judge(path, "t").evidence().findings} >= {"Req 119"}


def _circle(database: sqlite3.Connection) -> None:
    arc = struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0)
    blob = b"GP\0\1" + struct.pack("<i", 28992) + arc
    database.execute("UPDATE roads SET geom = ? WHERE fid = 1", (blob,))


def test_a_curve_among_geometries_of_any_type_is_declared(tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg", kind="Unknown")
    with closing(sqlite3.connect(path)) as database, database:
        for (drop,) in database.execute(NO_TRIGGERS).fetchall():
            database.execute(drop)
        _circle(database)
    assert "Req 68" in codes(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO gpkg_extensions VALUES "
            "('roads', 'geom', 'gpkg_geom_CIRCULARSTRING', 'x', 'read-write')"
        )
    assert "Req 68" not in codes(path)


@pytest.mark.parametrize(
    ("flags", "envelope", "found"),
    [
        (1, (), False), (3, (0, 1, 0, 1), False), (3, (-1, 2, -1, 2), False),
        (2, (0, 1, 0, 1), False), (3, (5, 6, 0, 1), True), (3, (0, 1, 0, 0.5), True),
        (3, (np.nan,) * 4, True), (17, (), True),
    ],
)  # fmt: skip
def test_headers_are_true_of_their_geometries(
    flags: int, envelope: tuple[float, ...], found: bool, tmp_path: Path
) -> None:
    path = written(tmp_path / "roads.gpkg")
    order = "<" if flags & 1 else ">"
    head = struct.pack(f"{order}i{len(envelope)}d", 28992, *envelope)
    blob = b"GP\0" + bytes([flags]) + head + shapely.to_wkb(SQUARES[0])
    with closing(sqlite3.connect(path)) as database, database:
        for (drop,) in database.execute(NO_TRIGGERS).fetchall():
            database.execute(drop)
        database.execute("UPDATE roads SET geom = ? WHERE fid = 1", (blob,))
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.conformance is not None
    assert ("Req 19" in {f.code for f in profile.conformance.findings}) == found


def test_a_table_that_is_not_listed_leaves_one_layer(tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE helper (id INTEGER PRIMARY KEY)")
        database.execute("CREATE VIEW v AS SELECT a FROM roads")
    profile, _ = staged_vector(path, tmp_path / "s")
    assert (profile.error, profile.count) == (None, 3)
    assert any("gpkg_contents does not list: helper, v" in n for n in profile.notes)


@pytest.mark.parametrize("code", BREAKS)
def test_a_broken_file_is_found_by_the_code_of_its_requirement(code: str, tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg")
    with closing(sqlite3.connect(path)) as database:
        kept = {"Req 75", "Req 77", "RQ9"}
        if code not in kept:
            for (drop,) in database.execute(NO_TRIGGERS).fetchall():
                database.execute(drop)
        database.executescript("PRAGMA legacy_alter_table = ON;" + BREAKS[code])
        database.commit()
    assert code in codes(path)


def test_the_name_and_the_structure_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg")
    assert codes(path.rename(tmp_path / "roads.db")) == {"Req 3"}
    damaged = written(tmp_path / "b.gpkg")
    raw = bytearray(damaged.read_bytes())
    raw[100:4096] = b"\xff" * 3996
    damaged.write_bytes(raw)
    assert codes(damaged) == {"Req 6"}


def test_every_requirement_is_broken_by_a_file() -> None:
    every = {c for codes in geopackage.REQUIREMENTS.values() for c in codes}
    elsewhere = {"Req 3", "Req 6", "Req 119"}
    assert every - set(BREAKS) - {code for code, _ in MORE} == elsewhere


def test_findings_are_in_the_profile_of_readable_and_unreadable_files(tmp_path: Path) -> None:
    path = written(tmp_path / "roads.gpkg", "EPSG:32633")
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.conformance is not None
    assert [f.code for f in profile.conformance.findings] == ["RQ22"]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TABLE gpkg_spatial_ref_sys")
    profile, _ = staged_vector(path, tmp_path / "t")
    assert profile.conformance is not None
    assert "Req 10" in {f.code for f in profile.conformance.findings}
