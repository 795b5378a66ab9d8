"""Byte budget for features that a rule keeps in memory; the others are read again."""

from __future__ import annotations

import threading

import numpy as np

from spatial_pipeline.check.coverage.feature_lookup import bare
from spatial_pipeline.model.features import FeatureBatch

KEPT_BYTES = 64 << 20
"""Bytes of features that a rule keeps, at most."""


class KeepBudget:
    """Byte budget for geometries that a rule keeps; thread-safe.

    Args:
        limit: bytes.

    """

    def __init__(self, limit: int | None = None) -> None:
        self._left = KEPT_BYTES if limit is None else limit
        self._lock = threading.Lock()

    def admitted(self, kept: FeatureBatch) -> FeatureBatch:
        """Features reduced by ``feature_lookup.bare``; none where they would exceed the bound."""
        size = kept.rows.nbytes + kept.positions.nbytes + kept.table.nbytes
        size += 0 if kept.wkb is None else kept.wkb.nbytes
        with self._lock:
            fits = size <= self._left
            self._left -= size if fits else 0
        return kept if fits else bare(kept, np.empty(0, dtype=np.int64))


__all__ = ["KeepBudget"]
