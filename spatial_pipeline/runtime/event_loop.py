"""Entering the event loop, keeping it free, and naming the code that blocks it.

There is one loop per process, made by the owner of the process. Synchronous code enters it through
:func:`run_sync`, CPU-bound array work leaves it through :func:`offload`, and :class:`Watchdog`
names the call that blocks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import linecache
import logging
import selectors
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self, TypeVar

from spatial_pipeline.runtime.thread_state import ThreadState

logger = logging.getLogger("spatial_pipeline")
T = TypeVar("T")
SLOW = 0.25
"""Seconds that one callback may hold the loop before it is named in the log."""
_WATCHED: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
CHUNK = 10_000
"""Rows handed to a thread at once by :func:`offload`."""


@dataclass(frozen=True)
class Blocked:
    """Something held the event loop.

    Attributes:
        seconds: for how long, up to the moment it was seen.
        culprit: function, file and line with its source text.
        stack: the frames of the loop's thread, outermost first, one per line.

    """

    seconds: float
    culprit: str
    stack: str

    def __str__(self) -> str:
        return f"the event loop has been blocked for {self.seconds:.3f} s by {self.culprit}"


def _log(blocked: Blocked) -> None:
    logger.warning("%s", blocked)


class Watchdog:
    """Names the call that blocks the running loop; costs the loop one empty callback per period.

    A thread requests a heartbeat from the loop. When it is late, the thread inspects the stack of
    the loop's thread. A block of twice ``limit`` is always detected, a shorter one by chance. A
    loop that is late because its thread got no CPU is not blocked; see :class:`ThreadState`.

    A call on the loop that keeps the GIL stops the watchdog too. It is detected afterwards, by the
    CPU time of the loop's thread between two heartbeats; the report then names the place that the
    loop has reached. When the loop itself only waits, another thread kept the GIL from it: the
    report then lists the stacks of the other threads.

    Use it as a context manager inside a coroutine.
    """

    def __init__(self, limit: float = SLOW, report: Callable[[Blocked], None] = _log) -> None:
        """Watches from ``__enter__`` to ``__exit__``.

        Args:
            limit: seconds without a heartbeat.
            report: called in the watchdog's thread, once a block.

        """
        self.limit = limit
        self.report = report
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        _WATCHED.add(self._loop)
        self._watched = threading.get_ident()
        self._state = ThreadState(self._watched, threading.get_native_id())
        self._stop.clear()
        self._gaps: deque[float] = deque()
        self._known = False
        self._beaten = time.thread_time()
        self._beat()
        self._thread = threading.Thread(target=self._watch, name="spatial-watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()
        self._next.cancel()
        self._stop.set()
        self._thread.join()
        _WATCHED.discard(self._loop)

    def _beat(self) -> None:
        """On the loop: notes the CPU time of its thread since the last beat when that is long."""
        now = time.thread_time()
        gap, self._beaten = now - self._beaten, now
        known, self._known = self._known, False
        if gap > self.limit and not known:
            self._gaps.append(gap)
        self._next = self._loop.call_later(self.limit / 4, self._beat)

    def _watch(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stop.wait(self.limit / 2)
            if not stopped:
                self._ask()
            while self._gaps:
                self._tell(self._gaps.popleft(), "a call that kept the GIL, before ")

    def _ask(self) -> None:
        """Waits for a heartbeat of the loop; reports a loop that is late."""
        alive = threading.Event()
        self._state.held(0, 0)
        try:
            self._loop.call_soon_threadsafe(alive.set)
        except RuntimeError:  # the loop is closed
            self._stop.set()
            return
        step, held = self.limit / 4, 0.0
        while held <= self.limit:
            asked = time.perf_counter()
            if alive.wait(step) or self._stop.is_set():
                return
            held += self._state.held(time.perf_counter() - asked, step)
        if not alive.is_set():
            self._known = True
            # Between two run_until_complete the loop stands still, which is no block.
            if self._loop.is_running():
                self._tell(held)
        while not alive.wait(self.limit) and not self._stop.is_set():
            pass

    def _tell(self, seconds: float, before: str = "") -> None:
        frames = sys._current_frames()  # noqa: SLF001
        frame = frames.pop(self._watched, None)
        frames.pop(threading.get_ident(), None)
        if frame is not None:
            self.report(_blocked(frame, list(frames.values()), seconds, before))


@contextlib.contextmanager
def watching(limit: float | None) -> Iterator[None]:
    """Logs the call that blocks the running loop for longer than ``limit`` seconds.

    Does nothing at all without a limit, and under a :class:`Watchdog` that watches this loop.
    """
    if not limit or asyncio.get_running_loop() in _WATCHED:
        yield
        return
    with Watchdog(limit):
        yield


async def to_thread_whole(call: Callable[..., T], *arguments: Any) -> T:
    """``asyncio.to_thread`` that waits for the thread to end when it is cancelled.

    For short calls that write: when the caller goes on, no write is in progress.
    """
    work = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()
        raise


def _blocked(
    frame: FrameType, others: list[FrameType], seconds: float, before: str = ""
) -> Blocked:
    frames: list[FrameType] = []
    walk: FrameType | None = frame
    while walk is not None:
        frames.append(walk)
        walk = walk.f_back
    stack = "\n".join(_place(f) for f in reversed(frames))
    if before or frame.f_code.co_filename != selectors.__file__:
        own = (threading.__file__, __file__)
        outer = (f for f in frames if f.f_code.co_filename not in own)
        return Blocked(seconds, before + _place(next(outer, frame)), stack)
    busy = "; ".join(_place(f) for f in others if f.f_code.co_filename != threading.__file__)
    return Blocked(seconds, f"another thread that keeps the GIL, one of: {busy or 'none'}", stack)


def _place(frame: FrameType) -> str:
    code = frame.f_code
    source = linecache.getline(code.co_filename, frame.f_lineno).strip()
    where = f"{Path(code.co_filename).name}:{frame.f_lineno}"
    return f"{code.co_qualname} ({where}): {source}" if source else f"{code.co_qualname} ({where})"


def run_sync(work: Coroutine[Any, Any, T], *, slow: float | None = SLOW) -> T:
    """The result of a coroutine, from synchronous code, whether or not a loop runs here.

    Without a running loop the coroutine runs on a loop of this thread. Under a running loop (a
    notebook, IPython, an async test) it runs on a private loop in a separate thread while this
    thread waits: it must make its own pools, locks and tasks, and the outer loop stands still until
    it is done. Asynchronous code awaits the coroutine instead.

    Args:
        work: the coroutine.
        slow: seconds after which a callback that blocks the loop is named in the log; None and 0
            do not watch.

    """

    async def watched() -> T:
        with watching(slow):
            return await work

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(watched())
    return _elsewhere(watched())


def _elsewhere(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine on a loop of a new thread; an interrupt cancels it."""
    outcome: Future[T] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def main() -> T:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    def serve() -> None:
        try:
            outcome.set_result(asyncio.run(main()))
        except BaseException as exc:  # noqa: BLE001 - raised where the caller waits
            outcome.set_exception(exc)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(serve,), name="spatial-loop", daemon=True)
    thread.start()
    try:
        return outcome.result()
    except BaseException:
        if not outcome.done():
            loop, task = started.result()
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)
        raise
    finally:
        thread.join()


async def offload(
    function: Callable[..., Any],
    *arrays: Any,
    chunk: int = CHUNK,
    jobs: int = 2,
    **options: Any,
) -> Any:
    """Runs ``function(*arrays, **options)`` in threads, one task per chunk of rows.

    Args:
        function: an array function; row i of its result depends on row i of the arrays only, as
            with ``shapely.is_valid``. Pass the function, not its result.
        arrays: arrays of one length n.
        chunk: rows per task; a cancellation takes effect after the chunks that run.
        jobs: chunks that run at once.
        options: keyword arguments of the function.

    Returns:
        (n,) the concatenated results.

    Raises:
        TypeError: ``function`` cannot be called.
        ValueError: the arrays differ in length, there are none, or ``chunk`` or ``jobs`` is not
            positive.

    """
    import numpy as np

    if not callable(function):
        msg = f"hand over the function, not its result: {type(function).__name__} is not callable"
        raise TypeError(msg)
    rows = [np.asarray(a) for a in arrays]
    # NumPy's own strings end at the last non-zero byte; WKB does not.
    rows = [
        a if a.dtype.kind != "S" or isinstance(given, np.ndarray) else np.array(given, dtype=object)
        for a, given in zip(rows, arrays, strict=True)
    ]
    if len({len(a) for a in rows}) != 1:
        msg = "offload takes arrays of one length"
        raise ValueError(msg)
    if chunk < 1 or jobs < 1:
        msg = "chunk and jobs are at least 1"
        raise ValueError(msg)
    free = asyncio.Semaphore(jobs)

    async def part(start: int) -> Any:
        async with free:
            pieces = [a[start : start + chunk] for a in rows]
            return await asyncio.to_thread(function, *pieces, **options)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part(i)) for i in range(0, max(len(rows[0]), 1), chunk)]
    return np.concatenate([t.result() for t in tasks])


__all__ = ["Blocked", "Watchdog", "offload", "run_sync", "to_thread_whole", "watching"]
