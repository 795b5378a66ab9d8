"""Geometries as plain coordinate lists for the map of a page, in full precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

MAX_VERTICES = 5_000
"""Vertices of one geometry above which it is simplified."""
FINENESS = 4_000
"""A simplified geometry differs from the original by its extent divided by this."""


def encoded(geometry: NDArray[Any]) -> list[dict[str, list[Any]] | None]:
    """Coordinates by dimension, one dict per geometry.

    ``p`` is a flat list of the coordinates of all points, ``l`` has one flat list per line, ``a``
    one per ring; rings are to be filled by the even-odd rule. Coordinates are not rounded; vertices
    that are not finite are left out.

    Args:
        geometry: (n,) geometries.

    Returns:
        n dicts, None for geometries without any finite coordinate.

    """
    return [_encoded(shape) for shape in geometry]


def simplified(geometry: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Geometries of at most about :data:`MAX_VERTICES` vertices.

    Returns:
        (n,) geometries, and (n,) True where one was simplified: it is exact only to its extent
        divided by :data:`FINENESS`.

    """
    large = shapely.get_num_coordinates(geometry) > MAX_VERTICES
    if not large.any():
        return geometry, large
    out = geometry.copy()
    bounds = shapely.bounds(geometry[large])
    with np.errstate(invalid="ignore"):
        size = np.nanmax(bounds[:, 2:] - bounds[:, :2], axis=1)
    tolerance = np.where(np.isfinite(size), size / FINENESS, 0.0)
    out[large] = shapely.simplify(geometry[large], tolerance, preserve_topology=False)
    return out, large


def places(geometry: NDArray[Any]) -> NDArray[np.float64]:
    """(n, 2) a point of each geometry, the centre of its box where none is inside; NaN for none."""
    with np.errstate(invalid="ignore"):
        inside = shapely.point_on_surface(geometry)
        bounds = shapely.bounds(geometry).reshape(-1, 4)
        middle = (bounds[:, :2] + bounds[:, 2:]) / 2
    inside[shapely.is_empty(inside)] = None
    points = np.column_stack([shapely.get_x(inside), shapely.get_y(inside)])
    coordinates, owner = shapely.get_coordinates(geometry, return_index=True)
    # GEOS puts the point of a geometry with a coordinate that is not finite at (0, 0).
    points[owner[~np.isfinite(coordinates).all(axis=1)]] = np.nan
    known = np.isfinite(points).all(axis=1, keepdims=True)
    out: NDArray[np.float64] = np.where(known, points, middle)
    out[~np.isfinite(out).all(axis=1)] = np.nan
    return out


def _encoded(shape: Any) -> dict[str, list[Any]] | None:
    if shape is None or shape.is_empty:
        return None
    parts = np.array([shape], dtype=object)
    while (shapely.get_type_id(parts) > 3).any():
        parts = shapely.get_parts(parts)
    kind = shapely.get_type_id(parts)
    found: dict[str, list[Any]] = {
        "p": [n for point in _flat(parts[kind == 0]) for n in point],
        "l": _flat(parts[(kind == 1) | (kind == 2)]),
        "a": _flat(shapely.get_rings(parts[kind == 3])),
    }
    return {k: v for k, v in found.items() if v} or None


def _flat(lines: NDArray[Any]) -> list[list[float]]:
    """One list x, y, x, y … per line, ring or point."""
    out = []
    for line in lines:
        coordinates = shapely.get_coordinates(line)
        finite = coordinates[np.isfinite(coordinates).all(axis=1)]
        if len(finite):
            out.append(finite.ravel().tolist())
    return out
