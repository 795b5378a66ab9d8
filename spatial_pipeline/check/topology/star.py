"""Polygons that are valid at a glance: those that are star-shaped around their middle.

When every edge of a closed ring turns the same way around a point, and all of them together go
around it once, then every ray from the point meets the ring once: the ring is simple. Most polygons
of a coverage are like that, and it takes a cross product an edge to know. The others are not judged
here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.topology.rings import Rings

ROUNDING = 3.3306690738754716e-16
"""(3 + 16 ε) ε with ε = 2^-53: the bound below which the sign of a cross product of differences is
not certain. Source: J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust
Geometric Predicates" (1997), section 4.3, orient2d, stage A."""
LEAST = 1e-250
"""Products below this may have lost digits to underflow."""


def turning(rings: Rings) -> NDArray[np.int8]:
    """(r,) 1 or -1: rings surely simple that run counter-clockwise or clockwise; 0: not known.

    Args:
        rings: closed rings of four vertices or more, coordinates of any value.

    """
    n = len(rings)
    if not n:
        return np.empty(0, dtype=np.int8)
    first = rings.starts[:-1]
    size = np.diff(rings.starts)
    with np.errstate(all="ignore"):
        dx, dy = _from_middle(rings, first, size)
        # The product of the step from one ring to the next is nobody's: it is left out below.
        left, right = dx[:-1] * dy[1:], dy[:-1] * dx[1:]
        cross = left - right
        sure = np.abs(left) + np.abs(right)
        sure *= ROUNDING
        sure += LEAST
        ccw, cw = np.ones(len(dx), dtype=bool), np.ones(len(dx), dtype=bool)
        np.greater(cross, sure, out=ccw[:-1])
        np.less(cross, -sure, out=cw[:-1])
        upper = dy >= 0
    last = rings.starts[1:] - 1
    ccw[last] = cw[last] = True
    rises = np.zeros(len(dx), dtype=np.int64)
    np.not_equal(upper[:-1], upper[1:], out=rises[:-1], casting="unsafe")
    rises[last] = 0
    # One way around a point crosses the horizontal through it twice.
    once = np.add.reduceat(rises, first) == 2
    out = np.zeros(n, dtype=np.int8)
    out[once & np.logical_and.reduceat(ccw, first)] = 1
    out[once & np.logical_and.reduceat(cw, first)] = -1
    return out


def _from_middle(
    rings: Rings, first: NDArray[np.int64], size: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vertices as seen from their ring's centre of area, as it comes out in floating point."""
    x0, y0 = rings.x[first], rings.y[first]
    x, y = rings.x - np.repeat(x0, size), rings.y - np.repeat(y0, size)
    weight = np.zeros(len(x))
    # Rings start and end in (0, 0) now, so the steps between them weigh nothing.
    weight[:-1] = x[:-1] * y[1:] - y[:-1] * x[1:]
    sum_x, sum_y = np.zeros(len(x)), np.zeros(len(x))
    sum_x[:-1] = (x[:-1] + x[1:]) * weight[:-1]
    sum_y[:-1] = (y[:-1] + y[1:]) * weight[:-1]
    area = 3 * np.add.reduceat(weight, first)
    middle_x = x0 + np.add.reduceat(sum_x, first) / area
    middle_y = y0 + np.add.reduceat(sum_y, first) / area
    return rings.x - np.repeat(middle_x, size), rings.y - np.repeat(middle_y, size)
