"""Processes that end with their parent process.

A killed process cannot end its children. They would go on for hours, hold locks, and publish
results that are no longer wanted.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import threading

logger = logging.getLogger("spatial_pipeline")
STATUS = 70
"""Exit status of a process that ended because its parent was gone (EX_SOFTWARE)."""
_PR_SET_PDEATHSIG = 1
_watched = threading.Lock()


def end_with_parent() -> None:
    """Ends this process when the parent that started it through ``multiprocessing`` is gone.

    Does nothing in a process that was not started that way. No cleanup is done: the pipeline is
    safe to kill at any instruction.
    """
    parent = multiprocessing.parent_process()
    if parent is None or not _watched.acquire(blocking=False):
        return

    def watch() -> None:
        parent.join()
        logger.error("process %s, which started this one, has gone: giving up", parent.pid)
        os._exit(STATUS)

    # A daemon: it does not keep a finished process alive.
    threading.Thread(target=watch, name="spatial-parent", daemon=True).start()


def outlive_parent() -> None:
    """Lets this process go on when its parent is gone: :func:`end_with_parent` does nothing then.

    For the worker of a run, whose parent is a server that may be restarted.
    """
    _watched.acquire(blocking=False)


def killed_with_parent(parent: int) -> None:
    """Has the system kill this process when its single-threaded parent has exited.

    Args:
        parent: id of the parent, which may have exited already.

    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(STATUS)
