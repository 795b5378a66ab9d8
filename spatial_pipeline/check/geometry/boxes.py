"""Spatial look-up of bounding boxes, a few thousand at a time.

Building a tree keeps the GIL, so one tree over a large dataset would block the event loop. Staged
features follow a Hilbert curve: the boxes of a few thousand consecutive features are close
together, and most look-ups concern the trees of one or two such chunks.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.marked_cells import Cells, MarkedCells

CHUNK = 4096
"""Boxes a tree."""
BLOCK = 64
"""Boxes of a chunk that have an extent of their own."""
TREES = 64
"""Trees kept, at most: about 100 MB."""
FEW = 256
"""Number of look-ups in a chunk below which building its tree takes longer."""
COMPARED = 1024
"""Look-ups that are compared at once."""
GRID = 1024
"""Cells along a side of a grid, at most."""


class Boxes:
    """Bounds of features, with spatial look-up; trees are built on first use.

    Attributes:
        bounds: (n, 4) bounds; NaN rows are found nowhere.

    """

    def __init__(self, bounds: NDArray[np.float64]) -> None:
        self.bounds = bounds
        self._starts = np.arange(0, len(bounds), CHUNK)
        self._blocks = _extents(bounds, BLOCK)
        self._extents = _extents(self._blocks, CHUNK // BLOCK)
        self._bounded = bool((~np.isinf(self._extents)).all())
        self._trees: dict[int, shapely.STRtree] = {}

    def within(self, extent: NDArray[np.float64]) -> NDArray[np.int64]:
        """Ascending indices of the boxes that meet an extent.

        Args:
            extent: (4,) bounds.

        """
        found = [
            start + np.flatnonzero(_meet(self.bounds[start : start + CHUNK], extent))
            for start in self._starts[_meet(self._extents, extent)]
        ]
        return np.concatenate([np.empty(0, dtype=np.int64), *found])

    def near(
        self,
        around: NDArray[np.float64],
        halo: float,
        besides: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64]:
        """Ascending indices of the boxes within ``halo`` (by x and by y) of one of ``around``.

        Args:
            around: (m, 4) bounds; NaN rows are ignored.
            halo: distance, units of the coordinates.
            besides: indices to exclude.

        """
        known = finite(around)
        around = around if known.all() else around[known]
        if not len(around):
            return np.empty(0, dtype=np.int64)
        if halo:
            around = around + np.array([-halo, -halo, halo, halo])
        extent = _extent(around)
        candidates = self.within(extent)
        if besides is not None:
            candidates = np.setdiff1d(candidates, besides, assume_unique=True)
        near, places = np.zeros(len(candidates), dtype=bool), Boxes(around)
        for begin in range(0, len(candidates), COMPARED):
            some = self.bounds[candidates[begin : begin + COMPARED]]
            near[begin + places.meetings(some)[0]] = True
        return candidates[near]

    def query(self, geometry: NDArray[np.object_] | shapely.Geometry) -> NDArray[np.int64]:
        """Boxes that meet the boxes of geometries, in the form of ``shapely.STRtree.query``.

        Args:
            geometry: (m,) geometries, or one.

        Returns:
            (2, k) indices of geometries, ascending, and of boxes; for one geometry (k,) indices of
                boxes.

        """
        found = self.pairs(shapely.bounds(np.asarray(geometry, dtype=object)).reshape(-1, 4))
        return found[1] if np.ndim(geometry) == 0 else found

    def pairs(self, asked: NDArray[np.float64]) -> NDArray[np.int64]:
        """(2, k) index pairs of given bounds, ascending, and the boxes that they meet.

        Args:
            asked: (m, 4) bounds; NaN rows meet nothing.

        """
        found = self.meetings(asked)
        return found[:, np.lexsort(found[::-1])]

    def meetings(self, asked: NDArray[np.float64]) -> NDArray[np.int64]:
        """The pairs in any order: sorting them takes as long as finding them."""
        pairs, few = [np.empty((2, 0), dtype=np.int64)], [np.empty((2, 0), dtype=np.int64)]
        for chunk in self._chunks(asked):
            close = np.flatnonzero(_meet(asked, self._extents[chunk]))
            if not len(close):
                continue
            if len(close) < FEW and chunk not in self._trees:
                few.append(np.stack([close, np.full(len(close), chunk)]))
            else:
                i, j = self._tree(chunk).query(_lines(asked[close]))
                pairs.append(np.stack([close[i], j + self._starts[chunk]]))
        left = np.concatenate(few, axis=1)
        pairs += [
            self._compared(asked, *left[:, begin : begin + COMPARED])
            for begin in range(0, left.shape[1], COMPARED)
        ]
        return np.concatenate(pairs, axis=1)

    def _compared(
        self, asked: NDArray[np.float64], which: NDArray[np.int64], chunk: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """(2, k) index pairs of given bounds and boxes of the chunk named beside each."""
        for extents, size in ((self._blocks, CHUNK // BLOCK), (self.bounds, BLOCK)):
            pair, place = np.nonzero(_meeting(asked[which], _in_a_row(extents, size, chunk)))
            which, chunk = which[pair], chunk[pair] * size + place
        if self._bounded:
            return np.stack([which, chunk])
        # Infinite bounds match nothing, as in a tree.
        known = finite(self.bounds[chunk])
        return np.stack([which[known], chunk[known]])

    def _chunks(self, asked: NDArray[np.float64]) -> NDArray[np.int64]:
        """Chunks that may have boxes for one of these bounds; NaN rows match nothing."""
        if not len(asked) or not len(self._extents):
            return np.empty(0, dtype=np.int64)
        low, high = np.fmin.reduce(asked[:, :2]), np.fmax.reduce(asked[:, 2:])
        return np.flatnonzero(_meet(self._extents, np.concatenate([low, high])))

    def _tree(self, chunk: int) -> shapely.STRtree:
        tree = self._trees.get(chunk)
        if tree is None:
            # Two threads may make the same one; either is good.
            start = self._starts[chunk]
            tree = shapely.STRtree(diagonals(self.bounds[start : start + CHUNK]))
            while len(self._trees) >= TREES:
                # Another thread may have removed the oldest, or all but this one.
                self._trees.pop(next(iter(self._trees.copy()), chunk), None)
            self._trees[chunk] = tree
        return tree


def meeting(
    bounds: NDArray[np.float64], others: NDArray[np.float64], reach: float = 0.0
) -> NDArray[np.bool_]:
    """(n,) bool: boxes within ``reach`` (by x and by y) of one of the others.

    A grid rejects most boxes early.

    Args:
        bounds: (n, 4) boxes; NaN rows meet nothing.
        others: (m, 4) boxes; NaN rows are met by nothing.
        reach: units of the coordinates.

    """
    out = np.zeros(len(bounds), dtype=bool)
    others = others[finite(others)]
    if not len(others):
        return out
    others = others + np.array([-reach, -reach, reach, reach])
    extent = _extent(others)
    inside = np.flatnonzero(_meet(bounds, extent))
    side = int(min(max(2 * len(inside) ** 0.5, 1), GRID))
    low, size = extent[:2], extent[2:] - extent[:2]
    size[size == 0] = 1.0

    def cell(corners: NDArray[np.float64]) -> Cells:
        place = np.clip((corners - low) / size * side, 0, side - 1).astype(np.int64)
        return place[:, 0], place[:, 1]

    (x0, y0), (x1, y1) = cell(others[:, :2]), cell(others[:, 2:])
    count = np.zeros((side + 1, side + 1), dtype=np.int32)
    for x, y, step in ((x0, y0, 1), (x1 + 1, y1 + 1, 1), (x0, y1 + 1, -1), (x1 + 1, y0, -1)):
        np.add.at(count, (x, y), step)
    np.cumsum(np.cumsum(count, axis=0, out=count), axis=1, out=count)
    marked = MarkedCells(count[:-1, :-1] > 0)
    found = [inside[:0]]
    for begin in range(0, len(inside), CHUNK):
        some = inside[begin : begin + CHUNK]
        own = bounds[some]
        found.append(some[marked.any(cell(own[:, :2]), cell(own[:, 2:]))])
    candidates = np.concatenate(found)
    tree = shapely.STRtree(diagonals(others))
    for begin in range(0, len(candidates), CHUNK):
        some = candidates[begin : begin + CHUNK]
        out[some[np.unique(tree.query(diagonals(bounds[some]))[0])]] = True
    return out


def diagonals(bounds: NDArray[np.float64]) -> NDArray[np.object_]:
    """(n,) lines with these bounds, a third of the size of rectangles; None for NaN rows."""
    return _lines(np.where(finite(bounds)[:, np.newaxis], bounds, np.nan))


def _lines(bounds: NDArray[np.float64]) -> NDArray[np.object_]:
    """(n,) lines with these bounds, infinite ones included; None for NaN rows."""
    lines = np.full(len(bounds), None, dtype=object)
    known = ~np.isnan(bounds).any(axis=1)
    lines[known] = shapely.linestrings(bounds[known].reshape(-1, 2, 2))
    return lines


def finite(bounds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) bool: rows without NaN and infinity; ``all(axis=1)`` takes twenty times as long."""
    known = np.ones(len(bounds), dtype=bool)
    for column in bounds.T:
        known &= np.isfinite(column)
    return known


def _extent(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4,) bounds of at least one of bounds."""
    least, most = (bounds[:, i].min() for i in (0, 1)), (bounds[:, i].max() for i in (2, 3))
    return np.array([*least, *most])


def _meet(bounds: NDArray[np.float64], extent: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) bool: bounds that share a point with an extent; NaN shares none."""
    meets = (
        (bounds[:, 0] <= extent[2])
        & (bounds[:, 2] >= extent[0])
        & (bounds[:, 1] <= extent[3])
        & (bounds[:, 3] >= extent[1])
    )
    return cast("NDArray[np.bool_]", meets)


def _meeting(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(m, n) bool: bounds that share a point with each of (m, n, 4) others; NaN shares none."""
    one = one[:, np.newaxis]
    met = (one[..., 0] <= other[..., 2]) & (one[..., 2] >= other[..., 0])
    met &= (one[..., 1] <= other[..., 3]) & (one[..., 3] >= other[..., 1])
    return met


def _in_a_row(
    bounds: NDArray[np.float64], size: int, number: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(k, size, 4) the bounds of some of the rows of ``size`` bounds, NaN beyond the last."""
    whole = len(bounds) // size
    rows = bounds[: whole * size].reshape(whole, size, 4)
    last = number >= whole
    if not last.any():
        return rows[number]
    out = np.full((len(number), size, 4), np.nan)
    out[~last] = rows[number[~last]]
    out[last, : len(bounds) - whole * size] = bounds[whole * size :]
    return out


def _extents(bounds: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Bounds of every ``size`` bounds in a row."""
    starts = np.arange(0, len(bounds), size)
    if not len(starts):
        return np.empty((0, 4))
    low = np.fmin.reduceat(bounds[:, :2], starts, axis=0)
    high = np.fmax.reduceat(bounds[:, 2:], starts, axis=0)
    return np.concatenate([low, high], axis=1)


__all__ = ["CHUNK", "Boxes", "diagonals", "finite", "meeting"]
