"""Numbers that a source gives its features, such as the fid of a GeoPackage, as runs.

Features are read in the order of these numbers, mostly without a break: a few pairs hold them all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_RUNS = 10_000
"""Runs that are kept; a source with more has no numbers that are worth their room."""


class IdRuns:
    """Collects the numbers of features in the order in which they are read."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []
        self._rows = 0
        self._known = True

    def add(self, ids: NDArray[Any]) -> None:
        """Takes the numbers of the next features.

        Args:
            ids: (n,) integers.

        """
        if not self._known or not len(ids):
            return
        numbers = ids.astype(np.int64)
        rows = np.arange(self._rows, self._rows + len(numbers), dtype=np.int64)
        offsets = numbers - rows
        before = self._runs[-1][1] - self._runs[-1][0] if self._runs else None
        begins = np.flatnonzero(np.diff(offsets)) + 1
        starts = begins.tolist() if before == int(offsets[0]) else [0, *begins.tolist()]
        self._rows += len(numbers)
        self._runs += [(int(rows[i]), int(numbers[i])) for i in starts[: MAX_RUNS + 1]]
        self._known = len(self._runs) <= MAX_RUNS

    @property
    def runs(self) -> tuple[tuple[int, int], ...] | None:
        """Pairs (source row, number): numbers count up from there; None when there are too many."""
        return tuple(self._runs) if self._known and self._runs else None
