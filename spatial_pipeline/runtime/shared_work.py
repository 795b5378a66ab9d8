"""Work that several threads need the result of and share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from spatial_pipeline.runtime.cancellation import current
from spatial_pipeline.runtime.workers import ask_for_help

T = TypeVar("T")


class SharedWork(Generic[T]):
    """Calls that are made once and shared by all threads that need their results.

    Two rules that evaluate the same piece at the same time need the same intermediate results. The
    second does not wait for the first: it takes the calls that have not started. So does an idle
    thread.

    Args:
        calls: made in any order, in the threads that ask; they must not wait for each other.

    """

    def __init__(self, calls: Sequence[Callable[[], T]]) -> None:
        self._calls = calls
        self._results: dict[int, T] = {}
        self._error: BaseException | None = None
        self._next = 0
        self._open = len(calls)
        self._done = threading.Condition()

    def results(self) -> list[T]:
        """The results, in the order of the calls.

        Raises:
            BaseException: the exception of a call.

        """
        if len(self._calls) - self._next > 1:
            ask_for_help(self._help)
        while self._error is None and self._made_one():
            pass
        with self._done:
            self._done.wait_for(lambda: self._error is not None or not self._open)
        if self._error is not None:
            raise self._error
        return [self._results[i] for i in range(len(self._calls))]

    def _help(self) -> None:
        """Takes calls until there is none left, or this thread's work was cancelled."""
        while self._error is None and not current().raised and self._made_one():
            pass

    def _made_one(self) -> bool:
        """Makes one call that has not started; False when there is none."""
        with self._done:
            mine = self._next
            self._next += 1
        if mine >= len(self._calls):
            return False
        try:
            self._results[mine] = self._calls[mine]()
        except BaseException as error:
            self._error = error
            raise
        finally:
            with self._done:
                self._open -= 1
                self._done.notify_all()
        return True
