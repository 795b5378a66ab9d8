"""Pieces of a buffer that lie anywhere in it, taken all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def gathered(data: Any, at: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """(n, size) bytes of a buffer from each position on; positions are inside of it."""
    if not len(at):
        return np.empty((0, size), np.uint8)
    pieces: NDArray[np.void] = np.ndarray(
        (len(data) - size + 1,), dtype=f"V{size}", buffer=data, strides=(1,)
    )
    return pieces[at].view(np.uint8).reshape(-1, size)


def doubles(data: Any, at: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(sum of counts,) little-endian doubles of a buffer, some from each position on.

    Args:
        data: the buffer.
        at: (n,) positions of bytes.
        counts: (n,) numbers of doubles.

    """
    ends = at + 8 * counts
    if len(at) and (ends[:-1] <= at[1:]).all():
        # Arrow copies a stretch at a time, NumPy would look up every double.
        edges = np.stack([at, ends], axis=1).astype(np.int64)
        buffers = [None, pa.py_buffer(edges), pa.py_buffer(data)]
        cut = pa.Array.from_buffers(pa.large_binary(), 2 * len(at) - 1, buffers)
        taken = cut.take(pa.array(np.arange(0, 2 * len(at), 2)))
        return np.frombuffer(taken.buffers()[2] or b"", "<f8")
    first = np.cumsum(counts) - counts
    each = np.repeat(at - 8 * first, counts) + 8 * np.arange(int(counts.sum()))
    return gathered(data, each, 8).view("<f8").ravel()
