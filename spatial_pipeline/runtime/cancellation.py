"""Says to work in a thread that nobody waits for it any more.

A thread cannot be killed. Whoever waits for one (the check engine with its time-outs, a task that
may be cancelled) makes a :class:`Cancellation` the thread's own; whoever works in it looks at
:func:`checkpoint` between pieces, or has a callback called that ends what it waits for, such as a
query on a server.
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
    """A flag that is raised once, with what is to happen then."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._raised = False
        self._calls: list[Callable[[], object]] = []

    @property
    def raised(self) -> bool:
        """True once nobody waits any more."""
        return self._raised

    def cancel(self) -> None:
        """Raises the flag; what is to happen then has happened when this returns."""
        with self._lock:
            self._raised = True
            calls, self._calls = self._calls, []
            for call in calls:
                call()

    @contextmanager
    def calling(self, call: Callable[[], object]) -> Iterator[None]:
        """Within the block, raising the flag calls this; at once when it is raised already.

        The block does not end while the call is under way.
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
    """The flag of the work that this thread does."""
    return _current.get()


@contextmanager
def obeying(cancellation: Cancellation) -> Iterator[None]:
    """Makes a flag that of the work in this block."""
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)


def checkpoint() -> None:
    """Ends work that nobody waits for.

    Raises:
        GivenUpError: the flag is raised.

    """
    _check(current())


def between(call: Callable[..., None] | None) -> Callable[..., None]:
    """A callback for progress that is a checkpoint too, whichever thread calls it."""
    mine = current()

    def progress(*args: Any) -> None:
        _check(mine)
        if call is not None:
            call(*args)

    return progress


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``asyncio.to_thread`` whose thread hears of it when the task is cancelled.

    The task gives way when the thread has ended: when the caller goes on, nobody works any more.
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
        msg = "given up: nobody waits for it any more"
        raise GivenUpError(msg)
