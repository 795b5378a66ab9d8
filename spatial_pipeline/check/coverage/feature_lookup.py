"""Features that a rule will need again, kept so that they need not be read again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.runtime.shared_work import SharedWork

READ = 256
"""Minimum number of features per read."""
SLICES = 16
"""Maximum number of reads."""
CROWDED = 0.2
"""Share of a batch's features above which they and their neighbours would be nearly all."""


def bare(batch: FeatureBatch, index: NDArray[np.int64]) -> FeatureBatch:
    """Some features of a batch without cached values derived from them."""
    where = pa.array(index)
    return FeatureBatch(
        rows=batch.rows[index],
        positions=batch.positions[index],
        table=batch.table.take(where),
        wkb=None if batch.wkb is None else batch.wkb.take(where),
        crs=batch.crs,
    )


def around(bounds: NDArray[np.float64], index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Adds most of the neighbours to some features, to prefetch them together.

    Looked up in a coarse grid: a neighbour that it misses is read later.

    Args:
        bounds: (n, 4) bounds of the features of a batch; NaN rows lie nowhere.
        index: (k,) some of them.

    Returns:
        Ascending indices.

    """
    kept = np.zeros(len(bounds), dtype=bool)
    kept[index] = True
    xmin, ymin, xmax, ymax = np.ascontiguousarray(bounds.T)
    known = np.flatnonzero(np.isfinite(bounds).all(axis=1))
    if len(index) and len(known) and len(index) <= CROWDED * len(bounds):
        cells = int(len(known) ** 0.5) + 1
        columns, rows = (
            [_steps(low, high, known, cells, side) for side in (low, high)]
            for low, high in ((xmin, xmax), (ymin, ymax))
        )
        corners = [column * cells + row for column in columns for row in rows]
        marked = np.zeros(cells * cells, dtype=bool)
        hit = kept[known]
        for cell in corners:
            marked[cell[hit]] = True
        for cell in corners:
            kept[known[marked[cell]]] = True
    return np.flatnonzero(kept)


def _steps(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    known: NDArray[np.int64],
    cells: int,
    side: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Column (or row) index in the grid of one side of each feature."""
    first = low[known].min()
    size = max(high[known].max() - first, np.finfo(float).tiny)
    steps: NDArray[np.float64] = (side[known] - first) / size * cells
    return np.minimum(steps, cells - 1).astype(np.int64)


class FeatureLookup:
    """Features of a dataset by position: from those in memory, else from the dataset.

    Args:
        data: the dataset.
        parts: batches in memory; each feature is in at most one of them.
        columns: the requested attribute columns.

    """

    def __init__(
        self, data: VectorReader, parts: Iterable[FeatureBatch], columns: tuple[str, ...] = ()
    ) -> None:
        self._data = data
        self._columns = columns
        self._parts = [_with(p, columns) for p in parts if len(p) and p.wkb is not None]
        none = np.empty(0, np.int64)
        positions = np.concatenate([none, *(p.positions for p in self._parts)])
        order = np.argsort(positions)
        sizes = [len(p) for p in self._parts]
        self._positions = positions[order]
        self._part = np.repeat(np.arange(len(sizes)), sizes)[order]
        self._index = np.concatenate([none, *map(np.arange, sizes)])[order]

    def take(self, positions: NDArray[np.int64]) -> FeatureBatch:
        """The features at these staged positions; idle threads help to read them.

        Args:
            positions: (n,) ascending.

        """
        at = np.searchsorted(self._positions, positions)
        held = at < len(self._positions)
        held[held] = self._positions[at[held]] == positions[held]
        found = self._kept(at[held])
        missing = positions[~held]
        if len(missing) or not found:
            # Those who read of the same row group wait for each other, and read it once.
            slices = np.array_split(missing, max(min(len(missing) // READ, SLICES), 1))
            found += SharedWork([partial(self._read, some) for some in slices]).results()
        if len(found) == 1:
            return found[0]
        both = _concatenated(found)
        ascending = bool((both.positions[1:] > both.positions[:-1]).all())
        return both if ascending else bare(both, np.argsort(both.positions))

    def _kept(self, at: NDArray[np.int64]) -> list[FeatureBatch]:
        """Some of the features in memory, by the parts that hold them."""
        part, index = self._part[at], self._index[at]
        order = np.argsort(part, kind="stable")
        held, begins = np.unique(part[order], return_index=True)
        some = np.split(index[order], begins[1:])
        return [bare(self._parts[p], i) for p, i in zip(held.tolist(), some, strict=False)]

    def _read(self, positions: NDArray[np.int64]) -> FeatureBatch:
        return _with(self._data.take(positions, self._columns), self._columns)


def _with(batch: FeatureBatch, columns: tuple[str, ...]) -> FeatureBatch:
    """The batch with these attribute columns only."""
    return FeatureBatch(
        batch.rows, batch.positions, batch.table.select(list(columns)), batch.wkb, batch.crs
    )


def _concatenated(parts: list[FeatureBatch]) -> FeatureBatch:
    first = parts[0]
    kind = first.wkb.type if first.wkb is not None else pa.binary()
    return FeatureBatch(
        rows=np.concatenate([p.rows for p in parts]),
        positions=np.concatenate([p.positions for p in parts]),
        table=pa.concat_tables([p.table for p in parts]),
        wkb=pa.concat_arrays([p.wkb.cast(kind) for p in parts if p.wkb is not None]),
        crs=first.crs,
    )
