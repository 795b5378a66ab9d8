"""Pixels that GDAL's netCDF driver changes while it reads them, which it cannot be told not to do.

NaN of a band of floats become its nodata value, and 0 where it has none. Pixels outside of the
valid range that a variable declares (``valid_range``, ``valid_min``, ``valid_max``) become nodata,
as the netCDF conventions say. What stays missing is said; what would become a value is refused.
The geotransform follows from the first, middle and last coordinates only.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity import netcdf3

_RANGES = ("valid_range", "valid_min", "valid_max")
_AT_ONCE = 16 << 20
"""Bytes of a variable without chunks that are read at once."""


def notes(dataset: Any, file: Path, *, placed: bool) -> list[str]:
    """Notes on a raster of this driver, once for all bands; none for other drivers.

    Args:
        dataset: opened with rasterio.
        file: the netCDF file.
        placed: True when GDAL found a geotransform.

    Raises:
        SourceError: a band of floats without a nodata value has NaN, or cannot be looked at;
            coordinates do not lie on the grid.

    """
    if dataset.driver != "netCDF":
        return []
    found = spacing(dataset, file) if placed else []
    tags = dataset.tags(1)
    if dataset.dtypes[0].startswith("float"):
        nodata = dataset.nodata
        if nodata is None:
            _refuse_nan(file, tags.get("NETCDF_VARNAME", ""))
        elif not math.isnan(nodata):
            found.append(
                f"pixels that are NaN in the file are staged as its nodata value, {nodata!r}"
            )
    ranges = [f"{name} {tags[name]}" for name in _RANGES if name in tags]
    if ranges:
        found.append(f"pixels outside of {', '.join(ranges)} are staged as nodata")
    return found


def spacing(dataset: Any, file: Path) -> list[str]:
    """Notes on coordinates that do not lie on the regular grid that GDAL assumes.

    Args:
        dataset: opened with rasterio, of the netCDF driver and with a geotransform.
        file: the netCDF file.

    Raises:
        SourceError: half a pixel off or more, so that pixels lie on the place of others.

    """
    found = []
    for name, stored in _axes(file).items():
        places = stored.astype(np.float64)
        if len(places) not in {dataset.width, dataset.height} or len(places) < 3:
            continue
        step = (places[-1] - places[0]) / (len(places) - 1)
        even = places[0] + step * np.arange(len(places))
        off = np.abs(places - even) / abs(step) if step else np.full(len(places), np.inf)
        off[~np.isfinite(off)] = np.inf
        worst = float(off.max())
        precision = float(np.finfo(stored.dtype).eps) if stored.dtype.kind == "f" else 0.0
        rounding = precision * float(np.abs(places).max()) / abs(step or 1.0)
        if worst >= 0.5 + rounding:
            at = int(off.argmax())
            msg = f"coordinate {at} of {name}, {places[at]!s}, is {worst:.3g} pixels off the grid"
            raise SourceError(msg)
        if worst > 0.01 + rounding:
            found.append(
                f"coordinates of {name} are up to {worst:.2g} pixels off the grid: uneven spacing"
            )
    return found


def _axes(file: Path) -> dict[str, NDArray[Any]]:
    import h5py

    if not h5py.is_hdf5(file):
        return netcdf3.axes(file)
    found = {}
    try:
        with h5py.File(file, "r") as opened:
            for name, member in opened.items():
                if isinstance(member, h5py.Dataset) and _is_axis(member):
                    found[str(name)] = np.asarray(member[()])
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as exc:
        msg = f"its coordinates cannot be read: {' '.join(str(exc).split())[:300]}"
        raise SourceError(msg) from exc
    return found


def _is_axis(member: Any) -> bool:
    return bool(member.ndim == 1 and member.dtype.kind in "iuf" and member.is_scale)


def _refuse_nan(file: Path, name: str) -> None:
    """Looks for NaN in a variable of a netCDF-4 file; classic ones always have a fill value."""
    # Other formats do without it.
    import h5py

    if not h5py.is_hdf5(file):
        return
    try:
        with h5py.File(file, "r") as opened:
            variable = opened[name]
            if variable.dtype.kind != "f":
                return
            if variable.chunks is None:
                rows = max(1, _AT_ONCE // max(1, variable.nbytes // max(1, len(variable))))
                parts: Any = (
                    np.s_[start : start + rows] for start in range(0, len(variable), rows)
                )
            else:
                parts = variable.iter_chunks()
            bad = sum(int(np.isnan(variable[part]).sum()) for part in parts)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as exc:
        msg = f"variable {name!r} cannot be read: {' '.join(str(exc).split())[:300]}"
        raise SourceError(msg) from exc
    if bad:
        msg = (
            f"variable {name!r} has {bad} pixels that are NaN and no _FillValue: GDAL reads them "
            "as 0"
        )
        raise SourceError(msg)
