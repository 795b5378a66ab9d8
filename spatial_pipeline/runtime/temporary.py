"""Temporary folders that are removed soon after their process has ended.

A killed process cannot remove its folders. Each folder has a file that its process keeps locked;
the operating system drops the lock with the process, and the next call that makes a folder removes
those that are not locked. Folders inside the store do not belong here: the store has its own locks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

PREFIX = "spatial-pipeline-"
OWNER = ".owner"
YOUNG_S = 3600.0
"""Seconds for which a folder without a lock file may still be about to get one."""


class TemporaryFolder:
    """A folder that is removed by :meth:`remove`, with this object, or when the process ends.

    Args:
        parent: parent folder; the system's folder for temporary files unless given.
        prefix: first letters of its name, :data:`PREFIX` or more.

    Raises:
        OSError: the folder cannot be made.

    """

    def __init__(self, parent: Path | None = None, prefix: str = PREFIX) -> None:
        where = Path(tempfile.gettempdir()) if parent is None else parent
        sweep(where)
        self.path, owner = _made(where, prefix)
        self.remove = weakref.finalize(self, _removed, self.path, owner)


@contextlib.contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder for the length of a block; see :class:`TemporaryFolder`."""
    folder = TemporaryFolder(parent)
    try:
        yield folder.path
    finally:
        folder.remove()


def sweep(parent: Path) -> None:
    """Removes the folders whose processes are gone; those of other users are left alone."""
    with contextlib.suppress(OSError):
        for path in parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                status = path.lstat()
                if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
                    _swept(path, status)


def _swept(path: Path, status: os.stat_result) -> None:
    try:
        owner = os.open(path / OWNER, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        if time.time() - status.st_mtime > YOUNG_S:
            # Only when it is empty: one with files is no folder of this module.
            path.rmdir()
        return
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(owner)


def _made(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its owner's lock."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        owner = os.open(path / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(owner, fcntl.LOCK_EX)
        # Another process may have swept it between the two calls.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(owner), (path / OWNER).stat()):
                return path, owner
        os.close(owner)


def _removed(path: Path, owner: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(owner)
