"""Outlines of rasters in one CRS."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.check.raster.grid import SAME_GRID, corners, pixel_size, to_crs
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import RasterProfile


def footprints(
    profile: RasterProfile, others: Sequence[RasterProfile]
) -> tuple[NDArray[np.object_], tuple[str, ...]]:
    """(1 + n,) outlines of a raster and of others in its CRS, and notes on transformations.

    Raises:
        RuleError: a raster cannot be read, or cannot be brought into the CRS.

    """
    found, notes = [], []
    for each in (profile, *others):
        if each.error is not None or not each.count:
            msg = f"needs a readable raster: {each.uri}: {each.error or 'it has no band'}"
            raise RuleError(msg)
        outline = shapely.Polygon(to_crs(corners(each), each.transform))
        moved, note = transformed(
            np.array([outline], dtype=object), each.pyproj_crs, profile.pyproj_crs
        )
        found.append(moved[0])
        notes.append(note)
    return np.array(found, dtype=object), tuple(dict.fromkeys(n for n in notes if n))


def wide(parts: NDArray[np.object_], profile: RasterProfile) -> NDArray[np.object_]:
    """Polygons among parts that are no slivers of rounding in file headers.

    A part as wide as a thousandth of a pixel comes from headers that round their corners.
    """
    parts = shapely.get_parts(parts)
    sliver = SAME_GRID * min(pixel_size(profile.transform))
    kept = shapely.area(parts) > sliver * shapely.length(parts) / 2
    return np.asarray(parts[kept], dtype=object)
