"""One rule under evaluation: its partial results, and its remaining time."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar, cast

import numpy as np

from spatial_pipeline.check.base import Cancelled, Context, check_class
from spatial_pipeline.check.incremental.feature_cache import (
    FeatureCache,
    History,
    NeighbourCheck,
    wording,
)
from spatial_pipeline.check.join.surroundings import Surroundings
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import RuleError, SpatialPipelineError
from spatial_pipeline.model.readers import Reader, VectorReader
from spatial_pipeline.model.violation_runs import ViolationSink
from spatial_pipeline.model.violations import RuleOutcome
from spatial_pipeline.runtime.workers import Workers

T = TypeVar("T")


@dataclass
class _Shared:
    """State shared by all twins of a rule run."""

    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    around: Surroundings | None = None
    failure: tuple[Status, str] | None = None


@dataclass(frozen=True)
class Answer:
    """The answer of one rule about one piece, from any machine.

    Attributes:
        value: the partial result; undefined when there is a status.
        seconds: work of the rule on this piece.
        status: status with which the rule has ended; None while it goes on.
        error: the same in words.
        notes: notes on look-ups in another CRS.

    """

    value: Any
    seconds: float
    status: Status | None = None
    error: str = ""
    notes: tuple[str, ...] = ()


class RuleRun:
    """The evaluation of one rule. Changed only on the event loop."""

    def __init__(self, rule: Rule, key: tuple[str, ...], sink: ViolationSink | None = None) -> None:
        self.rule = rule
        self.key = key
        self.sink = sink
        self.check: Any = None
        self.others: tuple[Reader, ...] = ()
        self.partials: dict[int, Any] = {}
        self.fresh: list[int] = []
        self.memory: FeatureCache | None = None
        self.outcome: RuleOutcome | None = None
        self.status: Status | None = None
        self.error = ""
        self.elapsed = 0.0
        self._shared = _Shared()
        self._told: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """False once the rule has failed to be evaluated."""
        return self.status is None

    def bind(self, data: Reader, others: tuple[Reader, ...] = ()) -> None:
        """Creates the check object, with the other data of the rule once they are open."""
        self.others = others
        context = Context(data, others, self.key, self._cancelled, self.sink)
        try:
            self.check = check_class(type(self.rule), data.profile.kind)(self.rule, context)
        except Exception as exc:  # noqa: BLE001 - a rule that raises is a result, not a crash
            self.fail(_said(exc))

    def recall(self, history: History) -> None:
        """Loads cached facts, for a check that can use them; runs in a thread."""
        asked = wording(self.rule, self.check, self.check.context.data, self.others)
        if asked is not None:
            known = history.recall(self.rule.check_name, asked, self.check.reach())
            if known is not None and not set(self.check.extras) <= set(known.extras):
                known = None
            self.memory = FeatureCache(asked, known)
            if known is not None and isinstance(self.check, NeighbourCheck):
                self.check.begin(known)

    def keep(self, history: History) -> None:
        """Stores facts for the next version; runs in a thread."""
        if self.memory is not None and self.outcome is not None:
            data = cast("VectorReader", self.check.context.data)
            rows = self.outcome.violations.rows
            told = data.rows_to_positions(np.unique(rows[rows >= 0]))
            facts = self.check.finished(self.memory.whole(data.profile.count), told)
            history.keep(self.rule.check_name, self.memory.wording, facts)

    def fail(self, message: str, status: Status = Status.ERROR) -> None:
        """Ends the evaluation without an outcome; the first reason is kept."""
        if self.status is None:
            self.status = status
            self.error = message
            self._shared.failure = self._shared.failure or (status, message)
            self._shared.stop.set()
            self.partials.clear()

    def stop(self) -> None:
        """Asks the rule's threads to stop at the end of their chunk."""
        self._shared.stop.set()

    def twin(self, elapsed: float) -> Self:
        """The same rule with the same check, for one piece: a failure of one stops all.

        Args:
            elapsed: seconds that the rule has worked so far, elsewhere.

        """
        twin = copy.copy(self)
        twin.partials = {}
        twin.fresh = []
        twin.elapsed = elapsed
        return twin

    def answer(self, index: int, elapsed: float) -> Answer:
        """The answer of a twin about piece ``index``; an error when it stopped without one."""
        seconds = self.elapsed - elapsed
        if index in self.partials:
            return Answer(self.partials[index], seconds, notes=self.notes())
        status, error = (
            (self.status, self.error)
            if self.status is not None
            else self._shared.failure or (Status.ERROR, "stopped before its end")
        )
        return Answer(None, seconds, status, error)

    def take(self, index: int, answer: Answer) -> None:
        """Takes in the answer of another machine about piece ``index``."""
        if not self.alive:
            return
        self.elapsed += answer.seconds
        self._told = self._told or answer.notes
        if answer.status is None:
            self.partials[index] = answer.value
            self.fresh.append(index)
        else:
            self.fail(answer.error, answer.status)

    def settle(self, index: int, value: Any) -> None:
        """Takes in the cached result of piece ``index`` without evaluating it."""
        if self.alive:
            self.partials[index] = value
            self.fresh.append(index)

    async def step(self, workers: Workers, index: int, call: Callable[[], Any]) -> None:
        """One call of the rule; its result is stored by the number of the piece."""
        if self.alive:
            value = await self.call(workers, call)
            if self.alive and not self._shared.stop.is_set():
                self.partials[index] = value
                self.fresh.append(index)

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
        """Lookup of the other dataset by location; created once for all threads."""
        with self._shared.lock:
            if self._shared.around is None:
                data = cast("VectorReader", self.check.context.data)
                if not self.others and not self.check.with_itself:
                    msg = "nothing to compare with"
                    raise RuleError(msg)
                other = cast("VectorReader", self.others[0]) if self.others else data
                self._shared.around = Surroundings(other, data.profile.pyproj_crs)
            return self._shared.around

    def notes(self) -> tuple[str, ...]:
        """Notes on look-ups in another CRS."""
        around = self._shared.around
        return (around.note,) if around is not None and around.note else self._told

    def _time_out(self) -> None:
        self.fail(f"stopped after {self.rule.timeout_s:g} s of work", Status.TIMEOUT)

    def _cancelled(self) -> None:
        if self._shared.stop.is_set():
            raise Cancelled


def _said(error: Exception) -> str:
    if isinstance(error, SpatialPipelineError):
        return str(error)
    return f"{type(error).__name__}: {error}"
