"""Remote evaluation of pieces: the job, the questions, the answers, and the evaluation itself.

The transport does not belong here; see ``spatial_pipeline.distributed.client``.
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
    """The rules that are evaluated on other machines, and the partitioning of the data for them.

    Attributes:
        data: the staged version.
        rules: rules that see pieces of it, and rules that plan their own work.
        others: for each rule, the other data that it compares with.
        key: key columns of the contract.
        columns: attribute columns that the rules need; of vector data.
        size: features per piece; None means the version's own batches.

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
"""Index of a rule in its job → its elapsed seconds; rules that have ended are absent."""
Answers = dict[int, Answer]
"""Index of a rule in its job → its answer about the piece."""


class Pieces(Protocol):
    """One job, open on other machines."""

    async def answers(
        self, index: int, elapsed: Callable[[], Elapsed], window: Window | None = None
    ) -> Answers:
        """The answers of the rules about piece ``index``; ``window`` is set for rasters.

        Waits for its turn: no more pieces are in flight than the machines can use. Only then
        ``elapsed`` is read; if it is empty, no machine is asked.

        Raises:
            RuleError: no machine can answer; the message gives the reason.

        """


class RemoteWorkers(Protocol):
    """Other machines that can evaluate pieces."""

    @property
    def lanes(self) -> int:
        """Maximum number of pieces to request at once."""

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
        """The job with its checks created; ``workers`` does all the work."""
        bench = cls(job, workers)
        await workers.run(bench._open)
        return bench

    async def evaluate_piece(
        self, index: int, elapsed: Elapsed, window: Window | None = None
    ) -> Answers:
        """Evaluates the rules on a piece; the answers are the same on any machine."""
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
        catalogue.load_for(self.job.rules)
        for task, others in zip(self.tasks, self.job.others, strict=True):
            task.bind(self.job.data, others)


async def ask(
    pieces: Pieces, index: int, tasks: Sequence[RuleRun], window: Window | None = None
) -> None:
    """Requests a piece for all rule runs of a job; those without an answer fail with the reason.

    Args:
        pieces: the job.
        index: number of the piece.
        tasks: its rule runs, in their order.
        window: pixel window of the piece; rasters only.

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
            task.fail(f"piece {index} was not checked: {said}")


def _elapsed(tasks: Mapping[int, RuleRun]) -> Elapsed:
    return {i: t.elapsed for i, t in tasks.items() if t.alive}


__all__ = ["Answers", "Bench", "Elapsed", "Pieces", "RemoteJob", "RemoteWorkers", "Window", "ask"]
