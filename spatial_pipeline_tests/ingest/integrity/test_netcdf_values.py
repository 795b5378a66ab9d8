"""Pixels and coordinates that GDAL's netCDF driver changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
from scipy.io import netcdf_file

from spatial_pipeline_tests.ingest.sources import staged_raster

pytestmark = pytest.mark.filterwarnings("ignore")


def modern(path: Path, values: Any, chunks: Any, **attributes: Any) -> Path:
    """A netCDF-4 file of one grid, a pixel is 10 m."""
    with h5py.File(path, "w") as file:
        for name, count in zip("yx", values.shape, strict=True):
            file[name] = 4e6 + 10.0 * np.arange(count)
            file[name].make_scale(name)
            file[name].attrs["standard_name"] = f"projection_{name}_coordinate"
        variable = file.create_dataset("v", data=values, chunks=chunks)
        for place, name in enumerate("yx"):
            variable.dims[place].attach_scale(file[name])
        variable.attrs.update(attributes)
    return path


def classic(path: Path, values: Any, y: Any, dtype: str = "f8", **attributes: Any) -> Path:
    """A netCDF classic file of one grid with the rows at y."""
    with netcdf_file(path, "w") as file:
        for name, places in (("y", y), ("x", 10.0 * np.arange(values.shape[1]))):
            file.createDimension(name, len(places))
            variable = file.createVariable(name, dtype, (name,))
            variable[:] = places
            variable.standard_name = f"projection_{name}_coordinate"
        variable = file.createVariable("v", values.dtype.newbyteorder(">"), ("y", "x"))
        variable[:] = values
        for name, value in attributes.items():
            setattr(variable, name, value)
    return path


@pytest.mark.parametrize("chunks", [None, (2, 3)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_nan_without_a_fill_value_is_named(tmp_path: Path, chunks: Any, dtype: str) -> None:
    values = np.arange(35, dtype=dtype).reshape(5, 7)
    sound = modern(tmp_path / "a.nc", values, chunks)
    assert staged_raster(sound, tmp_path / "sound")[0].error is None
    values[1, 2] = values[4, 6] = np.nan
    path = modern(tmp_path / "b.nc", values, chunks)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert "variable 'v' has 2 pixels that are NaN" in (profile.error or "")


def test_nan_with_a_fill_value_is_said(tmp_path: Path) -> None:
    values = np.arange(35, dtype="f4").reshape(5, 7)
    values[1, 2] = np.nan
    path = modern(tmp_path / "a.nc", values, None, _FillValue=np.array([99], "f4"))
    profile, staged = staged_raster(path, tmp_path / "s")
    assert "pixels that are NaN in the file are staged as its nodata value, 99.0" in profile.notes
    with rasterio.open(staged) as dataset:
        assert dataset.read(1)[3, 2] == 99
    path = modern(tmp_path / "b.nc", values, None, _FillValue=np.array([np.nan], "f4"))
    profile, staged = staged_raster(path, tmp_path / "t")
    assert not any("NaN" in note for note in profile.notes)


def test_a_valid_range_is_said(tmp_path: Path) -> None:
    values = np.arange(35, dtype="i2").reshape(5, 7)
    path = classic(tmp_path / "a.nc", values, np.arange(5.0), valid_range=np.array([3, 9], "i2"))
    profile, _ = staged_raster(path, tmp_path / "s")
    assert "pixels outside of valid_range {3,9} are staged as nodata" in profile.notes


@pytest.mark.parametrize(
    ("off", "error", "note"), [(0.0, False, False), (0.2, False, True), (0.7, True, False)]
)
def test_coordinates_off_the_grid(tmp_path: Path, off: float, error: bool, note: bool) -> None:
    y = 4e6 - 10.0 * np.arange(9)
    y[2] += 10 * off
    path = classic(tmp_path / "a.nc", np.ones((9, 4), "i2"), y)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert (profile.error is not None) == error
    assert any("y are up to" in text for text in profile.notes) == note


def test_coordinates_of_32_bits_are_rounded(tmp_path: Path) -> None:
    y = np.arange(60, -60, -1 / 120, dtype="f4")
    path = classic(tmp_path / "a.nc", np.ones((len(y), 4), "i1"), y, "f4")
    profile, _ = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    assert not any("off the grid" in text for text in profile.notes)
