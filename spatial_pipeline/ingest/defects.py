"""Values of a source that cannot be kept as they are, collected while a layer is read.

A reader never turns a value into another one: it stages null and adds a defect here, and
``readable`` fails with the row, the column and the text. What makes a whole file untrustworthy
(unbalanced quotes, text behind the end) is a SourceError instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.model.profile import CellDefect

MAX_KEPT = 1000
"""Defects of one column and reason that are kept with their text; all are counted."""
MAX_TEXT = 100
"""Characters of a value that are kept."""


class Defects:
    """Defects of one layer; not for several threads at once."""

    def __init__(self) -> None:
        self._kept: list[CellDefect] = []
        self._rows: dict[tuple[str, str], list[NDArray[np.int64]]] = {}
        self._count: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        """Number of defects, those without kept text included."""
        return self._count.total()

    def add(
        self,
        rows: Sequence[int] | NDArray[np.int64],
        column: str,
        texts: Iterable[object],
        reason: str,
    ) -> None:
        """Adds values of one column that have the same defect.

        Args:
            rows: (n,) 0-based source rows.
            column: name of the column as staged; the geometry column for a geometry.
            texts: (n,) values as the file holds them; bytes and numbers are shown by ``repr``.
            reason: why they cannot be kept, such as ``is no date``.

        """
        found = np.asarray(rows, dtype=np.int64)
        if not len(found):
            return
        key = (column, reason)
        room = max(0, MAX_KEPT - self._count[key])
        for row, text in zip(found[:room].tolist(), texts, strict=False):
            shown = text if isinstance(text, str) else repr(text)
            if len(shown) > MAX_TEXT:
                shown = shown[:MAX_TEXT] + "…"
            self._kept.append(CellDefect(row, column, shown, reason))
        self._count[key] += len(found)
        self._rows.setdefault(key, []).append(found)

    @property
    def columns(self) -> set[str]:
        """Columns with defects."""
        return {column for column, _ in self._rows}

    def rows(self, column: str) -> NDArray[np.int64]:
        """(n,) ascending source rows with a defect in a column."""
        parts = [p for (c, _), found in self._rows.items() if c == column for p in found]
        return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))

    def of_rows(self, rows: NDArray[np.int64]) -> tuple[tuple[CellDefect, ...], int]:
        """The kept defects of these source rows in row order, and the number of all of them.

        Args:
            rows: (n,) ascending source rows that were staged.

        """
        total = sum(
            int(np.isin(part, rows, assume_unique=False).sum())
            for parts in self._rows.values()
            for part in parts
        )
        if not total:
            return (), 0
        staged = set(np.intersect1d([d.row for d in self._kept], rows).tolist())
        kept = [d for d in self._kept if d.row in staged]
        kept.sort(key=lambda d: (d.row, d.column, d.reason))
        return tuple(kept), total
