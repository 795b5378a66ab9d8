"""Points that locate geometries."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray


def places(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """(n,) a point on each geometry, None where there is none.

    The point lies inside polygons where GEOS can find it, else on the first finite vertex.
    """
    points = np.full(len(geometry), None, dtype=object)
    filled = np.flatnonzero(~shapely.is_missing(geometry) & ~shapely.is_empty(geometry))
    if not len(filled):
        return points
    flat = shapely.force_2d(geometry[filled])
    coordinates, index = shapely.get_coordinates(flat, return_index=True)
    finite = np.isfinite(coordinates).all(axis=1)
    with_vertex, first = np.unique(index[finite], return_index=True)
    points[filled[with_vertex]] = shapely.points(coordinates[finite][first])
    whole = np.setdiff1d(np.arange(len(filled)), index[~finite])
    with np.errstate(all="ignore"):
        try:
            inner = shapely.point_on_surface(flat[whole])
        except shapely.GEOSException:
            return points
    good = ~shapely.is_empty(inner)
    points[filled[whole[good]]] = inner[good]
    return points
