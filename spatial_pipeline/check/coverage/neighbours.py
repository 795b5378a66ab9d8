"""Pairs of features whose boxes meet: all of a dataset, or those affected by an edit."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.overlap_pairs import AREA, QUERIED, Pairs, share_area
from spatial_pipeline.check.coverage.polygon_lookup import shared_boxes
from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader


class Neighbours:
    """Features looked up by their boxes; used from several threads.

    Args:
        data: the dataset.
        some: (k,) ascending staged positions of the candidates; all features unless given.

    """

    def __init__(self, data: VectorReader, some: NDArray[np.int64] | None = None) -> None:
        self._data = data
        self._some = some
        self._lock = threading.Lock()
        self._made: Boxes | None = None

    def near(self, bounds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Ascending positions of the features whose boxes meet one of (m, 4) bounds."""
        met = np.zeros(len(self._boxes.bounds), dtype=bool)
        met[self._boxes.meetings(bounds)[1]] = True
        return self._positions(np.flatnonzero(met))

    def pairs(
        self,
        batch: FeatureBatch,
        index: NDArray[np.int64],
        pattern: str,
        familiar: NDArray[np.bool_] | None,
        cancel: Callable[[], None],
    ) -> tuple[Pairs, NDArray[np.int64]]:
        """Pairs of a feature of a batch and another feature whose boxes meet.

        Args:
            batch: the batch.
            index: (m,) ascending indices of the features that are compared.
            pattern: DE-9IM pattern: for ``AREA``, boxes must share more than their borders.
            familiar: (len(batch),) bool: features that are not compared with each other.
            cancel: raises when the time is up.

        Returns:
            Indices of the lower and of the higher members of pairs inside the batch, and (k, 2)
            positions of those across it.

        """
        inside = [(np.empty(0, np.int64), np.empty(0, np.int64))]
        across = [np.empty((0, 2), dtype=np.int64)]
        every = self._data.feature_bounds()
        here = batch.positions[index]
        waits = np.zeros(len(index), bool) if familiar is None else familiar[index]
        asking = here[~waits]
        for begin in range(0, len(asking), QUERIED):
            cancel()
            mine = asking[begin : begin + QUERIED]
            one, other = self._boxes.pairs(every[mine])
            one, other = mine[one], self._positions(other)
            met = one != other
            if pattern == AREA:
                met &= share_area(every[one], every[other])
            one, other = one[met], other[met]
            at = np.minimum(np.searchsorted(here, other), len(here) - 1)
            own = here[at] == other
            ahead = own & ((one < other) | waits[at])
            # A pair is always measured the same way: the lower position first.
            pair = np.sort([index[np.searchsorted(here, one[ahead])], index[at[ahead]]], axis=0)
            inside.append((pair[0], pair[1]))
            # The batch's other features are not polygons, or invalid: they are not compared.
            known = np.minimum(np.searchsorted(batch.positions, other), len(batch) - 1)
            out = batch.positions[known] != other
            across.append(np.stack([one[out], other[out]], axis=1))
        one, other = (np.concatenate(side) for side in zip(*inside, strict=True))
        return (one, other), np.concatenate(across)

    @property
    def _boxes(self) -> Boxes:
        if self._some is None:
            return shared_boxes(self._data)
        with self._lock:
            if self._made is None:
                self._made = Boxes(self._data.feature_bounds()[self._some])
            return self._made

    def _positions(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        return found if self._some is None else self._some[found]


__all__ = ["Neighbours"]
