"""Memory that was freed, given back to the system.

The allocators of the C library and of Arrow keep what was freed for the next to come, each thread
on its own: what a stage leaves there, the next one does not find and takes anew.
"""

from __future__ import annotations

import contextlib
import ctypes

import pyarrow as pa


def give_back() -> None:
    """Gives the memory that nobody uses back to the system, where the allocators can."""
    pa.default_memory_pool().release_unused()
    # Other C libraries than glibc have no such function.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


__all__ = ["give_back"]
