"""Leases on versions: a version that a process has open is not deleted.

A lease is a shared lock of the operating system on the profile of the version. It ends with the
reader that holds it, and with its process. Programs that follow ``published.json`` by themselves
hold none.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

PROFILE = "profile.json"


def lease(version: Path, holder: object) -> None:
    """Keeps a version from being deleted for as long as an object lives.

    A file system without locks gives none: what was in use lately is kept by its age alone.

    Args:
        version: folder of the version.
        holder: the object.

    Raises:
        FileNotFoundError: the version was deleted at this moment.

    """
    descriptor = os.open(version / PROFILE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            # An exclusive lock is held for the moment of a rename only.
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        if not os.path.samestat((version / PROFILE).stat(), os.fstat(descriptor)):
            raise FileNotFoundError(version)
    except BaseException:
        os.close(descriptor)
        raise
    weakref.finalize(holder, os.close, descriptor)


@contextlib.contextmanager
def free_version(version: Path) -> Iterator[bool]:
    """True while no process has the version open, and none can open it; False when one has."""
    try:
        descriptor = os.open(version / PROFILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield True  # without a profile it cannot be opened
        return
    try:
        free = _locked(descriptor)
        if not free:
            # Readers of this process to which only they themselves refer.
            gc.collect()
            free = _locked(descriptor)
        yield free
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks on this file system
        pass
    return True
