"""Returning freed memory to the operating system.

The allocators of the C library and of Arrow keep freed memory for reuse, per thread: memory that
one stage freed is not reused by the next, which allocates more.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

import pyarrow as pa

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of these parameters in malloc.h of glibc."""
LARGE = 32 << 20
"""Size in bytes above which arrays are allocated by mmap; the largest value glibc accepts."""
KEPT = 128 << 20
"""Bytes kept at the top of each thread's heap."""


def give_back() -> None:
    """Returns unused memory to the operating system, where the allocators support it."""
    pa.default_memory_pool().release_unused()
    # Other C libraries than glibc have no such function.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_arrays() -> None:
    """Lets the C library keep freed arrays for reuse until :func:`give_back`.

    Otherwise it requests each large array from the system and returns it at once; all its pages are
    then new, and faulting them in takes longer than filling them. glibc cannot report its current
    settings, so this cannot be undone; ``MALLOC_TRIM_THRESHOLD_`` takes precedence.
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)


__all__ = ["give_back", "keep_arrays"]
