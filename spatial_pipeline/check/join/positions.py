"""Compact staged positions: a range of two numbers where a piece checks consecutive features."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Packed = range | NDArray[np.int64] | NDArray[np.int32]
"""(n,) staged positions: a range if they are consecutive, else in the smallest integer type."""
_SMALL = np.iinfo(np.int32).max


def packed(positions: NDArray[np.int64]) -> Packed:
    """(n,) ascending positions, to be kept."""
    if not len(positions):
        return range(0)
    first, last = int(positions[0]), int(positions[-1])
    if last - first + 1 == len(positions):
        return range(first, last + 1)
    return positions.astype(np.int32) if last <= _SMALL else positions


def unpacked(kept: Packed) -> NDArray[np.int64]:
    """(n,) int64: the positions that were packed."""
    if isinstance(kept, range):
        return np.arange(kept.start, kept.stop, dtype=np.int64)
    return kept.astype(np.int64)


def marked(parts: Iterable[Packed], count: int) -> NDArray[np.bool_]:
    """(count,) bool: the positions that occur in one of the parts."""
    out = np.zeros(count, dtype=bool)
    for part in parts:
        out[slice(part.start, part.stop) if isinstance(part, range) else part] = True
    return out


__all__ = ["Packed", "marked", "packed", "unpacked"]
