"""Limits for SQL from contracts: a time limit, and cancellation that reaches the database.

A condition may contain a query that never ends. The database runs in this process, so only itself
can stop it; it looks for interrupts between the blocks of rows that it works on. One call of a
function on one value is not interrupted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from spatial_pipeline.errors import GivenUpError
from spatial_pipeline.runtime.cancellation import current

LIMIT_S = 600.0
"""Longest evaluation of a condition over one batch of features."""


class Interruptible(Protocol):
    """A connection of DuckDB."""

    def interrupt(self) -> None:
        """Ends the query that runs, from another thread."""


@contextmanager
def limited(connection: Interruptible, limit_s: float | None = None) -> Iterator[None]:
    """Within the block, queries of a connection are bounded by a time limit and cancellable.

    Args:
        connection: interrupted from another thread.
        limit_s: seconds that the block may take; :data:`LIMIT_S` unless given.

    Raises:
        TimeoutError: the time is up.
        GivenUpError: the work of this thread was cancelled.

    """
    seconds = LIMIT_S if limit_s is None else limit_s
    over = threading.Event()

    def expire() -> None:
        over.set()
        connection.interrupt()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    mine = current()
    timer.start()
    try:
        with mine.calling(connection.interrupt):
            yield
    except Exception as exc:
        if over.is_set():
            msg = f"it took longer than {seconds:g} s over one batch of features"
            raise TimeoutError(msg) from exc
        if mine.raised:
            msg = "cancelled: its result is no longer needed"
            raise GivenUpError(msg) from exc
        raise
    finally:
        timer.cancel()
