"""Boxes that certainly lie in a polygon, because a circle inside the polygon contains them."""

from __future__ import annotations

from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.segment_conflicts import MARGIN
from spatial_pipeline.check.geometry.boxes import finite
from spatial_pipeline.check.geometry.rounding import magnitudes

GRID = 128
"""Cells along a side of the grid of circles, at most."""
DRAWN = 4
"""Cells drawn at most, per cell of the grid of circles."""


def in_circles(bounds: NDArray[np.float64], polygons: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(n,) bool: boxes that certainly lie in a polygon, because a circle inside it contains them.

    The circle is centred on the polygon's centre; its radius is the distance to the boundary, less
    a margin for rounding. So most boxes well within a polygon are decided without reading its
    vertices.

    Args:
        bounds: (n, 4) boxes; NaN rows lie in none.
        polygons: (m,) valid polygons and multipolygons.

    """
    held = np.zeros(len(bounds), dtype=bool)
    if not len(bounds) or len(polygons) > len(bounds):
        return held
    # Squares of very large coordinates overflow: such a polygon has no circle.
    with np.errstate(all="ignore"):
        centre = shapely.centroid(polygons)
        x, y = shapely.get_x(centre), shapely.get_y(centre)
        radius = shapely.distance(centre, shapely.boundary(polygons))
        radius -= MARGIN * magnitudes(polygons)
        good = np.isfinite(radius) & (radius > 0)
        good = np.flatnonzero(good & shapely.contains_xy(polygons, x, y))
    known = np.flatnonzero(finite(bounds))
    if not len(known) or not len(good):
        return held
    xmin, ymin, xmax, ymax = bounds[known].T
    # A box that overflows lies in no circle.
    with np.errstate(over="ignore"):
        which = _around(xmin / 2 + xmax / 2, ymin / 2 + ymax / 2, x[good], y[good], radius[good])
        near = np.flatnonzero(which >= 0)
        circle = good[which[near]]
        far_x = np.maximum(x[circle] - xmin[near], xmax[near] - x[circle])
        far_y = np.maximum(y[circle] - ymin[near], ymax[near] - y[circle])
        held[known[near]] = np.hypot(far_x, far_y) < radius[circle]
    return held


def _around(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    centre_x: NDArray[np.float64],
    centre_y: NDArray[np.float64],
    radius: NDArray[np.float64],
) -> NDArray[np.int64]:
    """(n,) a circle that may contain the surroundings of a point, -1 for none.

    A grid with about one cell per point stores for each cell the circle in which its middle lies
    deepest. Circles are drawn from the largest on, up to a limit per cell.
    """
    none = np.full(len(x), -1, dtype=np.int64)
    low_x, low_y = x.min(), y.min()
    side = max(1, min(int(len(x) ** 0.5), GRID))
    step_x, step_y = (x.max() - low_x) / side or 1.0, (y.max() - low_y) / side or 1.0
    if not len(radius) or not np.isfinite([step_x, step_y]).all():
        return none

    def cell(place: NDArray[np.float64], low: float, step: float) -> NDArray[np.int64]:
        return np.clip((place - low) / step, 0, side - 1).astype(np.int64)

    x0, x1 = cell(centre_x - radius, low_x, step_x), cell(centre_x + radius, low_x, step_x)
    y0, y1 = cell(centre_y - radius, low_y, step_y), cell(centre_y + radius, low_y, step_y)
    wide, size = x1 - x0 + 1, (x1 - x0 + 1) * (y1 - y0 + 1)
    reaches = (centre_x + radius >= low_x) & (centre_x - radius <= x.max())
    reaches &= (centre_y + radius >= low_y) & (centre_y - radius <= y.max())
    drawn = np.flatnonzero(reaches)
    drawn = drawn[np.argsort(-radius[drawn], kind="stable")]
    drawn = drawn[: 1 + np.searchsorted(np.cumsum(size[drawn]), DRAWN * side * side)]
    circle = np.repeat(drawn, size[drawn])
    place = np.arange(len(circle)) - np.repeat(np.cumsum(size[drawn]) - size[drawn], size[drawn])
    across, up = x0[circle] + place % wide[circle], y0[circle] + place // wide[circle]
    depth = radius[circle] - np.hypot(
        low_x + (across + 0.5) * step_x - centre_x[circle],
        low_y + (up + 0.5) * step_y - centre_y[circle],
    )
    order = np.argsort(depth, kind="stable")
    deepest = np.full(side * side, -1, dtype=np.int64)
    deepest[(up * side + across)[order]] = circle[order]
    place = cell(y, low_y, step_y) * side + cell(x, low_x, step_x)
    return cast("NDArray[np.int64]", deepest[place])


__all__ = ["in_circles"]
