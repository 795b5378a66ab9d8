"""How much memory this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
SHARE = 4
"""A check uses one part in so many of the memory unless it is told otherwise."""


def memory_available(cgroup: Path = CGROUP) -> int:
    """Bytes of memory of the machine, or of the container that this process is in.

    Args:
        cgroup: where the limits of the container are told (version 2 or 1 of cgroups).

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
    """Bytes that a check may use where nothing else is said: a quarter of what there is."""
    return memory_available() // SHARE


def _machine() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30  # Windows does not tell without help


__all__ = ["default_memory", "memory_available"]
