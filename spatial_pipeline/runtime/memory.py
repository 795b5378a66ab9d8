"""Memory limits of this process, from the machine or its container."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
SHARE = 4
"""Default share of the memory that a check uses: one part in this many."""


def memory_available(cgroup: Path = CGROUP) -> int:
    """Bytes of memory of the machine, or of the container that this process is in.

    Args:
        cgroup: folder with the limits of the container (version 2 or 1 of cgroups).

    """
    limits = [_machine()]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            told = (cgroup / name).read_text().strip()
        except OSError:
            continue
        if told.isdigit():
            limits.append(int(told))
    return min(limits)


def default_memory() -> int:
    """Default memory of a check in bytes: a quarter of what is available."""
    return memory_available() // SHARE


def _machine() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30  # Windows has no os.sysconf


__all__ = ["default_memory", "memory_available"]
