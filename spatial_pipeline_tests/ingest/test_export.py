"""A staged version written in other formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely

from spatial_pipeline.errors import RuleError
from spatial_pipeline.ingest import export
from spatial_pipeline.ingest.export import export_raster, export_vector
from spatial_pipeline_tests.ingest.sources import (
    geometries,
    points,
    ramp,
    stage,
    staged_vector,
    table_of,
    write_layer,
    write_raster,
)

POLYGONS = [shapely.box(i % 7, i % 3, i % 7 + 1, i % 3 + 1) for i in range(30)]
OTHERS = [shapely.MultiPolygon([p]) for p in POLYGONS[:3]]


def exported(folder: Path, shapes: Any, driver: str, **options: str) -> Any:
    """Staged profile and rows, the file made of them, and its profile and rows."""
    table = table_of(
        shapes, id=list(range(len(shapes))), name=[f"ö{i}" for i in range(len(shapes))]
    )
    kind = "Point" if isinstance(shapes[0], shapely.Point) else "Unknown"
    before, rows = staged_vector(write_layer(folder / "a.gpkg", table, kind), folder / "s")
    (folder / "out").mkdir()
    data = folder / "s/staged/data.parquet"
    path = export_vector(data, before, folder / "out", driver, options)
    assert path.parent == folder / "out"
    after, back = staged_vector(path, folder / "t")
    assert after.error is None
    return before, rows, path, after, back


@pytest.mark.parametrize(
    ("driver", "suffix"),
    [("GPKG", ".gpkg"), ("FlatGeobuf", ".fgb"), ("ESRI Shapefile", ".shp"), ("Parquet", ".parquet"),
     ("GeoJSON", ".geojson"), ("CSV", ".csv"), ("SQLite", ".sqlite"), ("MapInfo File", ".tab"),
     ("OpenFileGDB", ".gdb"), ("GML", ".gml")],
)  # fmt: skip
def test_formats_keep_order_and_geometry(tmp_path: Path, driver: str, suffix: str) -> None:
    before, rows, path, after, back = exported(tmp_path, POLYGONS, driver)
    assert path.suffix == suffix
    assert back["name"].to_pylist() == rows["name"].to_pylist()
    assert list(map(int, back["id"].to_pylist())) == list(range(30))
    # GDAL writes rings of some formats the other way round.
    assert shapely.equals(geometries(after, back), geometries(before, rows)).all()
    crs = after.pyproj_crs
    assert driver == "CSV" or (crs is not None and crs.equals(before.pyproj_crs, True))


@pytest.mark.parametrize("driver", ["GPKG", "FlatGeobuf", "Parquet", "GeoJSON", "CSV"])
def test_nulls_and_mixed_types(tmp_path: Path, driver: str) -> None:
    shapes = [POLYGONS[0], None, *OTHERS, POLYGONS[1]]
    before, rows, _, after, back = exported(tmp_path, shapes, driver)
    assert geometries(after, back) == geometries(before, rows)


def test_a_format_with_one_type_gets_the_multi_form(tmp_path: Path) -> None:
    shapes = [POLYGONS[0], *OTHERS]
    *_, after, back = exported(tmp_path, shapes, "OpenFileGDB")
    assert after.geometry_type == "MultiPolygon"
    assert shapely.equals(geometries(after, back), shapes).all()


def test_options_of_the_driver(tmp_path: Path) -> None:
    *_, path, _, _ = exported(tmp_path, points(5).tolist(), "GeoJSON", COORDINATE_PRECISION="2")
    first = json.loads(path.read_text())["features"][0]["geometry"]["coordinates"]
    assert first == [round(c, 2) for c in first]


def test_order_does_not_depend_on_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH_ROWS", 7)
    _, rows, _, _, back = exported(tmp_path, points(100).tolist(), "FlatGeobuf")
    assert back["id"].to_pylist() == rows["id"].to_pylist()


def test_no_features(tmp_path: Path) -> None:
    before = stage("vector", write_layer(tmp_path / "a.fgb", table_of([])), tmp_path / "s")
    path = export_vector(tmp_path / "s/staged/data.parquet", before, tmp_path, "GPKG")
    assert stage("vector", path, tmp_path / "t").count == 0


@pytest.mark.parametrize(
    ("driver", "options", "message"),
    [
        ("Nonsense", {}, "no driver 'Nonsense' writes features; these do: .*GPKG"),
        ("OSM", {}, "no driver 'OSM' writes features"),
        ("ESRI Shapefile", {}, "cannot be written as ESRI Shapefile"),
    ],
)
def test_what_cannot_be_written(
    tmp_path: Path, driver: str, options: dict[str, str], message: str
) -> None:
    table = table_of([shapely.Point(0, 0), POLYGONS[0]])
    before = stage("vector", write_layer(tmp_path / "a.gpkg", table), tmp_path / "s")
    with pytest.raises(RuleError, match=message):
        export_vector(tmp_path / "s/staged/data.parquet", before, tmp_path, driver, options)


def test_geoparquet_carries_no_helpers(tmp_path: Path) -> None:
    *_, path, after, _ = exported(tmp_path, POLYGONS, "Parquet")
    assert pq.read_schema(path).names == ["id", "name", "geom"]
    assert after.notes == ()


@pytest.mark.parametrize(
    ("driver", "suffix"), [("GTiff", ".tif"), ("HFA", ".img"), ("PNG", ".png"), ("ENVI", ".bin")]
)
def test_rasters(tmp_path: Path, driver: str, suffix: str) -> None:
    values = ramp(3, 200, 300, "uint8")
    profile = stage("raster", write_raster(tmp_path / "a.tif", values), tmp_path / "s")
    (tmp_path / "out").mkdir()
    data = tmp_path / "s/staged/data.tif"
    path = export_raster(data, profile, tmp_path / "out", driver)
    assert path.suffix == suffix
    back = stage("raster", path, tmp_path / "t")
    assert back.error is None
    assert back.transform == profile.transform
    with rasterio.open(tmp_path / "t/staged/data.tif") as dataset:
        assert np.array_equal(dataset.read(), values)


@pytest.mark.parametrize(
    ("driver", "message"),
    [("Nonsense", "no driver 'Nonsense' writes rasters"), ("PNG", "cannot be written as PNG")],
)
def test_rasters_that_cannot_be_written(tmp_path: Path, driver: str, message: str) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(7, 20, 30, "float32"))
    profile = stage("raster", path, tmp_path / "s")
    with pytest.raises(RuleError, match=message):
        export_raster(tmp_path / "s/staged/data.tif", profile, tmp_path, driver)
