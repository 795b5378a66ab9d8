"""Summed-area table: whether any cell of a rectangle of cells is marked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Cells = tuple[NDArray[np.int64], NDArray[np.int64]]
"""(n,) columns and (n,) rows."""


class MarkedCells:
    """A grid of marked cells (F. C. Crow, "Summed-area tables for texture mapping", 1984).

    Args:
        marked: (columns, rows) bool.

    """

    def __init__(self, marked: NDArray[np.bool_]) -> None:
        columns, rows = marked.shape
        before = np.zeros((columns + 1, rows + 1), dtype=np.int32)
        before[1:, 1:] = marked
        np.cumsum(np.cumsum(before, axis=0, out=before), axis=1, out=before)
        self._before = before

    def any(self, first: Cells, last: Cells) -> NDArray[np.bool_]:
        """(n,) bool: whether one of the cells from the first to the last is marked.

        Args:
            first: lowest column and row of each rectangle.
            last: highest column and row.

        """
        (x0, y0), (x1, y1) = first, last
        x1, y1 = x1 + 1, y1 + 1
        before = self._before
        count = before[x1, y1] - before[x0, y1] - before[x1, y0] + before[x0, y0]
        return np.asarray(count > 0)


__all__ = ["Cells", "MarkedCells"]
