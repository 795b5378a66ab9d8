"""One rule under evaluation: what it has found so far, and how much time it has left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from spatial_pipeline.check.base import Cancelled, Context, check_class
from spatial_pipeline.check.vector_pieces import Surroundings
from spatial_pipeline.check.workers import Workers
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.errors import RuleError, SpatialPipelineError
from spatial_pipeline.pieces import Data, VectorData
from spatial_pipeline.results import Outcome, Status

T = TypeVar("T")


class Task:
    """The evaluation of one rule. Changed only on the event loop."""

    def __init__(self, rule: Rule, key: tuple[str, ...]) -> None:
        self.rule = rule
        self.key = key
        self.check: Any = None
        self.others: tuple[Data, ...] = ()
        self.partials: dict[int, Any] = {}
        self.outcome: Outcome | None = None
        self.status: Status | None = None
        self.error = ""
        self.elapsed = 0.0
        self._stop = threading.Event()
        self._around: Surroundings | None = None
        self._around_lock = threading.Lock()

    @property
    def alive(self) -> bool:
        """False once the rule has failed to be evaluated."""
        return self.status is None

    def bind(self, data: Data, others: tuple[Data, ...] = ()) -> None:
        """Makes the check object, with the other data of the rule once they are open."""
        self.others = others
        context = Context(data=data, others=others, key=self.key, cancelled=self._cancelled)
        try:
            self.check = check_class(type(self.rule), data.profile.kind)(self.rule, context)
        except Exception as exc:  # noqa: BLE001 - a rule that raises is a result, not a crash
            self.fail(_said(exc))

    def fail(self, message: str, status: Status = Status.ERROR) -> None:
        """Ends the evaluation without an outcome; the first reason stays."""
        if self.status is None:
            self.status = status
            self.error = message
            self._stop.set()
            self.partials.clear()

    def stop(self) -> None:
        """Asks the rule's threads to stop at the end of their chunk, whatever comes of it."""
        self._stop.set()

    async def call(self, workers: Workers, call: Callable[[], T]) -> T | None:
        """Runs a piece of the rule's work; None when the rule has ended instead."""
        if not self.alive:
            return None
        budget = self.rule.timeout_s - self.elapsed
        if budget <= 0:
            self._time_out()
            return None

        def work() -> T:
            self._cancelled()
            return call()

        begun = time.perf_counter()
        try:
            value, seconds = await workers.run(work, budget)
        except TimeoutError:
            self.elapsed += budget
            self._time_out()
            return None
        except Cancelled:
            return None
        except Exception as exc:  # noqa: BLE001 - a rule that raises is a result, not a crash
            self.elapsed += time.perf_counter() - begun
            self.fail(_said(exc))
            return None
        self.elapsed += seconds
        return value

    def surroundings(self) -> Surroundings:
        """The other dataset, looked up by place; made once for all threads."""
        with self._around_lock:
            if self._around is None:
                if not self.others:
                    msg = "nothing to compare with"
                    raise RuleError(msg)
                data = cast("VectorData", self.check.context.data)
                self._around = Surroundings(
                    cast("VectorData", self.others[0]), data.profile.pyproj_crs
                )
            return self._around

    def notes(self) -> tuple[str, ...]:
        """What the look-up in another CRS has to say."""
        return (self._around.note,) if self._around is not None and self._around.note else ()

    def _time_out(self) -> None:
        self.fail(f"stopped after {self.rule.timeout_s:g} s of work", Status.TIMEOUT)

    def _cancelled(self) -> None:
        if self._stop.is_set():
            raise Cancelled


def _said(error: Exception) -> str:
    if isinstance(error, SpatialPipelineError):
        return str(error)
    return f"{type(error).__name__}: {error}"
