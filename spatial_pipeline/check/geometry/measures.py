"""Measures of whole geometries, which statistics sum up."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray


def measures(geometry: NDArray[np.object_], kind: str) -> NDArray[np.float64]:
    """(n,) measure of each geometry in the XY plane; NaN for null, empty, and without a Z.

    Args:
        geometry: (n,) geometries.
        kind: ``area``, ``length`` (of polygons, the perimeter), ``x`` or ``y`` of the centroid,
            ``z`` (the mean of all vertices) or ``vertices`` (their number).

    """
    there = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    with np.errstate(invalid="ignore", over="ignore"):
        if kind == "z":
            found = _mean_z(geometry)
        elif kind in ("x", "y"):
            # The centroid of an empty geometry is an empty point, which has no x for GEOS.
            centre = shapely.centroid(_filled(geometry, there))
            found = shapely.get_x(centre) if kind == "x" else shapely.get_y(centre)
        else:
            function = {
                "area": shapely.area,
                "length": shapely.length,
                "vertices": shapely.get_num_coordinates,
            }[kind]
            found = function(geometry)
    return np.where(there, np.asarray(found, dtype=np.float64), np.nan)


def _mean_z(geometry: NDArray[np.object_]) -> NDArray[np.float64]:
    """(n,) mean Z of the vertices."""
    xyz, owner = shapely.get_coordinates(geometry, include_z=True, return_index=True)
    number = np.bincount(owner, minlength=len(geometry))
    total = np.bincount(owner, xyz[:, 2], minlength=len(geometry))
    mean = np.full(len(geometry), np.nan)
    np.divide(total, number, out=mean, where=number > 0)
    return mean


def _filled(geometry: NDArray[np.object_], there: NDArray[np.bool_]) -> NDArray[np.object_]:
    """(n,) the geometries that are there, None for others."""
    out = np.full(len(geometry), None, dtype=object)
    out[there] = geometry[there]
    return out


__all__ = ["measures"]
