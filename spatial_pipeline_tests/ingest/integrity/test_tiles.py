"""Damaged pictures in tile tables, which GDAL passes over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rasterio.shutil

from spatial_pipeline_tests.ingest.sources import staged_raster, write_raster

PICTURES = {"PNG": "the PNG is damaged", "JPEG": "the JPEG has no end", "WEBP": "the WebP declares"}


def write(folder: Path, driver: str, picture: str) -> Path:
    values = (np.add.outer(np.arange(600), np.arange(600)) % 251).astype("uint8")
    source = write_raster(folder / "source.tif", np.stack([values] * 3), crs="EPSG:3857")
    path = folder / f"a.{driver.lower()}"
    rasterio.shutil.copy(str(source), str(path), driver=driver, TILE_FORMAT=picture)
    source.unlink()
    return path


def change(path: Path, how: Callable[[bytes], bytes]) -> None:
    """Changes the longest picture."""
    with closing(sqlite3.connect(path)) as database, database:
        table = "a" if path.suffix == ".gpkg" else "tiles"
        if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'images'").fetchone():
            table = "images"
        row, data = database.execute(
            f'SELECT rowid, tile_data FROM "{table}" ORDER BY length(tile_data) DESC LIMIT 1'
        ).fetchone()
        database.execute(
            f'UPDATE "{table}" SET tile_data = ? WHERE rowid = ?',
            (how(data), row),
        )


@pytest.mark.parametrize("driver", ["GPKG", "MBTiles"])
@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.filterwarnings("ignore")
def test_a_picture_that_was_cut(driver: str, picture: str, tmp_path: Path) -> None:
    path = write(tmp_path, driver, picture)
    assert staged_raster(path, tmp_path / "sound")[0].error is None
    change(path, lambda data: data[: len(data) * 2 // 5])
    error = str(staged_raster(path, tmp_path / "s")[0].error)
    assert "1 tiles are damaged: zoom" in error
    assert PICTURES[picture] in error


@pytest.mark.parametrize("driver", ["GPKG", "MBTiles"])
@pytest.mark.filterwarnings("ignore")
def test_a_checksum_that_is_wrong_and_no_picture(driver: str, tmp_path: Path) -> None:
    path = write(tmp_path, driver, "PNG")
    change(path, lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:])
    assert "the checksum of chunk" in str(staged_raster(path, tmp_path / "s")[0].error)
    change(path, lambda _: b"")
    assert "it holds no picture" in str(staged_raster(path, tmp_path / "t")[0].error)
