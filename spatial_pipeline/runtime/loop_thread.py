"""A private event loop in a thread, through which synchronous ingest uses asyncpg."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Any, Self, TypeVar

from spatial_pipeline.runtime.cancellation import checkpoint, current

T = TypeVar("T")


class PrivateLoop:
    """An event loop in a separate thread, for synchronous code; use it as a context manager.

    Ingest is synchronous and runs in worker threads, of Dagster, of the command line, or of a
    program with its own loop. Connections live and end on this loop alone, so it makes no
    difference whether the calling thread has a running loop: nothing is nested, and nothing
    outlives the block. Only the calling thread waits.
    """

    def __enter__(self) -> Self:
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._serve, name="postgis-source", daemon=True)
        self._thread.start()
        self._loop = self._ready.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begins to run a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop and waits for it; see :func:`awaited`."""
        return awaited(self.start(work))

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end, even when the calling work was cancelled."""
        return self.start(work).result()

    def _serve(self) -> None:
        # A runner cancels remaining tasks and closes the loop in the thread that used it.
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            loop.call_soon(self._ready.set_result, loop)
            loop.run_forever()


def awaited(future: Future[T]) -> T:
    """Waits for the result of :meth:`PrivateLoop.start`; cancels the coroutine on interruption.

    Raises:
        GivenUpError: the work of this thread was cancelled; so is the coroutine.

    """
    try:
        with current().calling(future.cancel):
            return future.result()
    except CancelledError:
        checkpoint()
        raise
    except BaseException:
        future.cancel()
        raise
