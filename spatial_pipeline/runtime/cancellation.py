"""Cooperative cancellation token for work running in threads.

A thread cannot be killed. The code that waits for one (the check engine with its time-outs, a
cancellable task) gives the thread a :class:`Cancellation`. The code that runs in it calls
:func:`checkpoint` between pieces, or registers a callback that interrupts what it is blocked on,
such as a query on a server.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, ParamSpec, TypeVar

from spatial_pipeline.errors import GivenUpError

P = ParamSpec("P")
T = TypeVar("T")


class Cancellation:
    """A flag that is raised once, with callbacks that run when it is raised."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._raised = False
        self._calls: list[Callable[[], object]] = []

    @property
    def raised(self) -> bool:
        """True once the work was cancelled."""
        return self._raised

    def cancel(self) -> None:
        """Raises the flag; all callbacks have run when this returns."""
        with self._lock:
            self._raised = True
            calls, self._calls = self._calls, []
            for call in calls:
                call()

    @contextmanager
    def calling(self, call: Callable[[], object]) -> Iterator[None]:
        """Within the block, raising the flag runs this callback; at once if it is raised already.

        The block does not end while the callback runs.
        """
        with self._lock:
            if self._raised:
                call()
            else:
                self._calls.append(call)
        try:
            yield
        finally:
            with self._lock:
                if call in self._calls:
                    self._calls.remove(call)


_NEVER = Cancellation()
_current: ContextVar[Cancellation] = ContextVar("cancellation", default=_NEVER)


def current() -> Cancellation:
    """The cancellation token of the current thread's work."""
    return _current.get()


@contextmanager
def obeying(cancellation: Cancellation) -> Iterator[None]:
    """Makes a token the current one within the block."""
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)


def checkpoint() -> None:
    """Ends the current work if it was cancelled.

    Raises:
        GivenUpError: the flag is raised.

    """
    _check(current())


def between(call: Callable[..., None] | None) -> Callable[..., None]:
    """A progress callback that is also a checkpoint, in any thread."""
    mine = current()

    def progress(*args: Any) -> None:
        _check(mine)
        if call is not None:
            call(*args)

    return progress


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``asyncio.to_thread`` that passes a cancellation of the task on to the thread.

    The task ends only after the thread has ended, so no work continues when the caller goes on.
    """
    cancellation = Cancellation()
    with obeying(cancellation):
        work = asyncio.ensure_future(asyncio.to_thread(partial(function, *args, **kwargs)))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        cancellation.cancel()
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()
        raise


def _check(cancellation: Cancellation) -> None:
    if cancellation.raised:
        msg = "cancelled: its result is no longer needed"
        raise GivenUpError(msg)
