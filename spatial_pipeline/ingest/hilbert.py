"""Order along a Hilbert curve, so that neighbours in space are neighbours in the file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

LEVEL = 16
"""Cells a side: 2 to the power of this."""
CHUNK = 1 << 15
"""Boxes at a time: what they need stays in cache."""
UNPLACED = np.uint64(1) << np.uint64(2 * LEVEL)
"""Key of what has no finite place: behind every other key."""


def hilbert_index(x: NDArray[np.uint32], y: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """(n,) distance along the Hilbert curve of order 16 of (n,) cell columns and rows.

    Source: J. K. Lawder, "Calculation of Mappings Between One and n-dimensional Values Using the
    Hilbert Space-filling Curve" (2000), in its iterative form for two dimensions.
    """
    x = x.astype(np.uint32, copy=True)
    y = y.astype(np.uint32, copy=True)
    distance = np.zeros(x.shape, dtype=np.uint32)
    top = np.uint32((1 << LEVEL) - 1)
    side = 1 << (LEVEL - 1)
    while side:
        right = ((x & np.uint32(side)) > 0).astype(np.uint32)
        upper = ((y & np.uint32(side)) > 0).astype(np.uint32)
        distance += np.uint32(side) * np.uint32(side) * ((np.uint32(3) * right) ^ upper)
        turn = upper == 0
        flip = turn & (right == 1)
        x[flip] = top - x[flip]
        y[flip] = top - y[flip]
        x[turn], y[turn] = y[turn], x[turn]
        side >>= 1
    return distance


def hilbert_order(bounds: NDArray[np.float64], workers: int = 1) -> NDArray[np.int64]:
    """(n,) indices that sort boxes along the Hilbert curve over their common extent.

    Stable; boxes with a coordinate that is not finite come last, in their own order.

    Args:
        bounds: (n, 4) xmin, ymin, xmax, ymax.
        workers: threads.

    """
    keys = np.full(len(bounds), UNPLACED, dtype=np.uint64)
    parts = [slice(at, at + CHUNK) for at in range(0, len(bounds), CHUNK)]
    with ThreadPoolExecutor(workers, thread_name_prefix="hilbert") as pool:
        extents = [e for e in pool.map(lambda part: _extent(bounds[part]), parts) if e is not None]
        if extents:
            low = np.min([e[0] for e in extents], axis=0)
            high = np.max([e[1] for e in extents], axis=0)

            def fill(part: slice) -> None:
                placed = np.isfinite(bounds[part]).all(axis=1)
                columns, rows = _cells(_centres(bounds[part][placed]), low, high).T
                keys[part][placed] = hilbert_index(columns, rows)

            list(pool.map(fill, parts))
    return np.argsort(keys, kind="stable").astype(np.int64, copy=False)


def _centres(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        return bounds[:, :2] * 0.5 + bounds[:, 2:] * 0.5


def _cells(
    centres: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.uint32]:
    """(n, 2) column and row of the cell of each centre."""
    # Halves first: the difference of two huge coordinates would overflow. An extent so small
    # that it vanishes puts everything in one cell.
    with np.errstate(all="ignore"):
        share = (centres * 0.5 - low * 0.5) / (high * 0.5 - low * 0.5)
        share = np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0)
    return (np.clip(share, 0.0, 1.0) * ((1 << LEVEL) - 1)).astype(np.uint32)


def _extent(bounds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Lowest and highest centre of the finite boxes."""
    centres = _centres(bounds[np.isfinite(bounds).all(axis=1)])
    return (centres.min(axis=0), centres.max(axis=0)) if len(centres) else None
