"""Boxes that certainly lie in the union of polygons, decided from residual edges and a grid.

Edges along which two polygons meet cancel (see ``arrangement``); between residual edges, the number
of covering polygons is constant. The grid stores for each cell whether a residual edge is near, and
if none is, the number of polygons around the cell: the winding number, accumulated along each
column from the residual edges. A box over cells without edges, and with polygons around, is
covered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.arrangement import EdgeChain, directed_edges, residue
from spatial_pipeline.check.geometry.boxes import finite
from spatial_pipeline.check.geometry.marked_cells import Cells, MarkedCells

WORTH = 16
"""Number of boxes below which setting up a grid takes longer than testing the features."""
ALONE = 0.5
"""Share of residual edges above which polygons hardly meet, so that other tests decide."""
CELLS = 4
"""Grid cells along the side of one box, where boxes lie beside each other."""
SIDES = (128, 512)
"""Cells along a side of a grid, at least and at most."""
CROSSINGS = 1 << 21
"""Total columns that all edges may cross; above it, the grid is coarser."""
EXACT = 2.0**-30
"""Least size of a cell, in units of the largest coordinate: rounding is far below it."""


@dataclass(frozen=True)
class _Grid:
    """Cells over an extent: (x0, y0) is its corner, (dx, dy) the size of a cell, side² of them."""

    x0: float
    y0: float
    dx: float
    dy: float
    side: int

    def column(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        """Columns of some x; -2 and ``side`` mean outside."""
        return np.clip(np.floor((x - self.x0) / self.dx), -2, self.side).astype(np.int64)

    def row(self, y: NDArray[np.float64]) -> NDArray[np.int64]:
        """Rows of some y; likewise."""
        return np.clip(np.floor((y - self.y0) / self.dy), -2, self.side).astype(np.int64)

    def cells(self, corners: NDArray[np.float64]) -> Cells:
        """The cells of (n, 2) places in the extent, its border included."""
        last = self.side - 1
        return (
            np.clip(self.column(corners[:, 0]), 0, last),
            np.clip(self.row(corners[:, 1]), 0, last),
        )


def in_union(bounds: NDArray[np.float64], polygons: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(n,) bool: boxes that certainly lie in the union of polygons; False means undecided.

    Boxes of points are not tested: locating a point is as fast.

    Args:
        bounds: (n, 4) boxes; rows with NaN or infinity lie in none.
        polygons: (m,) valid polygons and multipolygons.

    """
    held = np.zeros(len(bounds), dtype=bool)
    known = finite(bounds) & ((bounds[:, 2] > bounds[:, 0]) | (bounds[:, 3] > bounds[:, 1]))
    if np.count_nonzero(known) < WORTH or not len(polygons):
        return held
    edges = residue(directed_edges(polygons))
    if len(edges.left) > ALONE * len(edges.edges):
        return held
    boxes = bounds[known]
    # Overflow gives no finite number, and then there is no grid.
    with np.errstate(over="ignore", invalid="ignore"):
        chain = _across(edges.chain(), boxes)
        grid = _grid(boxes, chain)
        if grid is not None:
            open_ = MarkedCells(~_covered(grid, chain))
            held[known] = ~open_.any(grid.cells(boxes[:, :2]), grid.cells(boxes[:, 2:]))
    return held


def _across(chain: EdgeChain, boxes: NDArray[np.float64]) -> EdgeChain:
    """The edges in or below the extent of the boxes: the others affect no winding number."""
    kept = (chain.edges[:, 2] >= boxes[:, 0].min()) & (chain.edges[:, 0] <= boxes[:, 2].max())
    kept &= np.minimum(chain.edges[:, 1], chain.edges[:, 3]) <= boxes[:, 3].max()
    return EdgeChain(chain.edges[kept], chain.net[kept])


def _grid(boxes: NDArray[np.float64], chain: EdgeChain) -> _Grid | None:
    """A grid over the boxes, None where coordinates are too large for one."""
    x0, y0 = boxes[:, 0].min(), boxes[:, 1].min()
    wide, high = boxes[:, 2].max() - x0, boxes[:, 3].max() - y0
    largest = max(np.abs(boxes).max(), np.abs(chain.edges).max(initial=0))
    tiny = max(EXACT * largest, np.finfo(np.float64).tiny)
    least, most = SIDES
    side = int(min(max(CELLS * len(boxes) ** 0.5, least), most))
    if not np.isfinite([wide, high, 2 * largest]).all():
        return None
    while side:
        grid = _Grid(x0, y0, max(wide / side, tiny), max(high / side, tiny), side)
        if int(_columns(grid, chain)[1].sum()) <= CROSSINGS:
            return grid
        side //= 2
    return None


def _columns(grid: _Grid, chain: EdgeChain) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) the first column that each edge crosses, and (n,) the number of columns."""
    first, last = (np.clip(grid.column(chain.edges[:, i]), 0, grid.side - 1) for i in (0, 2))
    return first, last - first + 1


def _covered(grid: _Grid, chain: EdgeChain) -> NDArray[np.bool_]:
    """(side, side) bool: columns and rows of cells that lie in polygons, no edge near."""
    side = grid.side
    first, count = _columns(grid, chain)
    edge = np.repeat(np.arange(len(chain)), count)
    begin = np.cumsum(count) - count
    column = first[edge] + np.arange(len(edge)) - begin[edge]
    x0, y0, x1, y1 = chain.edges[edge].T
    left, width, rise = grid.x0 + column * grid.dx, x1 - x0, y1 - y0
    upright = width == 0
    width[upright] = 1.0

    def height(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(y0 + np.clip((x - x0) / width, 0, 1) * rise)

    low, high = height(left), height(left + grid.dx)
    low[upright], high[upright] = y0[upright], y1[upright]
    low, high = np.minimum(low, high), np.maximum(low, high)
    crossed = np.zeros((side + 2, side + 3))
    # A cell more on each side: then rounding can't hide an edge beside a cell.
    for row, step in ((np.maximum(grid.row(low), 0), 1), (grid.row(high) + 3, -1)):
        place = (column + 1) * (side + 3) + np.minimum(row, side + 2)
        crossed += step * _counted(place, None, crossed.shape)
    near = np.cumsum(crossed, axis=1)[:, 1 : side + 1] > 0
    near = near[:-2] | near[1:-1] | near[2:]
    middle = left + grid.dx / 2
    runs = (x0 <= middle) & (middle < x1)
    above = np.clip(grid.row(height(middle)) + 1, 0, side)[runs]
    place = column[runs] * (side + 1) + above
    winding = _counted(place, chain.net[edge[runs]].astype(np.float64), (side, side + 1))
    return ~near & (np.cumsum(winding, axis=1)[:, :side] > 0)


def _counted(
    place: NDArray[np.int64], weights: NDArray[np.float64] | None, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Number of occurrences of each cell of an array of that shape, or the sum of its weights."""
    return np.bincount(place, weights, shape[0] * shape[1]).astype(np.float64).reshape(shape)


__all__ = ["in_union"]
