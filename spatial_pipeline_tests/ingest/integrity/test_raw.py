"""Uncompressed rasters that are shorter than their headers say."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from scipy.io import netcdf_file

from spatial_pipeline_tests.ingest.sources import staged_raster, write_raster

FORMATS = {
    "BT": "a.bt", "EHdr": "a.bil", "ENVI": "a.dat", "ERS": "a.ers", "GPKG": "a.gpkg",
    "GSBG": "a.grd", "GTX": "a.gtx", "HFA": "a.img", "ISCE": "a.bin", "ISIS2": "a.cub",
    "KRO": "a.kro", "LAN": "a.gis", "MBTiles": "a.mbtiles", "MFF": "a.hdr", "PAux": "a.raw",
    "PCRaster": "a.map", "RRASTER": "a.grd", "RST": "a.rst", "SAGA": "a.sdat",
}  # fmt: skip


def write(folder: Path, driver: str) -> Path:
    """A raster of 60 × 50 pixels of a type that the format takes."""
    path = folder / FORMATS[driver]
    dtype = {"GTX": "float32", "KRO": "uint8", "MFF": "uint8", "PCRaster": "uint8"}.get(
        driver, "int16"
    )
    values = np.random.default_rng(0).integers(1, 250, (1, 50, 60)).astype(dtype)
    source = write_raster(
        folder / "source.tif", values, crs="EPSG:4326" if driver == "GTX" else "EPSG:32633"
    )
    rasterio.shutil.copy(str(source), str(path), driver=driver)
    source.unlink()
    return path


@pytest.mark.parametrize("driver", FORMATS)
@pytest.mark.filterwarnings("ignore")
def test_a_cut_is_named(tmp_path: Path, driver: str) -> None:
    path = write(tmp_path, driver)
    profile, _ = staged_raster(path, tmp_path / "sound")
    assert profile.error is None
    assert profile.driver == driver
    data = max((f for f in tmp_path.iterdir() if f.is_file()), key=lambda f: f.stat().st_size)
    whole = data.read_bytes()
    for number, size in enumerate([len(whole) // 2, len(whole) * 9 // 10, len(whole) - 513]):
        data.write_bytes(whole[:size])
        profile, _ = staged_raster(path, tmp_path / f"{number}")
        assert profile.error is not None
        assert "cannot be written" not in profile.error


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.filterwarnings("ignore")
def test_netcdf_classic(tmp_path: Path, records: bool, version: int) -> None:
    path = tmp_path / "a.nc"
    with netcdf_file(path, "w", version=version) as file:
        file.createDimension("t", None if records else 3)
        file.createDimension("y", 5)
        file.createDimension("x", 7)
        for name in ("a", "b"):
            file.createVariable(name, "i2", ("t", "y", "x"))[:] = np.arange(105).reshape(3, 5, 7)
    whole = path.read_bytes()
    assert staged_raster(path, tmp_path / "s", layer="a")[0].error is None
    for cut in (8, 40, 100):
        path.write_bytes(whole[:-cut])
        profile, _ = staged_raster(path, tmp_path / f"{cut}", layer="a")
        assert "are missing: its header promises" in (profile.error or "")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (b"\0\0\0\1y\0\0\0\0\0\0\5", b"\0\0\0\2y\0\0\0\0\0\0\5", "a name with NUL"),
        (b"\0\0\0\3\0\0\0", b"\0\0\0\x0b\0\0\0", "a type 11"),
        (b"\0\0\0\x0b", b"\0\0\0\x0d", "a list has the tag 13"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_netcdf_header(tmp_path: Path, before: bytes, after: bytes, reason: str) -> None:
    path = tmp_path / "a.nc"
    with netcdf_file(path, "w") as file:
        file.createDimension("y", 5)
        file.createDimension("x", 7)
        file.createVariable("a", "i2", ("y", "x"))[:] = np.arange(35).reshape(5, 7)
    data = path.read_bytes()
    at = data.rindex(before) if before[3] == 3 else data.index(before)
    path.write_bytes(data[:at] + after + data[at + len(before) :])
    profile, _ = staged_raster(path, tmp_path / "s")
    assert reason in (profile.error or "")


@pytest.mark.filterwarnings("ignore")
def test_a_file_that_its_driver_unpacks_is_not_short(tmp_path: Path) -> None:
    path = write(tmp_path, "ENVI")
    path.write_bytes(gzip.compress(bytes(6000)))
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text() + "\nfile compression = 1\n")
    profile, _ = staged_raster(path, tmp_path / "s")
    assert profile.error is None
