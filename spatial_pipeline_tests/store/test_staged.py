from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from rasterio import Affine

from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.model.profile import BandProfile, RasterProfile, VectorProfile
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.store import staged
from spatial_pipeline.store.staged import StagedRaster, StagedVector
from spatial_pipeline.store.versions import Store

SCRIPT = (
    "import pickle, sys\n"
    "data = pickle.loads(sys.stdin.buffer.read())\n"
    "print(data.version_id, data.path.is_absolute(), data.profile.count)\n"
    "piece = data.take([2, 0], ['id']).table['id'].to_pylist() if sys.argv[1] == 'vector' "
    "else data.read(1, 1, 1, 2).values.tolist()\n"
    "print(piece)\n"
)


def elsewhere(kind: str, data: object, folder: Path) -> list[str]:
    """What another process, in another folder, makes of data that were in use here."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind],
        input=pickle.dumps(data),
        capture_output=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    return done.stdout.decode().splitlines()


def test_another_process_opens_the_same_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = shapely.points(np.arange(5.0), 0.0)
    frame = geopandas.GeoDataFrame({"id": range(5)}, geometry=shapes, crs="EPSG:32633")
    frame.to_parquet(tmp_path / "points.parquet")
    contract = VectorContract.model_validate(
        {"name": "points", "source": {"uri": str(tmp_path / "points.parquet")}, "rules": []}
    )
    monkeypatch.chdir(tmp_path)
    pipeline = Pipeline({}, Store(Path("store")))
    data = pipeline.store.open(pipeline.stage(contract))
    ids = data.take(np.array([2, 0]), ["id"]).table["id"].to_pylist()
    data.feature_bounds()
    (tmp_path / "other").mkdir()
    told = elsewhere("vector", data, tmp_path / "other")
    assert told == [f"{data.version_id} True 5", str(ids)]


def test_another_process_opens_the_same_pixels(tmp_path: Path) -> None:
    source = tmp_path / "grid.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 4, "width": 5, "dtype": "uint8"}
    grid = Affine(10, 0, 500_000, 0, -10, 5e6)
    with rasterio.open(source, "w", **profile, crs="EPSG:32633", transform=grid) as out:
        out.write(np.arange(20, dtype="uint8").reshape(1, 4, 5))
    contract = RasterContract.model_validate(
        {"name": "grid", "source": {"uri": str(source)}, "rules": []}
    )
    pipeline = Pipeline({}, Store(tmp_path / "store"))
    data = pipeline.store.open(pipeline.stage(contract))
    assert data.read(1, 1, 1, 2).values.tolist() == [[[6, 7]]]
    told = elsewhere("raster", data, tmp_path)
    assert told == [f"{data.version_id} True 1", "[[[6, 7]]]"]


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "float32"])
@pytest.mark.parametrize("nodata", [None, 0, 7, -3])
def test_valid_pixels_are_those_that_gdal_says(tmp_path: Path, kind: str, nodata: Any) -> None:
    if nodata == -3 and kind.startswith("uint"):
        nodata = 255
    values = np.random.default_rng(3).integers(0, 9, (2, 64, 48)).astype(kind)
    values[:, 5] = -3 if not kind.startswith("uint") else 255
    path = tmp_path / "r.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=48, height=64, count=2, dtype=kind, nodata=nodata,
        tiled=True, blockxsize=16, blockysize=16, transform=Affine(2, 0, 100, 0, -2, 200),
    ) as file:  # fmt: skip
        file.write(values)
    with rasterio.open(path) as file:
        expected = file.read_masks() != 0
    fields = {
        "uri": "r", "driver": "GTiff", "crs": None, "width": 48, "height": 64,
        "transform": (2.0, 0.0, 100.0, 0.0, -2.0, 200.0), "bands": (BandProfile(kind, nodata),) * 2,
        "block_shapes": ((16, 16),) * 2,
    }  # fmt: skip
    window = StagedRaster(path, RasterProfile(**fields), "v").read(0, 0, 64, 48)
    assert np.array_equal(window.values, values)
    assert np.array_equal(window.valid, expected)


@pytest.mark.parametrize("limit", ["ORDERED_ROWS", "SPARSE"])
@pytest.mark.parametrize("at_once", [2, 64])
def test_rows_and_bounds_of_large_versions_are_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, limit: str
) -> None:
    random = np.random.default_rng(0)
    points = [None, shapely.Point(), *shapely.points(random.random((20, 2)))]
    geopandas.GeoDataFrame({"id": range(22)}, geometry=points, crs="EPSG:32633").to_parquet(
        tmp_path / "points.parquet"
    )
    contract = VectorContract.model_validate(
        {"name": "points", "source": {"uri": str(tmp_path / "points.parquet")}, "rules": []}
    )
    store = Store(tmp_path / "store")
    version = Pipeline(contracts={}, store=store).stage(contract)
    rows = random.permutation(22)[:15]
    kept = store.open(version)
    monkeypatch.setattr(staged, "AT_ONCE", at_once)
    monkeypatch.setattr(staged, limit, 0)
    read = store.open(version)
    assert np.array_equal(read.rows_to_positions(rows), kept.rows_to_positions(rows))
    assert read.rows_to_positions(rows[:0]).tolist() == []
    assert np.array_equal(read.take(read.rows_to_positions(rows), ()).rows, rows)
    every = read.take(np.arange(22), ())
    assert np.array_equal(read.feature_bounds(), shapely.bounds(every.geometry), equal_nan=True)
    parts = np.concatenate([read.batch_bounds(i) for i in range(read.batch_count())])
    assert np.array_equal(parts, read.feature_bounds(), equal_nan=True)


@pytest.mark.parametrize("rows", [[], [0], [2, 0, 1, 3], [5, 2, 9], [0, 3, 1], [7, 0]])
def test_rows_are_found_whether_or_not_some_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[int]
) -> None:
    monkeypatch.setattr(staged, "AT_ONCE", 2)
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"row": pa.array(rows, pa.int64())}), path)
    profile = VectorProfile("v", row_column="row", geometry_column=None, count=len(rows))
    found = StagedVector(path, profile, "v").rows_to_positions(np.array(rows, dtype=np.int64))
    assert found.tolist() == list(range(len(rows)))
