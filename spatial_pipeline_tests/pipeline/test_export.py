"""What is staged, written to another format and ingested again."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely

from spatial_pipeline.errors import RuleError
from spatial_pipeline.ingest import sort_buffer
from spatial_pipeline.pipeline import export
from spatial_pipeline.pipeline.export import export_raster, export_vector
from spatial_pipeline_tests.ingest.sources import (
    geometries,
    points,
    ramp,
    staged_raster,
    staged_vector,
    table_of,
    write_layer,
    write_raster,
)


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def there_and_back(table, driver, tmp_path, out, kind="Unknown", options=None):
    """The source's profile and rows, and those after a round trip, both in source order."""
    source = write_layer(tmp_path / "source.gpkg", table, kind=kind)
    profile, rows = staged_vector(source, tmp_path / "first")
    written = export_vector(
        tmp_path / "first/staged/data.parquet", profile, out, driver, options or {}
    )
    assert written.exists()
    return profile, rows, *staged_vector(written, tmp_path / "second")


@pytest.mark.parametrize(
    "driver", ["GPKG", "FlatGeobuf", "GeoJSON", "ESRI Shapefile", "Parquet", "SQLite", "GML"]
)
def test_rows_come_back_in_source_order(driver, tmp_path, out):
    n = 500
    shapes = points(n)
    table = table_of(
        shapes, number=pa.array(np.arange(n), pa.int32()), text=[f"é{i}" for i in range(n)]
    )
    profile, _, back, back_rows = there_and_back(table, driver, tmp_path, out, "Point")
    assert back.count == profile.count == n
    assert back.pyproj_crs.equals(profile.pyproj_crs, ignore_axis_order=True)
    # Staged in Hilbert order, so the order of the source is not that of the file.
    staged = pq.read_table(tmp_path / "first/staged/data.parquet").column("number").to_pylist()
    assert staged != list(range(n))
    assert back_rows.column("number").to_pylist() == list(range(n))
    assert back_rows.column("text").to_pylist() == [f"é{i}" for i in range(n)]
    assert shapely.equals_exact(geometries(back, back_rows), shapes, 1e-9).all()
    assert "__row" not in [c.name for c in back.columns]


@pytest.mark.parametrize("driver", ["GPKG", "GeoJSON", "Parquet", "ESRI Shapefile", "CSV"])
def test_nulls(driver, tmp_path, out):
    table = table_of(
        [shapely.Point(1, 2), None, shapely.Point(3, 4)],
        number=pa.array([1, None, 3]), text=["a", None, "c"],
    )  # fmt: skip
    _, _, back, back_rows = there_and_back(table, driver, tmp_path, out, "Point")
    assert back_rows.column("number").to_pylist() == [1, None, 3]
    assert back_rows.column("text").to_pylist() == ["a", None, "c"]
    assert [None if g is None else g.wkt for g in geometries(back, back_rows)] == [
        "POINT (1 2)", None, "POINT (3 4)",
    ]  # fmt: skip


@pytest.mark.parametrize("driver", ["GPKG", "FlatGeobuf", "Parquet", "ESRI Shapefile"])
def test_no_rows(driver, tmp_path, out):
    table = table_of([], number=pa.array([], pa.int32()))
    _, _, back, _ = there_and_back(table, driver, tmp_path, out, "Point")
    assert (back.count, back.error) == (0, None)
    assert [c.name for c in back.columns] == ["number"]


def test_single_and_multiple_parts_stay_apart(tmp_path, out):
    one = shapely.box(0, 0, 1, 1)
    mixed = [one, shapely.MultiPolygon([one, shapely.box(2, 0, 3, 1)])]
    _, _, back, rows = there_and_back(table_of(mixed), "GPKG", tmp_path, out)
    assert [g.geom_type for g in geometries(back, rows)] == ["Polygon", "MultiPolygon"]


def test_a_shapefile_takes_both(tmp_path, out):
    one = shapely.box(0, 0, 1, 1).reverse()
    mixed = [one, shapely.MultiPolygon([one, shapely.box(2, 0, 3, 1).reverse()])]
    _, _, back, rows = there_and_back(table_of(mixed), "ESRI Shapefile", tmp_path, out)
    assert [len(shapely.get_parts(g)) for g in geometries(back, rows)] == [1, 2]


@pytest.mark.parametrize(
    ("driver", "column"), [("GPKG", "fid"), ("GPKG", "FID"), ("OpenFileGDB", "OBJECTID")]
)
def test_a_column_is_not_taken_for_the_number_of_the_row(driver, column, tmp_path, out):
    shapes = [shapely.Point(i, 0) for i in range(3)]
    path = tmp_path / "source.parquet"
    column_of = {"encoding": "WKB", "geometry_types": ["Point"]}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column_of}}
    table = table_of(shapes, **{column: pa.array([3, 2, 1], pa.int32())})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    profile, _ = staged_vector(path, tmp_path / "first")
    written = export_vector(tmp_path / "first/staged/data.parquet", profile, out, driver)
    back, rows = staged_vector(written, tmp_path / "second")
    assert rows.column(column).to_pylist() == [3, 2, 1]
    assert [round(g.x) for g in geometries(back, rows)] == [0, 1, 2]


def test_spreadsheets_hold_no_geometry(tmp_path, out):
    table = table_of([shapely.Point(0, 0)], number=[1])
    _, _, back, rows = there_and_back(table, "XLSX", tmp_path, out)
    assert back.geometry_column is None
    assert rows.column("number").to_pylist() == [1]


def test_options_of_the_driver(tmp_path, out):
    table = table_of([shapely.Point(0.123456789, 0)])
    *_, rows = there_and_back(
        table, "GeoJSON", tmp_path, out, options={"COORDINATE_PRECISION": "3"}
    )
    assert shapely.from_wkb(rows.column("geometry")[0].as_py()).x == 0.123


def test_more_rows_than_memory_holds(tmp_path, out, monkeypatch):
    n = 3000
    monkeypatch.setattr(export, "BATCH_ROWS", 100)
    monkeypatch.setattr(
        export,
        "ExternalSortBuffer",
        lambda schema, folder: sort_buffer.ExternalSortBuffer(schema, folder, 1000, 2000),
    )
    table = table_of(points(n), number=pa.array(np.arange(n), pa.int32()))
    _, _, _, rows = there_and_back(table, "FlatGeobuf", tmp_path, out, "Point")
    assert rows.column("number").to_pylist() == list(range(n))
    assert [p.name for p in out.iterdir()] == ["data.fgb"]


def test_geoparquet_without_helper_columns(tmp_path, out):
    table = table_of(points(20), number=pa.array(np.arange(20), pa.int32()))
    profile, rows, back, back_rows = there_and_back(table, "Parquet", tmp_path, out, "Point")
    written = pq.read_schema(out / "data.parquet")
    assert written.names == ["number", profile.geometry_column]
    column = json.loads(written.metadata[b"geo"])["columns"][profile.geometry_column]
    assert "covering" not in column
    assert back.columns == profile.columns
    assert back_rows.column(back.geometry_column) == rows.column(profile.geometry_column)


@pytest.mark.parametrize("driver", ["Nope", "GTiff", "OAPIF"])
def test_formats_that_nothing_writes(driver, tmp_path, out):
    profile, _ = staged_vector(
        write_layer(tmp_path / "source.gpkg", table_of([shapely.Point(0, 0)])), tmp_path / "first"
    )
    staged = tmp_path / "first/staged/data.parquet"
    with pytest.raises(RuleError, match=f"no driver '{driver}' writes features; .*GPKG.*Parquet"):
        export_vector(staged, profile, out, driver)
    assert not list(out.iterdir())


def test_features_that_a_format_cannot_hold(tmp_path, out):
    profile, _ = staged_vector(
        write_layer(tmp_path / "source.gpkg", table_of([shapely.box(0, 0, 1, 1)])),
        tmp_path / "first",
    )
    staged = tmp_path / "first/staged/data.parquet"
    with pytest.raises(RuleError, match=r"source\.gpkg cannot be written as GPX: .*Polygon"):
        export_vector(staged, profile, out, "GPX")


@pytest.mark.parametrize("driver", ["GTiff", "COG", "PNG", "HFA"])
def test_rasters(driver, tmp_path, out):
    values = ramp(1, 150, 200)
    source = write_raster(tmp_path / "source.tif", values, nodata=7)
    profile, staged = staged_raster(source, tmp_path / "first")
    written = export_raster(staged, profile, out, driver)
    with rasterio.open(written) as dataset:
        assert dataset.driver == ("GTiff" if driver == "COG" else driver)
        assert (dataset.read() == values).all()
    back, _ = staged_raster(written, tmp_path / "second")
    assert (back.width, back.height, back.error) == (200, 150, None)


def test_raster_options(tmp_path, out):
    profile, staged = staged_raster(
        write_raster(tmp_path / "source.tif", ramp(1, 64, 64, "uint8")), tmp_path / "first"
    )
    written = export_raster(staged, profile, out, "GTiff", {"COMPRESS": "LZW"})
    with rasterio.open(written) as dataset:
        assert dataset.compression.name == "lzw"


@pytest.mark.parametrize("driver", ["Nope", "GeoJSON", "GPX"])
def test_raster_formats_that_nothing_writes(driver, tmp_path, out):
    profile, staged = staged_raster(
        write_raster(tmp_path / "source.tif", ramp(1, 8, 8)), tmp_path / "first"
    )
    with pytest.raises(RuleError, match=f"no driver '{driver}' writes rasters; .*COG.*GTiff"):
        export_raster(staged, profile, out, driver)


def test_a_raster_that_a_format_cannot_hold(tmp_path, out):
    values = ramp(1, 16, 16).astype("float64")
    profile, staged = staged_raster(
        write_raster(tmp_path / "source.tif", values), tmp_path / "first"
    )
    with pytest.raises(RuleError, match=r"source\.tif cannot be written as GIF"):
        export_raster(staged, profile, out, "GIF")


def test_asking_for_drivers_prints_nothing() -> None:
    """rasterio sets GDAL_DATA for the thread that imports it; others asked without it."""
    code = (
        "import threading\n"
        "def thread(call):\n"
        "    t = threading.Thread(target=call); t.start(); t.join()\n"
        "thread(lambda: __import__('rasterio'))\n"
        "from spatial_pipeline.pipeline.export import export_raster\n"
        "def asked():\n"
        "    try:\n"
        "        export_raster(None, None, None, 'nothing', {})\n"
        "    except Exception as exc:\n"
        "        print(type(exc).__name__)\n"
        "thread(asked)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "GDAL_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert (done.stdout, done.stderr) == ("RuleError\n", "")
