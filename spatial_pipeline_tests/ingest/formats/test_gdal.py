"""Layers through GDAL: what they declare, and FlatGeobuf with faults."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from pathlib import Path

import pyproj
import pytest
import shapely

from spatial_pipeline.ingest.formats import gdal
from spatial_pipeline_tests.ingest.sources import (
    cut,
    geometries,
    overwrite,
    points,
    staged_vector,
    table_of,
    write_layer,
)


@pytest.mark.parametrize(
    "crs", ["EPSG:4326", "EPSG:32633", "EPSG:3035", "EPSG:2180", "EPSG:7789", "ESRI:102003", None]
)
def test_the_crs_survives(tmp_path: Path, crs: str | None) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        path = write_layer(tmp_path / "a.gpkg", table_of(points(3)), "Point", crs)
    profile, _ = staged_vector(path, tmp_path / "s")
    if crs is None:
        assert profile.crs is None or "undefined" in profile.crs.casefold()
    else:
        assert profile.pyproj_crs is not None
        assert profile.pyproj_crs.equals(pyproj.CRS(crs))


def test_declarations(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.fgb", table_of([shapely.box(1, 2, 3, 4)] * 3), "Polygon")
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.driver == "FlatGeobuf"
    assert profile.layer is None
    assert profile.geometry_type == "Polygon"
    assert profile.declared_count == 3
    assert profile.declared_bounds == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("kind", "declared"), [("Point", "Point"), ("Point Z", "Point Z"), ("Unknown", "Unknown")]
)
def test_declared_types(tmp_path: Path, kind: str, declared: str) -> None:
    shape = shapely.Point(1, 2, 3) if kind == "Point Z" else shapely.Point(1, 2)
    path = write_layer(tmp_path / "a.gpkg", table_of([shape]), kind)
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.geometry_type == declared
    assert profile.layer == "data"


@pytest.mark.parametrize("fraction", [0.05, 0.4, 0.8, 0.99])
def test_flatgeobuf_that_was_cut(tmp_path: Path, fraction: float) -> None:
    path = write_layer(tmp_path / "a.fgb", table_of(points(500), id=list(range(500))), "Point")
    profile, table = staged_vector(cut(path, fraction), tmp_path / "s")
    assert profile.error is not None
    assert profile.error.startswith(("a.fgb: ", "'a.fgb'"))
    assert table.num_rows == 0


def test_flatgeobuf_with_a_damaged_middle(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.fgb", table_of(points(500), id=list(range(500))), "Point")
    profile, _ = staged_vector(overwrite(path, 0.7, 400), tmp_path / "s")
    assert "the file is cut in feature 266" in str(profile.error)
    assert profile.declared_count == 500
    assert [c.name for c in profile.columns] == ["id"]


def test_batches_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_layer(tmp_path / "a.gpkg", table_of(points(500), id=list(range(500))), "Point")
    profile, table = staged_vector(path, tmp_path / "s")
    monkeypatch.setattr(gdal, "BATCH_ROWS", 7)
    again, rows = staged_vector(path, tmp_path / "t")
    assert again == profile
    assert rows.equals(table)


@pytest.mark.parametrize("name", ["a b.geojson", "ö.geojson", "a.zip.geojson",
                                  "%2e.geojson", "x?y.geojson", "q'\".geojson"])  # fmt: skip
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    write_layer(tmp_path / "plain.geojson", table_of(points(3)), "Point")
    (tmp_path / "plain.geojson").rename(tmp_path / name)
    profile, _ = staged_vector(tmp_path / name, tmp_path / "s")
    assert profile.error is None
    assert profile.count == 3


def test_a_name_that_pyogrio_cannot_take(tmp_path: Path) -> None:
    write_layer(tmp_path / "a.fgb", table_of(points(3)), "Point")
    (tmp_path / "a.fgb").rename(tmp_path / "a!b.fgb")
    profile, _ = staged_vector(tmp_path / "a!b.fgb", tmp_path / "s")
    assert "a!b.fgb: pyogrio takes a path with !" in str(profile.error)


@pytest.mark.parametrize("suffix", ["gpkg", "fgb", "geojson", "shp", "sqlite", "csv"])
def test_nulls_beside_values(tmp_path: Path, suffix: str) -> None:
    shapes = [shapely.Point(i, i) if i % 3 else None for i in range(50)]
    names = [f"name {i}" if i % 4 else None for i in range(50)]
    how = {"fgb": {"SPATIAL_INDEX": "NO"}, "csv": {"GEOMETRY": "AS_WKT"}}.get(suffix, {})
    if suffix == "csv":
        how["GEOMETRY_NAME"] = "geometry"
    path = write_layer(tmp_path / f"a.{suffix}", table_of(shapes, name=names), "Point", **how)
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert profile.undecodable == ()
    assert geometries(profile, table) == shapes
    assert table["name"].to_pylist() == names


def test_columns_that_may_not_be_null_are_told(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.gpkg", table_of(points(3), id=[1, 2, 3]), "Point")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE data ADD COLUMN strict INTEGER NOT NULL DEFAULT 5")
        database.commit()
    profile, table = staged_vector(path, tmp_path / "s")
    assert [(c.name, c.nullable) for c in profile.columns] == [("id", True), ("strict", False)]
    assert table["strict"].to_pylist() == [5, 5, 5]


def test_unknown_files(tmp_path: Path) -> None:
    for name in ("a.gpkg", "a.json", "a.txt", "a.shp", "a"):
        (tmp_path / name).write_bytes(b"something else entirely")
        profile, _ = staged_vector(tmp_path / name, tmp_path / f"s{name}")
        assert profile.error is not None
        assert f"{name}" in profile.error
        assert "explicitly" not in profile.error
