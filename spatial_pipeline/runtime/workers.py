"""Pool of threads for work that must not run on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Self, TypeVar

from spatial_pipeline.runtime.cancellation import Cancellation, obeying

T = TypeVar("T")
_Task = tuple[Callable[[], Any], "asyncio.Future[Any]", Cancellation]
_Inbox = queue.SimpleQueue[_Task | None]
logger = logging.getLogger("spatial_pipeline")


GRACE = 10.0
"""Seconds that a cancelled check waits for its threads to reach the end of their chunk."""


class Workers:
    """A bounded number of daemon threads that run calls for one event loop.

    A thread cannot be killed. A call that exceeds its time is abandoned: its thread is replaced, so
    that a hung rule costs a thread but no result of another rule. The threads are daemons, so that
    a hung rule does not keep the process from ending (the standard executor joins its threads at
    exit).

    Leaving the context ends the threads and waits for them; for those of cancelled calls up to
    :data:`GRACE` seconds, for those of abandoned calls not at all.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            msg = f"at least one worker thread is needed, got {limit}"
            raise ValueError(msg)
        self._free = asyncio.Semaphore(limit)
        self._idle: list[_Inbox] = []
        self._threads: dict[_Inbox, threading.Thread] = {}
        self._loop = asyncio.get_running_loop()
        self._helping: set[asyncio.Task[None]] = set()
        self._left = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._left = True
        for task in self._helping:
            task.cancel()
        await asyncio.gather(*self._helping, return_exceptions=True)
        for inbox in self._idle:
            inbox.put(None)
        self._idle.clear()
        patience = time.monotonic() + GRACE
        while any(t.is_alive() for t in self._threads.values()):
            if time.monotonic() > patience:
                logger.warning("a cancelled check still works in a thread after %g s", GRACE)
                break
            await asyncio.sleep(0.001)

    async def run(self, call: Callable[[], T], timeout: float | None = None) -> tuple[T, float]:  # noqa: ASYNC109
        """The result of ``call`` and the seconds it took.

        Args:
            call: runs in a worker thread.
            timeout: seconds from the moment that a thread takes the call; None waits for ever.

        Raises:
            TimeoutError: the time is up; the thread goes on until ``call`` ends by itself or checks
                its cancellation token, which is raised then, as it is when this task is cancelled.

        """
        async with self._free:
            inbox = self._idle.pop() if self._idle else self._hire()
            future: asyncio.Future[T] = self._loop.create_future()
            begun = time.perf_counter()
            cancellation = Cancellation()
            inbox.put((call, future, cancellation))
            try:
                done, _ = await asyncio.wait({future}, timeout=timeout)
            except asyncio.CancelledError:
                inbox.put(None)
                future.cancel()
                cancellation.cancel()
                raise
            if not done:
                inbox.put(None)
                future.cancel()
                cancellation.cancel()
                del self._threads[inbox]
                raise TimeoutError
            # A call beside one that failed may end after the context was left.
            if self._left:
                inbox.put(None)
            else:
                self._idle.append(inbox)
            return future.result(), time.perf_counter() - begun

    def lend(self, call: Callable[[], object]) -> None:
        """Runs a call in an idle thread, if there is one; callable from any thread.

        It is not awaited, and its exceptions are dropped.
        """
        # The loop is closed when an abandoned call outlives the check.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._help, call)

    def _help(self, call: Callable[[], object]) -> None:
        async def helping() -> None:
            with contextlib.suppress(Exception):
                await self.run(call)

        if not self._left and not self._free.locked():
            task = self._loop.create_task(helping())
            self._helping.add(task)
            task.add_done_callback(self._helping.discard)

    def _hire(self) -> _Inbox:
        inbox: _Inbox = queue.SimpleQueue()
        thread = threading.Thread(
            target=_serve, args=(inbox, self), name="spatial-check", daemon=True
        )
        self._threads[inbox] = thread
        thread.start()
        return inbox


_CREW: ContextVar[Workers | None] = ContextVar("crew", default=None)


def ask_for_help(call: Callable[[], object]) -> None:
    """Runs a call in an idle thread beside this one, if this thread belongs to ``Workers``."""
    crew = _CREW.get()
    if crew is not None:
        crew.lend(call)


def _serve(inbox: _Inbox, crew: Workers) -> None:
    _CREW.set(crew)
    loop = crew._loop  # noqa: SLF001 - its own thread
    while (task := inbox.get()) is not None:
        call, future, cancellation = task
        try:
            with obeying(cancellation):
                value, error = call(), None
        except BaseException as exc:  # noqa: BLE001 - passed to the awaiting code
            value, error = None, exc
        # The loop is closed when an abandoned call outlives the check.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, future, value, error)
        del task, call, future, cancellation, value, error


def _settle(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    elif isinstance(error, StopIteration):
        future.set_exception(RuntimeError(f"a rule raised StopIteration: {error}"))
    else:
        future.set_exception(error)
