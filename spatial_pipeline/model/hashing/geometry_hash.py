"""128-bit content hash of a geometry's WKB, used to match features across versions.

Words of eight bytes are mixed with their offset in the value (finalizer of the splitmix64 family:
Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), added up, and
mixed with the length; the second lane mixes each word once more before it is added. Two geometries
of different bytes collide in both lanes by accident with a probability of 2**-128. The hash is not
cryptographic.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Identities = NDArray[np.uint64]
"""(n, 2) content hashes of n geometries; both lanes 0 for null."""

FILE = "identities.npy"
WRITTEN = 1 << 18
"""Hashes written at once."""
CHUNK = 4096
"""Geometries hashed at a time: the working set stays in the processor's cache."""
BUCKETS = 2
"""Buckets per old geometry: at most one in four shares a bucket with a stranger."""
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_LENGTH = np.uint64(0xE7037ED1A0B428DB)
_LANE = np.uint64(0xA0761D6478BD642F)
_HALF = np.uint64(32)


def identities(wkb: Any) -> Identities:
    """Content hash of each geometry.

    Args:
        wkb: (n,) Arrow array of binary, chunked or not.

    """
    if isinstance(wkb, pa.ChunkedArray):
        wkb = wkb.combine_chunks()
    if isinstance(wkb, pa.ExtensionArray):
        wkb = wkb.storage
    if not (pa.types.is_binary(wkb.type) or pa.types.is_large_binary(wkb.type)):
        wkb = wkb.cast(pa.large_binary())
    parts = [_some(wkb.slice(begin, CHUNK)) for begin in range(0, len(wkb), CHUNK)]
    return np.concatenate([np.empty((0, 2), np.uint64), *parts])


def save(path: Path, known_by: Identities, order: NDArray[np.int64]) -> None:
    """Writes hashes in a given order, one chunk at a time.

    Raises:
        OSError: the disk is full or not writable.

    """
    with path.open("wb") as file:
        header = {"descr": "<u8", "fortran_order": False, "shape": (len(order), 2)}
        np.lib.format.write_array_header_1_0(file, header)
        for begin in range(0, len(order), WRITTEN):
            part = known_by[order[begin : begin + WRITTEN]]
            file.write(np.ascontiguousarray(part, "<u8").tobytes())


def matched(new: Identities, old: Identities) -> NDArray[np.int64]:
    """(n,) for each of n new geometries, the index of an old one with the same hash, or -1.

    Each old geometry is matched once: if three new ones equal two old ones, one stays unmatched.

    Args:
        new: (n, 2) hashes.
        old: (m, 2) hashes.

    """
    out = np.full(len(new), -1, dtype=np.int64)
    if not len(new) or not len(old):
        return out
    # Most are alone in a bucket of their hash: only the others are sorted.
    places = (len(old) * BUCKETS).bit_length()
    shift = np.uint64(64 - places)
    last = np.zeros(1 << places, dtype=np.int32)
    last[(old[:, 0] >> shift).view(np.int64)] = np.arange(len(old), dtype=np.int32)
    guess = last[(new[:, 0] >> shift).view(np.int64)]
    hit = np.flatnonzero((old[guess, 0] == new[:, 0]) & (old[guess, 1] == new[:, 1]))
    taken = np.bincount(guess[hit], minlength=len(old))
    hit = hit[taken[guess[hit]] == 1]
    out[hit] = guess[hit]
    new_rest, old_rest = np.flatnonzero(out < 0), np.flatnonzero(taken != 1)
    found = _matched_sorted(new[new_rest], old[old_rest])
    out[new_rest[found >= 0]] = old_rest[found[found >= 0]]
    return out


def _matched_sorted(new: Identities, old: Identities) -> NDArray[np.int64]:
    """Variant of :func:`matched` that sorts."""
    out = np.full(len(new), -1, dtype=np.int64)
    if not len(new) or not len(old):
        return out
    both = np.concatenate([old, new])
    order = np.argsort(both[:, 0], kind="stable")
    one, other = both[order, 0], both[order, 1]
    same = one[1:] == one[:-1]
    if (same & (other[1:] != other[:-1])).any():
        order = np.lexsort((both[:, 1], both[:, 0]))
        same = (both[order[1:]] == both[order[:-1]]).all(axis=1)
    # The sort is stable: among equal hashes, all old ones come first, each kind in its order.
    starts = np.flatnonzero(np.append(True, ~same))
    group = np.cumsum(np.append(True, ~same)) - 1
    olds = np.add.reduceat((order < len(old)).astype(np.int64), starts)
    rank = np.arange(len(order)) - starts[group] - olds[group]
    found = (rank >= 0) & (rank < olds[group])
    out[order[found] - len(old)] = order[starts[group[found]] + rank[found]]
    return out


def _some(array: Any) -> Identities:
    """Content hashes of a few thousand geometries."""
    out = np.zeros((len(array), 2), dtype=np.uint64)
    valid = np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False))
    _, offset_buffer, data = array.buffers()
    if not len(valid):
        return out
    width = np.int64 if pa.types.is_large_binary(array.type) else np.int32
    offsets = np.frombuffer(offset_buffer, width)[array.offset :][: len(array) + 1]
    offsets = offsets.astype(np.int64)
    starts, lengths = offsets[:-1][valid], np.diff(offsets)[valid]
    low, high = int(offsets[0]), int(offsets[-1])
    copy = np.zeros(high - low + 8, dtype=np.uint8)
    if data is not None:
        copy[:-8] = np.frombuffer(data, np.uint8)[low:high]
    for length in np.unique(lengths).tolist():
        some = lengths == length
        out[valid[some]] = _of_length(copy, starts[some] - low, length)
    return out


def _of_length(data: NDArray[np.uint8], starts: NDArray[np.int64], length: int) -> Identities:
    """Content hashes of values of one length.

    Args:
        data: the bytes of all values, and eight more.
        starts: (k,) where the values begin.
        length: bytes of each.

    """
    lanes = np.zeros((len(starts), 2), dtype=np.uint64)
    count = -(-length // 8)
    if count:
        # Eight bytes from every byte on: values begin anywhere.
        everywhere: NDArray[np.uint64] = np.ndarray(len(data) - 7, "<u8", data, strides=(1,))
        words = everywhere[starts[:, np.newaxis] + 8 * np.arange(count)]
        keep = np.uint64(64 * count - 8 * length)
        words[:, -1] = (words[:, -1] << keep) >> keep
        words += _STEP * np.arange(1, count + 1, dtype=np.uint64)
        lanes[:, 0] = _mixed(words).sum(axis=1, dtype=np.uint64)
        words += _LANE
        lanes[:, 1] = _mixed(words).sum(axis=1, dtype=np.uint64)
    lanes += _LENGTH + np.uint64(length)
    lanes[:, 1] += _LANE
    return _mixed(lanes)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mixes the words in place; every bit depends on all bits of the same word."""
    for _ in range(2):
        words ^= words >> _HALF
        words *= _MULTIPLIER
    words ^= words >> _HALF
    return words
