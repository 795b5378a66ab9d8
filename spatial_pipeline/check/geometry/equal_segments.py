"""Segments that are equal but for their direction, found by hashes and compared by coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FACTORS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93, 0xA24BAED4963EE407], np.uint64
)
_HALF = np.uint64(32)


def ends_in_order(
    start: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(n, 4) the ends of segments, the lower one (by x, then y) first, and (n,) bool: swapped.

    Args:
        start: (n, 2) one end.
        end: (n, 2) the other end.

    """
    start, end = start + 0.0, end + 0.0
    back = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    swap = back[:, np.newaxis]
    return np.concatenate([np.where(swap, end, start), np.where(swap, start, end)], axis=1), back


def once(segments: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(k,) indices of different segments, ascending, and (n,) the place of each among them.

    When hashes of different segments are equal by chance, equal segments may be there twice.

    Args:
        segments: (n, 4) ends in order.

    """
    _, first, member = np.unique(_hashed(segments), return_index=True, return_inverse=True)
    if (segments != segments[first[member]]).any():
        alone = np.arange(len(segments))
        return alone, alone
    order = np.argsort(first)
    place = np.empty(len(first), dtype=np.int64)
    place[order] = np.arange(len(first))
    return first[order], place[member]


def among(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) bool: segments that are one of others; where hashes collide, one may be missed.

    Args:
        some: (n, 4) ends in order.
        others: (m, 4) likewise.

    """
    if not len(others):
        return np.zeros(len(some), dtype=bool)
    keys = _hashed(others)
    order = np.argsort(keys)
    place = np.searchsorted(keys, _hashed(some), sorter=order)
    twin = others[order[np.minimum(place, len(others) - 1)]]
    return np.asarray((some == twin).all(axis=1))


def _hashed(segments: NDArray[np.float64]) -> NDArray[np.uint64]:
    """(n,) hashes of (n, 4) segments."""
    hashed: NDArray[np.uint64] = np.zeros(len(segments), dtype=np.uint64)
    for column, factor in zip(segments.T, _FACTORS, strict=True):
        hashed += np.ascontiguousarray(column).view(np.uint64) * factor
        hashed ^= hashed >> _HALF
    hashed *= _FACTORS[0]
    return hashed


__all__ = ["among", "ends_in_order", "once"]
