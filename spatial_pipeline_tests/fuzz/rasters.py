"""What the formats of rasters share: values, what an oracle says, and the comparison with it."""

from __future__ import annotations

import math
import random
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from spatial_pipeline.model.profile import RasterProfile

UNPLACED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The geotransform (a, b, c, d, e, f) of a raster without one."""


@dataclass(frozen=True)
class Truth:
    """A raster as an oracle reads it.

    Attributes:
        values: (bands, rows, columns).
        transform: geotransform (a, b, c, d, e, f).
        nodata: of all bands, None for none; a text that is no value of the type marks nothing.
        epsg: code of the CRS, None for none.

    """

    values: NDArray[Any]
    transform: tuple[float, ...] = UNPLACED
    nodata: float | None = None
    epsg: int | None = None


def values(rng: random.Random, bands: int, height: int, width: int, dtype: str) -> NDArray[Any]:
    """Random pixels: noise, few values, or a ramp; extremes of the type in some."""
    source = np.random.default_rng(rng.getrandbits(32))
    size = (bands, height, width)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        found = source.normal(scale=100, size=size).astype(dtype)
        if rng.random() < 0.3:
            found.ravel()[:3] = [np.nan, np.inf, -0.0][: found.size]
        return found
    info = np.iinfo(kind)
    style = rng.choice(["noise", "few", "ramp"])
    if style == "noise":
        return source.integers(info.min, info.max, size, dtype, endpoint=True)
    if style == "few":
        return source.choice(np.array([0, 1, info.max], dtype), size)
    return (np.arange(math.prod(size)).reshape(size) % 120).astype(dtype)


def differs(profile: RasterProfile, staged: Path, truth: Truth) -> str | None:
    """The first thing in which a staged raster differs from what the file says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(staged) as dataset:
            found = dataset.read()
            transform = tuple(dataset.transform)[:6]
            declared = dataset.nodatavals
            crs = dataset.crs
    if found.shape != truth.values.shape or found.dtype != truth.values.dtype.newbyteorder("="):
        wanted = f"{truth.values.dtype}{truth.values.shape}"
        return f"{found.dtype}{found.shape} is not {wanted} of the file"
    if difference := _pixels_differ(found, truth.values.astype(found.dtype)):
        return difference
    if not np.allclose(transform, truth.transform, rtol=1e-12, atol=0, equal_nan=True):
        return f"geotransform {transform} is not {truth.transform}"
    if profile.transform != transform:
        return f"the profile has geotransform {profile.transform}, the staged file {transform}"
    if any(not _same(value, truth.nodata) for value in declared):
        can = truth.nodata is not None and _occurs(found.dtype, truth.nodata)
        if can or any(value is not None for value in declared):
            return f"nodata {declared} is not {truth.nodata!r}"
    code = None if truth.epsg is None else pyproj.CRS.from_epsg(truth.epsg)
    if (crs is None) != (code is None):
        return f"CRS {crs} is not {truth.epsg}"
    if code and not pyproj.CRS.from_wkt(crs.to_wkt()).equals(code, ignore_axis_order=True):
        return f"CRS {crs} is not EPSG:{truth.epsg}"
    return None


def _pixels_differ(found: NDArray[Any], wanted: NDArray[Any]) -> str | None:
    if found.tobytes() == wanted.tobytes():
        return None
    unequal = ~((found == wanted) | ((found != found) & (wanted != wanted)))
    if not unequal.any():
        return "NaN have other bits"
    band, row, column = (int(i) for i in np.argwhere(unequal)[0])
    return (
        f"{int(unequal.sum())} pixels differ; band {band + 1}, row {row}, column {column}: "
        f"{found[band, row, column]!r} is not {wanted[band, row, column]!r}"
    )


def _same(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return found == wanted or (found != found and wanted != wanted)


def _occurs(dtype: np.dtype[Any], value: float) -> bool:
    if dtype.kind not in "iu":
        return True
    info = np.iinfo(dtype)
    return math.isfinite(value) and value == int(value) and info.min <= value <= info.max
