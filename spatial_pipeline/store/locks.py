"""Locks between processes, with the name of their holder and a limited wait.

The operating system drops a lock when its process dies. The process that holds one writes into the
lock's file who it is, so that those who wait can say so.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from spatial_pipeline.errors import StoreError
from spatial_pipeline.runtime.cancellation import checkpoint
from spatial_pipeline.runtime.json_text import json_text

logger = logging.getLogger("spatial_pipeline")
TIMEOUT_S = 3600.0
"""Longest wait for a lock unless the environment says otherwise."""
SAY_AFTER_S = 10.0
SAY_AGAIN_S = 60.0
FIRST_PAUSE_S = 0.01
LONGEST_PAUSE_S = 0.5


class Patience:
    """Time limits for a lock: when to log its holder, and when to give up."""

    def __init__(self, what: str, timeout_s: float) -> None:
        self._what = what
        self._timeout_s = timeout_s
        self._began = time.monotonic()
        self._word_at = SAY_AFTER_S
        self._pause = FIRST_PAUSE_S / 2

    @property
    def due(self) -> bool:
        """True when :meth:`say` should be called with the holder."""
        return self.until_due() <= 0

    def until_due(self) -> float:
        """Seconds until :meth:`say` should be called."""
        return self._began + min(self._word_at, self._timeout_s) - time.monotonic()

    def say(self, holder: str) -> None:
        """Logs who holds the lock, or gives up.

        Raises:
            StoreError: the wait is over.

        """
        waited = time.monotonic() - self._began
        if waited >= self._timeout_s:
            msg = (
                f"{self._what} is locked by {holder}; given up after {self._timeout_s:g} s: wait"
                " until that process has ended or end it, then run again; SPATIAL_LOCK_TIMEOUT_S"
                " sets how long to wait"
            )
            raise StoreError(msg)
        logger.warning(
            "waiting since %.0f s: %s is locked by %s; giving up after %g s"
            " (SPATIAL_LOCK_TIMEOUT_S)",
            waited,
            self._what,
            holder,
            self._timeout_s,
        )
        self._word_at = waited + SAY_AGAIN_S

    def pause(self) -> float:
        """Seconds until the next attempt."""
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
        return self._pause


@contextlib.contextmanager
def locked(path: Path, timeout_s: float = TIMEOUT_S) -> Iterator[None]:
    """Holds an exclusive lock.

    Args:
        path: the lock's file; it stays.
        timeout_s: longest wait.

    Raises:
        StoreError: another process holds the lock and did not give it back in time.
        GivenUpError: the wait was cancelled.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        purpose = path.name.removeprefix(".").removesuffix(".lock")
        patience = Patience(f"{path.parent} ({purpose})", timeout_s)
        while not _taken(descriptor):
            if patience.due:
                patience.say(_holder(descriptor))
            checkpoint()
            time.sleep(patience.pause())
        _sign(descriptor)
        yield
    finally:
        # Closing the only descriptor unlocks.
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(descriptor: int) -> None:
    """Writes who holds the lock; a full disk does not keep anybody from holding it."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    text = json_text({"process": os.getpid(), "host": socket.gethostname(), "since": since})
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def _holder(descriptor: int) -> str:
    try:
        value = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {value['process']} on {value['host']} since {value['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "an unknown process"
