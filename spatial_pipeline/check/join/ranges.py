"""Ranges of numbers: what two of them share, and what all of a group leave out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ranges:
    """n ranges, sorted by group and begin.

    Attributes:
        index: (n,) place of each among the ranges as given.
        group: (n,) number of its group, ascending.
        begin: (n,) where it begins.
        end: (n,) where it ends, not before it begins.

    """

    index: NDArray[np.int64]
    group: NDArray[np.int64]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]

    @classmethod
    def of(
        cls, group: NDArray[np.int64], one: NDArray[np.float64], other: NDArray[np.float64]
    ) -> Ranges:
        """Ranges between (n,) numbers and (n,) others, in any order, of (n,) groups."""
        begin, end = np.minimum(one, other), np.maximum(one, other)
        order = np.lexsort((np.arange(len(begin)), end, begin, group))
        return cls(order, group[order], begin[order], end[order])

    def __len__(self) -> int:
        return len(self.index)

    def overlaps(
        self, *, touching: bool, most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Pairs of ranges of a group that share something: all that begin within another.

        Args:
            touching: a shared end is shared.
            most: pairs that are listed.

        Returns:
            (p,) the first and (p,) the second of each pair, as places in this order, and the number
            of all pairs.

        """
        begin, end = self._ranks()
        reach = np.searchsorted(begin, end, side="right" if touching else "left")
        count = np.maximum(reach - np.arange(1, len(self) + 1), 0)
        total = int(count.sum())
        listed = np.minimum(count, np.maximum(most - (np.cumsum(count) - count), 0))
        one = np.repeat(np.arange(len(self)), listed)
        other = np.arange(len(one)) - (np.cumsum(listed) - listed)[one] + one + 1
        return one, other, total

    def gaps(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Neighbours of a group with nothing between them: where all before one have ended.

        Returns:
            (g,) the range that ends last before each gap or seam, and (g,) the one that begins
            after it, as places in this order.

        """
        begin, end = self._ranks()
        if not len(self):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        furthest = np.maximum.accumulate(end)
        new = np.append(True, end[1:] > furthest[:-1])
        last = np.maximum.accumulate(np.where(new, np.arange(len(end)), 0))
        together = self.group[1:] == self.group[:-1]
        seam = np.flatnonzero(together & (begin[1:] >= furthest[:-1]))
        return last[seam], seam + 1

    def _ranks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n,) begins and (n,) ends as whole numbers in the same order, those of a group apart."""
        found, rank = np.unique(np.concatenate([self.begin, self.end]), return_inverse=True)
        apart = self.group * len(found)
        return apart + rank[: len(self)], apart + rank[len(self) :]


__all__ = ["Ranges"]
