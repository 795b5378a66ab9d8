"""Direction and ends of rings of many polygons at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

POLYGON, MULTI_POLYGON, COLLECTION = 3, 6, 7


def against_right_hand(geometry: NDArray[np.object_]) -> NDArray[np.int64]:
    """Indices of geometries with a shell that is clockwise, or a hole that is not.

    Rings without an area have no direction and are left out.

    Args:
        geometry: (n,) geometries of any type, none missing.

    """
    rings, polygon, owner = _rings(geometry)
    shell = np.diff(polygon, prepend=-1) != 0
    points, ring = shapely.get_coordinates(rings, return_index=True)
    twice = _areas(points, ring, len(rings))
    wrong = np.where(shell, twice < 0, twice > 0)
    return np.unique(owner[wrong])


def unclosed(geometry: NDArray[np.object_], shortest: int) -> NDArray[np.int64]:
    """Indices of geometries with a ring of too few positions, or that ends at another Z.

    Args:
        geometry: (n,) geometries of any type, none missing.
        shortest: positions of the shortest ring.

    """
    rings, _, owner = _rings(geometry)
    points, ring = shapely.get_coordinates(rings, include_z=True, return_index=True)
    count = np.bincount(ring, minlength=len(rings))
    last = np.cumsum(count) - 1
    here = np.flatnonzero(count)
    ends = points[last[here]], points[last[here] - count[here] + 1]
    wrong = count < shortest
    wrong[here] |= ~((ends[0] == ends[1]) | (np.isnan(ends[0]) & np.isnan(ends[1]))).all(axis=1)
    return np.unique(owner[wrong])


def _rings(
    geometry: NDArray[np.object_],
) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.int64]]:
    """The rings of polygons in geometries; of each the numbers of its polygon and its geometry."""
    kinds = shapely.get_type_id(geometry)
    rows = np.flatnonzero(np.isin(kinds, (POLYGON, MULTI_POLYGON, COLLECTION)))
    parts, owner = _polygons(geometry[rows])
    rings, polygon = shapely.get_rings(parts, return_index=True)
    return rings, polygon, rows[owner[polygon]]


def _polygons(geometry: Any) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """The polygons in geometries, and the index of the geometry of each."""
    parts, owner = shapely.get_parts(geometry, return_index=True)
    while (shapely.get_type_id(parts) == COLLECTION).any() or (
        shapely.get_type_id(parts) == MULTI_POLYGON
    ).any():
        parts, inner = shapely.get_parts(parts, return_index=True)
        owner = owner[inner]
    keep = shapely.get_type_id(parts) == POLYGON
    keep &= ~shapely.is_empty(parts)
    return parts[keep], owner[keep]


def _areas(points: NDArray[np.float64], ring: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(count,) twice the signed area of each ring (shoelace formula), positive when ccw."""
    first = np.searchsorted(ring, np.arange(count))
    # Relative to the first vertex, so that far coordinates do not cancel each other out.
    local = points - points[first[ring]]
    same = ring[1:] == ring[:-1]
    cross = local[:-1, 0] * local[1:, 1] - local[1:, 0] * local[:-1, 1]
    areas = np.bincount(ring[:-1][same], weights=cross[same], minlength=count)
    return np.asarray(areas, dtype=np.float64)
