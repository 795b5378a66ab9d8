"""Bounds on the area that coordinate rounding alone can give to a geometry."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray


def noise(polygons: NDArray[np.object_]) -> NDArray[np.float64]:
    """(n,) the area that rounding alone can give to each polygon.

    A vertex that should lie on an edge lies beside it by up to the spacing of floating-point
    numbers there; a sliver of four times that width along the whole perimeter is no defect.
    """
    return np.asarray(shapely.length(polygons) * 4 * np.spacing(magnitudes(polygons)))


def magnitudes(geometries: NDArray[np.object_]) -> NDArray[np.float64]:
    """(n,) largest absolute coordinate of each geometry."""
    bounds = np.asarray(shapely.bounds(geometries), dtype=np.float64).reshape(-1, 4)
    return np.asarray(np.abs(bounds).max(axis=1))
