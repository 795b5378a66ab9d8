"""Connected patches of equal pixels that are too small, joined across windows in bounded memory.

A window is reduced to the horizontal runs of its patches. Of a patch that is large enough within
one window only the runs at the border of the window are kept: they make patches of the next window
large, too. So the memory depends on small patches and on borders, not on the raster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.raster.regions import components

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class PatchRuns:
    """Runs of the patches of one window that matter beyond it.

    Attributes:
        row: (n,) row in the raster.
        start: (n,) first column.
        stop: (n,) column after the last.
        value: (n,) value of the pixels.
        patch: (n,) number of the patch in the window, 0 … p-1.
        size: (p,) pixels of each patch.
        edge: (p,) True for patches that touch the edge of the raster.
        judged: pixels of the window that were judged.

    """

    row: Integers
    start: Integers
    stop: Integers
    value: NDArray[Any]
    patch: Integers
    size: Integers
    edge: NDArray[np.bool_]
    judged: int


@dataclass(frozen=True)
class SmallPatches:
    """Patches of the whole raster that are too small.

    Attributes:
        row: (n,) rows of their runs, in ascending order.
        start: (n,) first columns.
        stop: (n,) columns after the last.
        patch: (n,) patch of each run, 0 … p-1.
        size: (p,) pixels of each patch.
        value: (p,) value of its pixels.

    """

    row: Integers
    start: Integers
    stop: Integers
    patch: Integers
    size: Integers
    value: NDArray[Any]


def patch_runs(
    values: NDArray[Any],
    judged: NDArray[np.bool_],
    place: tuple[int, int],
    raster: tuple[int, int],
    least: float,
    reach: int,
) -> PatchRuns:
    """The runs of a window.

    Args:
        values: (h, w) pixels.
        judged: (h, w) pixels that belong to patches.
        place: row and column of the window in the raster.
        raster: rows and columns of the raster.
        least: pixels from which a patch is large enough.
        reach: 1 when pixels that touch at a corner are connected, else 0.

    """
    height, width = values.shape
    joined = judged[:, 1:] & judged[:, :-1] & (values[:, 1:] == values[:, :-1])
    begins, ends = judged.copy(), judged.copy()
    begins[:, 1:] &= ~joined
    ends[:, :-1] &= ~joined
    row, start = np.nonzero(begins)
    stop = np.nonzero(ends)[1] + 1
    value = values[row, start]
    a, b = neighbours(row, start, stop, reach)
    same = value[a] == value[b]
    label = components(len(row), a[same], b[same])
    _, patch = np.unique(label, return_inverse=True)
    count = int(patch.max(initial=-1)) + 1
    size = np.bincount(patch, stop - start, count).astype(np.int64)
    top, left = place
    borders = (
        (row == 0, top > 0), (row == height - 1, top + height < raster[0]),
        (start == 0, left > 0), (stop == width, left + width < raster[1]),
    )  # fmt: skip
    inner, outer = np.zeros(len(row), dtype=bool), np.zeros(len(row), dtype=bool)
    for touches, goes_on in borders:
        (inner if goes_on else outer)[touches] = True
    edge = np.bincount(patch, outer, count) > 0
    keep = inner | (size < least)[patch]
    used, renumbered = np.unique(patch[keep], return_inverse=True)
    return PatchRuns(
        row[keep] + top, start[keep] + left, stop[keep] + left, value[keep], renumbered,
        size[used], edge[used], int(np.count_nonzero(judged)),
    )  # fmt: skip


def small_patches(
    parts: Sequence[PatchRuns], least: float, reach: int, *, except_at_edge: bool
) -> SmallPatches:
    """The patches of all windows that are too small; see :func:`patch_runs`."""
    offset = np.cumsum([0, *(len(p.size) for p in parts)])
    row, start, stop, value = (
        np.concatenate([getattr(p, name) for p in parts])
        for name in ("row", "start", "stop", "value")
    )
    patch = np.concatenate([p.patch + o for p, o in zip(parts, offset[:-1], strict=True)])
    order = np.lexsort((start, row))
    row, start, stop, value, patch = (x[order] for x in (row, start, stop, value, patch))
    a, b = neighbours(row, start, stop, reach)
    beside = np.flatnonzero((row[1:] == row[:-1]) & (start[1:] == stop[:-1]))
    a, b = np.concatenate([a, beside]), np.concatenate([b, beside + 1])
    same = value[a] == value[b]
    whole = components(int(offset[-1]), patch[a[same]], patch[b[same]])
    size = np.bincount(whole, np.concatenate([p.size for p in parts]), int(offset[-1]))
    edge = np.bincount(whole, np.concatenate([p.edge for p in parts]), int(offset[-1])) > 0
    wrong = size < least
    if except_at_edge:
        wrong &= ~edge
    keep = wrong[whole[patch]]
    row, start, stop, value, patch = (x[keep] for x in (row, start, stop, value, whole[patch]))
    # Runs that a window border split are one.
    first = np.ones(len(row), dtype=bool)
    first[1:] = (row[1:] != row[:-1]) | (start[1:] != stop[:-1]) | (patch[1:] != patch[:-1])
    head = np.flatnonzero(first)
    last = np.append(head[1:], len(row))[: len(head)] - 1
    used, number = np.unique(patch[head], return_inverse=True)
    values = np.empty(len(used), value.dtype)
    values[number] = value[head]
    return SmallPatches(
        row[head], start[head], stop[last], number, size[used].astype(np.int64), values
    )


def neighbours(
    row: Integers, start: Integers, stop: Integers, reach: int
) -> tuple[Integers, Integers]:
    """Pairs of runs in neighbouring rows that share a column, or a corner when ``reach`` is 1.

    Args:
        row: (n,) rows of disjoint runs, in ascending order.
        start: (n,) first columns, ascending within a row.
        stop: (n,) columns after the last.
        reach: columns by which runs may be apart.

    """
    width = int(stop.max(initial=0)) + 2
    begin, end = row * width + start, row * width + stop
    first = np.searchsorted(end, begin + width - reach, side="right")
    beyond = np.searchsorted(begin, end + width + reach, side="left")
    pairs = np.maximum(beyond - first, 0)
    above = np.repeat(np.arange(len(row)), pairs)
    step = np.arange(len(above)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    return above, first[above] + step
