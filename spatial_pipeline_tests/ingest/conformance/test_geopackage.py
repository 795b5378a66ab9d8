"""A file that breaks one requirement is found by its code; a good one has no finding."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from spatial_pipeline.ingest.conformance import geopackage
from spatial_pipeline_tests.ingest.sources import staged_vector

SQUARES = [shapely.box(i, 0, i + 1, 1) for i in range(3)]


def written(path: Path, crs: str = "EPSG:28992", kind: str = "Polygon") -> Path:
    pyogrio.raw.write(
        str(path), geometry=np.array(shapely.to_wkb(SQUARES), dtype=object), geometry_type=kind,
        crs=crs, field_data=[np.arange(3)], fields=["a"],
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
    assert every - set(BREAKS) == {"Req 3", "Req 6"}


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
