"""Fast validity test for star-shaped polygons, by one cross product per edge.

When every edge of a closed ring turns the same way around a point, and all of them together go
around it once, every ray from the point meets the ring once, so the ring is simple. Most polygons
of a coverage are star-shaped around their middle. The others are not decided here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.wkb_rings import Rings

ROUNDING = 3.3306690738754716e-16
"""(3 + 16 ε) ε with ε = 2^-53: the bound below which the sign of a cross product of differences is
not certain. Source: J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust
Geometric Predicates" (1997), section 4.3, orient2d, stage A."""
LEAST = 1e-250
"""Products below this may have lost digits to underflow."""


def turning(rings: Rings) -> NDArray[np.int8]:
    """(r,) 1 or -1: rings certainly simple, counter-clockwise or clockwise; 0: undecided.

    Args:
        rings: closed rings of four vertices or more, coordinates of any value.

    """
    out = _turning(rings, *_mean(rings))
    rest = out == 0
    if rest.any():
        some = rings.take(rest)
        out[rest] = _turning(some, *_centre(some), each=True)
    return out


def _turning(
    rings: Rings,
    middle_x: NDArray[np.float64],
    middle_y: NDArray[np.float64],
    *,
    each: bool = False,
) -> NDArray[np.int8]:
    """The same as seen from these points, one per ring; ``each`` gives every edge its error bound.

    Without it, the largest coordinates of all rings give one bound, which is enough unless rings
    differ very much in size.
    """
    out = np.zeros(len(rings), dtype=np.int8)
    if not len(rings):
        return out
    first, last = rings.starts[:-1], rings.starts[1:] - 1
    size = np.diff(rings.starts)
    with np.errstate(all="ignore"):
        dx, dy = rings.x - np.repeat(middle_x, size), rings.y - np.repeat(middle_y, size)
        cross = np.empty(len(dx))
        left, right = np.multiply(dx[:-1], dy[1:], out=cross[:-1]), dy[:-1] * dx[1:]
        if each:
            sure = np.empty(len(dx))
            np.add(np.abs(left), np.abs(right), out=sure[:-1])
            sure *= ROUNDING
            sure += LEAST
        else:
            sure = np.full(1, 2 * ROUNDING * _reach(dx) * _reach(dy) + LEAST)
        left -= right
        if each:
            np.copysign(np.abs(cross) > sure, cross, out=cross)
            sure = np.zeros(1)
        # The step from one ring to the next belongs to no ring: it copies the step before it.
        cross[last] = cross[last - 1]
        once = _crossings(dy, first, last) == 2
        out[once & (np.minimum.reduceat(cross, first) > sure)] = 1
        if not out.all():
            out[once & (np.maximum.reduceat(cross, first) < -sure)] = -1
    return out


def _crossings(
    dy: NDArray[np.float64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(r,) crossings of the horizontal by each ring: one turn around a point has two."""
    upper = dy >= 0
    crossed = np.zeros(len(dy), dtype=bool)
    np.not_equal(upper[:-1], upper[1:], out=crossed[:-1])
    crossed[last] = False
    return np.add.reduceat(crossed.view(np.int8), first, dtype=np.int64)


def _reach(distances: NDArray[np.float64]) -> float:
    """The largest absolute value."""
    return float(max(distances.max(), -distances.min()))


def _mean(rings: Rings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean of the vertices of each ring."""
    if not len(rings):
        return np.empty(0), np.empty(0)
    first, size = rings.starts[:-1], np.diff(rings.starts)
    with np.errstate(all="ignore"):
        return np.add.reduceat(rings.x, first) / size, np.add.reduceat(rings.y, first) / size


def _centre(rings: Rings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The centroid of each ring, as computed in floating point."""
    first, size = rings.starts[:-1], np.diff(rings.starts)
    with np.errstate(all="ignore"):
        x0, y0 = rings.x[first], rings.y[first]
        x, y = rings.x - np.repeat(x0, size), rings.y - np.repeat(y0, size)
        weight = np.zeros(len(x))
        # Rings start and end in (0, 0) now, so the steps between them are zero.
        weight[:-1] = x[:-1] * y[1:] - y[:-1] * x[1:]
        sum_x, sum_y = np.zeros(len(x)), np.zeros(len(x))
        sum_x[:-1] = (x[:-1] + x[1:]) * weight[:-1]
        sum_y[:-1] = (y[:-1] + y[1:]) * weight[:-1]
        area = 3 * np.add.reduceat(weight, first)
        return (
            x0 + np.add.reduceat(sum_x, first) / area,
            y0 + np.add.reduceat(sum_y, first) / area,
        )
