"""Connected regions of marked pixels, found window by window and joined across windows.

A window is reduced to its horizontal runs of marked pixels. The runs of all windows together are
the runs of the whole raster once those split by a window border are joined, so the result does not
depend on the partitioning. Regions are 4-connected: pixels that touch at a corner only are apart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.raster.region_outlines import outlines, rectangles
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.violations import Violations

RUN_LIMIT = 1_000_000
"""Runs of a whole raster that are outlined; more are reported by cells, which bounds memory."""

STRIP = 1 << 17
"""Pixels that are worked on at once."""

CELLS = 64
"""Cells along the longer side of the raster, when there are too many runs to outline."""


@dataclass(frozen=True)
class Runs:
    """Horizontal runs of marked pixels of one band, as arrays of length n.

    Attributes:
        row: (n,) row in the raster.
        start: (n,) first column in the raster.
        stop: (n,) column after the last.
        low: (n,) smallest reported value of the pixels, NaN when none is a number.
        high: (n,) largest reported value of the pixels.
        blank: (n,) number of pixels with the reported value NaN.

    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    low: NDArray[Any]
    high: NDArray[Any]
    blank: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def of(
        cls, mask: NDArray[np.bool_], told: NDArray[Any] | None, row_off: int, col_off: int
    ) -> Runs:
        """The runs of a window.

        Args:
            mask: (height, width) marked pixels.
            told: (height, width) value to report for each pixel; None reports 1 for all.
            row_off: first row of the window in the raster.
            col_off: first column of the window in the raster.

        """
        height, width = mask.shape
        fenced = np.zeros(height * (width + 1) + 1, dtype=bool)
        fenced[1:].reshape(height, width + 1)[:, :width] = mask
        change = np.flatnonzero(fenced[1:] != fenced[:-1])
        start, stop = change[0::2], change[1::2]
        row, column = np.divmod(start, width + 1)
        if told is None:
            ones = np.ones(len(start), dtype=bool)
            numbers = (ones, ones, np.zeros(len(start), dtype=np.int64))
        else:
            numbers = _numbers(told[mask], start, stop)
        low, high, blank = numbers
        return cls(
            row=row + row_off,
            start=column + col_off,
            stop=column + (stop - start) + col_off,
            low=low,
            high=high,
            blank=blank,
        )

    @classmethod
    def concat(cls, parts: Sequence[Runs]) -> Runs:
        """The runs of all parts in the order given."""
        names = ("row", "start", "stop", "low", "high", "blank")
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))

    @classmethod
    def joined(cls, parts: Sequence[Runs]) -> Runs:
        """The runs of all parts by row and column; split runs are joined."""
        whole = cls.concat(parts)
        low, high, blank = whole.low, whole.high, whole.blank
        order = np.lexsort((whole.start, whole.row))
        row, start, stop = whole.row[order], whole.start[order], whole.stop[order]
        begins = np.ones(len(row), dtype=bool)
        begins[1:] = (row[1:] != row[:-1]) | (start[1:] != stop[:-1])
        first = np.flatnonzero(begins)
        last = np.concatenate([first[1:], [len(row)]]) - 1
        return cls(
            row=row[first],
            start=start[first],
            stop=stop[last],
            low=np.fmin.reduceat(low[order], first),
            high=np.fmax.reduceat(high[order], first),
            blank=np.add.reduceat(blank[order], first),
        )


@dataclass(frozen=True)
class Marks:
    """The marked pixels of one band in one window, reduced to runs or counts.

    Attributes:
        band: 1-based band.
        count: number of marked pixels.
        runs: their runs, None when there are too many in the raster or none here.
        cells: (CELLS, CELLS) marked pixels per cell, when the runs were dropped.

    """

    band: int
    count: int
    runs: Runs | None = None
    cells: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class MarkedPixels:
    """Pixels of one band in one window.

    Attributes:
        pixels: number of pixels checked.
        marks: the marked pixels: out of range, or without data.
        nan: number of marked pixels that are NaN.

    """

    pixels: int
    marks: Marks
    nan: int = 0


Describe = Callable[[int, Any, Any, int], str]
"""(band, low, high, blank) → reason; low and high are NaN when there is no number."""


class RegionFinder:
    """Collects marked pixels from windows, in any order and from any thread."""

    def __init__(self, profile: RasterProfile) -> None:
        self._transform = profile.transform
        self._shape = profile.height, profile.width
        self._cell = max(1, -(-max(self._shape) // CELLS))
        self._seen = 0
        self._lock = threading.Lock()

    def mark(
        self,
        window: PixelWindow,
        band: int,
        mask: NDArray[np.bool_],
        told: NDArray[Any] | None = None,
    ) -> Marks:
        """Marks pixels of one band of a window; see :meth:`Runs.of`."""
        count, parts = 0, []
        for rows in strips(*mask.shape):
            here = int(np.count_nonzero(mask[rows]))
            if here:
                count += here
                some = None if told is None else told[rows]
                parts.append(Runs.of(mask[rows], some, window.row_off + rows.start, window.col_off))
        if not count:
            return Marks(band, 0)
        runs = Runs.concat(parts)
        if self._too_many(runs, window.col_off):
            return Marks(band, count, cells=self._cells(runs))
        return Marks(band, count, runs=runs)

    def violations(self, marks: Sequence[Marks], describe: Describe) -> tuple[Violations, str]:
        """One violation per region with its outline and its size in pixels, and a note.

        When the raster has more than ``RUN_LIMIT`` runs, the violations are the cells of a coarse
        grid that hold marked pixels, and the note reports that.
        """
        marked = [m for m in marks if m.count]
        bands = sorted({m.band for m in marked})
        if not any(m.cells is not None for m in marked):
            joined = {
                b: Runs.joined([m.runs for m in marked if m.band == b and m.runs is not None])
                for b in bands
            }
            if sum(len(r) for r in joined.values()) <= RUN_LIMIT:
                parts = [self._regions(b, runs, describe) for b, runs in joined.items()]
                return Violations.concat(parts), ""
        parts = [self._scattered(b, [m for m in marked if m.band == b], describe) for b in bands]
        note = (
            f"too scattered to outline each region: the places are cells of "
            f"{self._cell} × {self._cell} px"
        )
        return Violations.concat(parts), note

    def _too_many(self, runs: Runs, col_off: int) -> bool:
        """True once the raster certainly has too many runs, under any partitioning.

        A run at the left border of a window may go on from its neighbour: it is not counted yet.
        """
        sure = len(runs) if not col_off else int(np.count_nonzero(runs.start > col_off))
        with self._lock:
            self._seen += sure
            return self._seen > RUN_LIMIT

    def _cells(self, runs: Runs) -> NDArray[np.int64]:
        first, last = runs.start // self._cell, (runs.stop - 1) // self._cell
        pieces = last - first + 1
        owner = np.repeat(np.arange(len(runs)), pieces)
        step = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        column = first[owner] + step
        length = np.minimum(runs.stop[owner], (column + 1) * self._cell) - np.maximum(
            runs.start[owner], column * self._cell
        )
        cells = np.zeros((CELLS, CELLS), dtype=np.int64)
        np.add.at(cells, (runs.row[owner] // self._cell, column), length)
        return cells

    def _scattered(self, band: int, marks: Sequence[Marks], describe: Describe) -> Violations:
        total = np.zeros((CELLS, CELLS), dtype=np.int64)
        for mark in marks:
            if mark.cells is not None:
                total += mark.cells
            elif mark.runs is not None:
                total += self._cells(mark.runs)
        row, column = np.nonzero(total)
        height, width = self._shape
        top, left = row * self._cell, column * self._cell
        bottom, right = np.minimum(top + self._cell, height), np.minimum(left + self._cell, width)
        places = rectangles(top, left, bottom, right, self._transform)
        return Violations.build(
            np.full(len(row), -1),
            describe(band, np.nan, np.nan, 0),
            places,
            total[row, column],
            "px",
        )

    def _regions(self, band: int, runs: Runs, describe: Describe) -> Violations:
        label = components(len(runs), *_overlapping(runs))
        order = np.argsort(label, kind="stable")
        first = np.flatnonzero(np.diff(label[order], prepend=-1))
        low = np.fmin.reduceat(runs.low[order], first)
        high = np.fmax.reduceat(runs.high[order], first)
        blank = np.add.reduceat(runs.blank[order], first)
        size = np.add.reduceat((runs.stop - runs.start)[order], first)
        rank = np.searchsorted(label[order][first], label)
        places = outlines(runs.row, runs.start, runs.stop, rank, self._transform)
        reasons = [
            describe(band, *told)
            for told in zip(low.tolist(), high.tolist(), blank.tolist(), strict=True)
        ]
        return Violations.build(np.full(len(first), -1), reasons, places, size, "px")


def strips(height: int, width: int) -> Iterator[slice]:
    """Row ranges of a window, sized so that temporaries stay in the processor's cache.

    Memory for larger arrays comes from the system as new pages each time: faulting them in takes
    longer than the work.
    """
    step = max(1, STRIP // max(width, 1))
    for begin in range(0, height, step):
        yield slice(begin, min(begin + step, height))


def _numbers(
    numbers: NDArray[Any], start: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """The smallest and the largest number of each run, and its number of NaN.

    Args:
        numbers: (p,) of all pixels of all runs.
        start: (n,) where runs begin.
        stop: (n,) where they end.

    """
    if not len(start):
        return numbers, numbers, start
    first = np.concatenate([[0], np.cumsum(stop - start)[:-1]]).astype(np.int64)
    blank = np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros(len(numbers), bool)
    return (
        np.fmin.reduceat(numbers, first),
        np.fmax.reduceat(numbers, first),
        np.add.reduceat(blank, first, dtype=np.int64),
    )


def components(n: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Connected components of a graph: for each node the smallest node of its component.

    Hooking and pointer jumping over arrays (Shiloach and Vishkin 1982): every root hooks to the
    smallest root next to it, then every path is compressed, until no edge joins two components.

    Args:
        n: number of nodes.
        a: (m,) one end of every edge.
        b: (m,) the other end.

    """
    parent = np.arange(n)
    while len(a):
        low, high = np.minimum(parent[a], parent[b]), np.maximum(parent[a], parent[b])
        apart = low != high
        a, b = a[apart], b[apart]
        np.minimum.at(parent, high[apart], low[apart])
        while not np.array_equal(above := parent[parent], parent):
            parent = above
    return parent


def _overlapping(runs: Runs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of runs in neighbouring rows that share a column; ``runs`` are in canonical order."""
    width = int(runs.stop.max(initial=0)) + 1
    begin, end = runs.row * width + runs.start, runs.row * width + runs.stop
    first = np.searchsorted(end, begin + width, side="right")
    beyond = np.searchsorted(begin, end + width, side="left")
    pairs = np.maximum(beyond - first, 0)
    above = np.repeat(np.arange(len(runs)), pairs)
    step = np.arange(len(above)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    return above, first[above] + step


def union(violations: Violations) -> Any:
    """One geometry of the places of all violations; None without any."""
    if not len(violations):
        return None
    together = shapely.multipolygons(violations.geometry)
    # The cells of a coarse grid share edges, which the parts of a multipolygon may not.
    return together if together.is_valid else shapely.union_all(violations.geometry)
