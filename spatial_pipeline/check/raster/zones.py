"""Pixels of a window that lie in polygons, polygon by polygon."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.raster.grid import Transform, to_pixels

Integers = NDArray[np.int64]


class ZonePixels:
    """Valid polygons in pixel space, asked for the pixels whose centre they hold.

    The centre of a pixel is in a polygon when a scan line through it crosses the rings an odd
    number of times on the left (even-odd rule; Foley et al., Computer Graphics, section 3.6). A
    centre on an edge belongs to the polygon on its right, or below, as in ``PixelArea``.

    Args:
        polygons: (n,) valid polygons and multipolygons in the CRS of the transform.
        transform: affine coefficients (a, b, c, d, e, f) of the raster.

    """

    def __init__(self, polygons: NDArray[np.object_], transform: Transform) -> None:
        parts, zone = shapely.get_parts(polygons, return_index=True)
        rings, part = shapely.get_rings(parts, return_index=True)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        points = to_pixels(points, transform)
        edge = np.flatnonzero(np.diff(ring) == 0)
        start, stop = points[edge], points[edge + 1]
        down = start[:, 1] < stop[:, 1]
        self._upper = np.where(down[:, None], start, stop)
        self._lower = np.where(down[:, None], stop, start)
        self._zone = zone[part[ring[edge]]]

    def within(
        self, row_off: int, col_off: int, height: int, width: int
    ) -> tuple[Integers, Integers, Integers]:
        """(p,) polygon, row and column in the window of each pixel; a pixel may be in several."""
        first = np.maximum(np.ceil(self._upper[:, 1] - 0.5), row_off)
        beyond = np.minimum(np.ceil(self._lower[:, 1] - 0.5), row_off + height)
        lines = np.maximum(beyond - first, 0).astype(np.int64)
        edge = np.repeat(np.arange(len(lines)), lines)
        step = np.arange(len(edge)) - np.repeat(np.cumsum(lines) - lines, lines)
        row = first[edge] + step
        upper, lower = self._upper[edge], self._lower[edge]
        slope = (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
        crossing = upper[:, 0] + (row + 0.5 - upper[:, 1]) * slope
        zone, line = self._zone[edge], row.astype(np.int64) - row_off
        order = np.lexsort((crossing, line, zone))
        zone, line = zone[order][0::2], line[order][0::2]
        column = np.clip(np.ceil(crossing[order] - 0.5) - col_off, 0, width).astype(np.int64)
        begin, end = column[0::2], column[1::2]
        size = end - begin
        run = np.repeat(np.arange(len(size)), size)
        inside = np.arange(len(run)) - np.repeat(np.cumsum(size) - size, size)
        return zone[run], line[run], begin[run] + inside
