"""Interpreter settings for rules that work in threads beside an event loop: GIL and collector."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that computes in Python hands the GIL over when another waits."""

_lock = threading.Lock()
_inside = 0
_before = (0.0, True)


@contextlib.contextmanager
def responsive() -> Iterator[None]:
    """Keeps the threads of this block from holding the GIL for long.

    Geometries are objects that the cyclic garbage collector tracks: making some hundred thousand of
    them starts full collections, each of which holds the GIL until it has scanned every live
    object, and takes nearly half of the time of a check. They cannot form cycles, so the collector
    is paused meanwhile; other cycles are collected afterwards. The switch interval is a tenth of
    the default, so threads that compute in Python hand over the GIL ten times as often.

    The settings are the process's: the first block that is entered changes them, the last one that
    is left restores them.
    """
    global _inside, _before
    with _lock:
        _inside += 1
        if _inside == 1:
            _before = (sys.getswitchinterval(), gc.isenabled())
            gc.disable()
            sys.setswitchinterval(min(SWITCH_INTERVAL, _before[0]))
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                sys.setswitchinterval(_before[0])
                if _before[1]:
                    _age_objects()
                    gc.enable()


def _age_objects() -> None:
    """Moves new objects to the oldest generation, without scanning them.

    The collector would scan all of them in the thread that creates the next object, which is the
    loop's. Unfreezing would undo what the owner of the process froze, so that is left alone.
    """
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()


__all__ = ["SWITCH_INTERVAL", "responsive"]
