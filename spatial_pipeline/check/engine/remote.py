"""Pieces that other machines look at: what is asked, what is answered, and how it is worked out.

How questions travel is not said here; see ``spatial_pipeline.distributed.client``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.check.engine.evaluate_piece import see_features, see_pixels
from spatial_pipeline.check.engine.gil import responsive
from spatial_pipeline.check.engine.partitioning import Partitioning
from spatial_pipeline.check.engine.rule_run import Answer, RuleRun
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.runtime.workers import Workers


@dataclass(frozen=True)
class RemoteJob:
    """The rules that are evaluated elsewhere, and how the data is cut for them.

    Attributes:
        data: the staged version.
        rules: rules that see pieces of it, and rules that plan for themselves.
        others: for each rule, the other data that it compares with.
        key: key columns of the contract.
        columns: attribute columns that the rules need; of vector data.
        size: features a piece; None means the version's own batches.

    """

    data: Reader
    rules: tuple[Rule, ...]
    others: tuple[tuple[Reader, ...], ...]
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    size: int | None = None


Window = tuple[int, int, int, int]
"""Row and column offset, height and width, in pixels."""
Elapsed = Mapping[int, float]
"""Place of a rule in its job → seconds that it has worked so far; rules that have ended lack."""
Answers = dict[int, Answer]
"""Place of a rule in its job → what it makes of the piece."""


class Pieces(Protocol):
    """One job, open on other machines."""

    async def answers(
        self, index: int, elapsed: Callable[[], Elapsed], window: Window | None = None
    ) -> Answers:
        """What the rules make of piece ``index``, of a raster of this window.

        Waits for its turn: no more pieces are under way than the machines have use for. Only then
        it looks at ``elapsed``; where that is empty, nobody is asked.

        Raises:
            RuleError: no machine can answer; the message says why.

        """


class RemoteWorkers(Protocol):
    """Other machines that can look at pieces."""

    @property
    def lanes(self) -> int:
        """How many pieces to ask for at once, at most."""

    def reaches(self, data: Reader) -> bool:
        """True when the other machines can open this data."""

    def opened(self, job: RemoteJob) -> AbstractAsyncContextManager[Pieces]:
        """The job, until it is done or cancelled."""


class Bench:
    """A job, open where it is worked on."""

    def __init__(self, job: RemoteJob, workers: Workers) -> None:
        self.job = job
        self.workers = workers
        self.tasks = [RuleRun(rule, job.key) for rule in job.rules]
        self.data = cast("Any", job.data)
        self.cut = Partitioning(self.data, job.size)

    @classmethod
    async def opened(cls, job: RemoteJob, workers: Workers) -> Bench:
        """The job with its checks made; ``workers`` does all the work."""
        bench = cls(job, workers)
        await workers.run(bench._open)
        return bench

    async def evaluate_piece(
        self, index: int, elapsed: Elapsed, window: Window | None = None
    ) -> Answers:
        """What the rules make of a piece: the same as on any other machine."""
        twins = {i: self.tasks[i].twin(seconds) for i, seconds in elapsed.items()}
        tasks = list(twins.values())
        with responsive():
            if window is None:
                await see_features(self.cut, index, tasks, self.job.columns, self.workers)
            else:
                await see_pixels(self.data, index, window, tasks, self.workers)
        return {i: twin.answer(index, elapsed[i]) for i, twin in twins.items()}

    def stop(self) -> None:
        """Asks all threads to stop at the end of their chunk."""
        for task in self.tasks:
            task.stop()

    def _open(self) -> None:
        catalogue.load()
        for task, others in zip(self.tasks, self.job.others, strict=True):
            task.bind(self.job.data, others)


async def ask(
    pieces: Pieces, index: int, tasks: Sequence[RuleRun], window: Window | None = None
) -> None:
    """Asks for a piece on behalf of all tasks of a job; those that get no answer fail and say why.

    Args:
        pieces: the job.
        index: of the piece.
        tasks: its rules, in their order.
        window: of a raster, what the piece is.

    """
    asked = dict(enumerate(tasks))
    said = "no answer"
    answers: Answers = {}
    try:
        answers = await pieces.answers(index, partial(_elapsed, asked), window)
    except Exception as exc:  # noqa: BLE001 - whatever it is, every rule must say it
        said = str(exc)
    for i, task in asked.items():
        if i in answers:
            task.take(index, answers[i])
        else:
            task.fail(f"piece {index} was not looked at: {said}")


def _elapsed(tasks: Mapping[int, RuleRun]) -> Elapsed:
    return {i: t.elapsed for i, t in tasks.items() if t.alive}


__all__ = ["Answers", "Bench", "Elapsed", "Pieces", "RemoteJob", "RemoteWorkers", "Window", "ask"]
