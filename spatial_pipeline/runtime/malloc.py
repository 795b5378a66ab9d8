"""Memory that was freed, given back to the system.

The allocators of the C library and of Arrow keep what was freed for the next to come, each thread
on its own: what a stage leaves there, the next one does not find and takes anew.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

import pyarrow as pa

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of these parameters in malloc.h of glibc."""
LARGE = 32 << 20
"""Bytes of an array from which on each is asked of the system: the most that glibc accepts."""
KEPT = 128 << 20
"""Bytes that are kept at the end of the heap of each thread."""


def give_back() -> None:
    """Gives the memory that nobody uses back to the system, where the allocators can."""
    pa.default_memory_pool().release_unused()
    # Other C libraries than glibc have no such function.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_arrays() -> None:
    """Has the C library keep arrays that are freed for the next ones, until they are given back.

    Otherwise it asks the system for each large one, and returns it at once: then all its pages are
    new, which takes longer than to fill them. What it knows of a process cannot be asked, so this
    cannot be undone; whoever sets ``MALLOC_TRIM_THRESHOLD_`` has their way.
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)


__all__ = ["give_back", "keep_arrays"]
