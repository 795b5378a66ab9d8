"""The width of geometries: the least distance of two parallel lines that they lie between."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

CHUNK = 256
"""Geometries whose edges and vertices are paired at once."""


def hull_widths(geometry: NDArray[np.object_]) -> NDArray[np.float64]:
    """(n,) widths of the convex hulls of (n,) geometries that are not empty.

    One of the two lines runs along an edge of the hull (Houle and Toussaint, 1988: Computing the
    width of a set), so that every edge is tried with every vertex.
    """
    width = np.zeros(len(geometry))
    for begin in range(0, len(geometry), CHUNK):
        hulls = shapely.convex_hull(geometry[begin : begin + CHUNK])
        areal = np.flatnonzero(shapely.get_dimensions(hulls) == 2)
        if len(areal):
            width[begin + areal] = _widths(hulls[areal])
    return width


def _widths(hulls: NDArray[np.object_]) -> NDArray[np.float64]:
    xy, owner = shapely.get_coordinates(hulls, return_index=True)
    size = np.bincount(owner)
    first = np.cumsum(size) - size
    edge = np.flatnonzero(owner[1:] == owner[:-1])
    each = size[owner[edge]]
    pair = np.repeat(np.arange(len(edge)), each)
    at = np.arange(len(pair)) - np.repeat(np.cumsum(each) - each, each)
    vertex = at + np.repeat(first[owner[edge]], each)
    along = (xy[edge + 1] - xy[edge])[pair]
    there = xy[vertex] - xy[edge][pair]
    across = np.abs(along[:, 0] * there[:, 1] - along[:, 1] * there[:, 0])
    far = np.maximum.reduceat(across, np.cumsum(each) - each)
    length = np.hypot(*(xy[edge + 1] - xy[edge]).T)
    out = np.full(len(hulls), np.inf)
    np.minimum.at(out, owner[edge], far / length)
    return out
