"""Geometries with NaN or infinite coordinates."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.boxes import finite


def not_finite_xy(geometry: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(n,) bool: geometries with a NaN or an infinity in x or y."""
    bad = np.zeros(len(geometry), dtype=bool)
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        xy, index = shapely.get_coordinates(geometry, return_index=True)
        bad[index[~finite(xy)]] = True
    return bad


def not_finite(geometry: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(n,) bool: geometries with a NaN or an infinity among their coordinates."""
    bad = not_finite_xy(geometry)
    for having, column in ((shapely.has_z(geometry), 2), (shapely.has_m(geometry), 3)):
        deep = np.flatnonzero(having)
        if len(deep):
            values, index = shapely.get_coordinates(
                geometry[deep], include_z=column == 2, include_m=column == 3, return_index=True
            )
            bad[deep[index[~np.isfinite(values[:, 2])]]] = True
    return bad
