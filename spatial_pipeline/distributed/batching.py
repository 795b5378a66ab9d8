"""Batches questions about pieces into tasks that are worth a round trip to a worker."""

from __future__ import annotations

import asyncio
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from spatial_pipeline.check.engine.remote import Answers, Elapsed, Window
from spatial_pipeline.distributed import worker

TASK_S = 0.3
"""Target duration of a task in seconds; the round trip of a task takes some milliseconds."""
SHARE = 2
"""A task takes one part in this many of the waiting work per worker thread; all end together."""


class Machines(Protocol):
    """Sends tasks to workers; see ``distributed.client.DaskCluster``."""

    client: Any

    @property
    def able(self) -> frozenset[str]:
        """Addresses of the workers that may get a task."""

    @property
    def threads(self) -> int:
        """Number of their threads."""

    async def turn(self) -> None:
        """Waits until a worker can take one more task, and counts it as in flight."""

    async def some(self) -> None:
        """Waits until there is a worker that may get a task."""

    async def returned(self) -> None:
        """Counts a task as no longer in flight."""

    async def result(self, future: Any, workers: frozenset[str]) -> Any:
        """The result of a Dask future that runs on one of these workers.

        Raises:
            StrandedError: none of them is there any more.

        """


class StrandedError(Exception):
    """The workers that a task was sent to have gone; it is sent again, to others."""


@dataclass(eq=False)
class _Asked:
    """A question that waits for its answers."""

    place: worker.PieceAddress
    elapsed: Callable[[], Elapsed]
    answers: asyncio.Future[Answers] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def fail(self, error: Exception) -> None:
        if not self.answers.done():
            self.answers.set_exception(error)

    def settle(self, answers: Answers) -> None:
        if not self.answers.done():
            self.answers.set_result(answers)


class Questions:
    """Implements ``check.engine.remote.Pieces``.

    Args:
        machines: sends the tasks.
        identity: id of the job.
        order: the pickled job, sent along with every task.

    """

    def __init__(self, machines: Machines, identity: str, order: bytes) -> None:
        self._machines = machines
        self._identity = identity
        self._order = order
        self._waiting: deque[_Asked] = deque()
        self._some = asyncio.Event()
        self._sent = 0
        self._seconds = 0.0
        self._answered = 0

    async def answers(
        self, index: int, elapsed: Callable[[], Elapsed], window: Window | None = None
    ) -> Answers:
        """See ``check.engine.remote.Pieces``."""
        return await self._ask(_Asked(worker.PieceAddress(index, window), elapsed))

    async def send(self) -> None:
        """Sends waiting questions as workers become free, until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._some.wait()
                await self._machines.turn()
                group.create_task(self._answer(self._next()))

    async def _ask(self, asked: _Asked) -> Answers:
        self._waiting.append(asked)
        self._some.set()
        return await asked.answers

    def _next(self) -> list[_Asked]:
        """The questions of the next task: the fewer are left, the smaller the task."""
        share = len(self._waiting) // max(SHARE * self._machines.threads, 1)
        worth = int(TASK_S * self._answered / self._seconds) if self._seconds else 1
        size = min(max(1, min(share, worth)), len(self._waiting))
        found = [self._waiting.popleft() for _ in range(size)]
        if not self._waiting:
            self._some.clear()
        return found

    async def _answer(self, asked: Sequence[_Asked]) -> None:
        """Runs one task, from the moment that it has its turn."""
        try:
            known = [(a, dict(a.elapsed())) for a in asked if not a.answers.done()]
            for question, _ in (pair for pair in known if not pair[1]):
                question.settle({})
            living = [(a, elapsed) for a, elapsed in known if elapsed]
            if living:
                await self._travel(living)
        except Exception as exc:  # noqa: BLE001 - reported to the waiting code
            for question in asked:
                question.fail(exc)
        finally:
            await self._machines.returned()

    async def _travel(self, asked: Sequence[tuple[_Asked, Elapsed]]) -> None:
        while True:
            self._sent += 1
            workers = self._machines.able
            future = self._machines.client.submit(
                worker.evaluate_places,
                self._order,
                self._identity,
                [(question.place, elapsed) for question, elapsed in asked],
                key=f"spatial-{self._identity}-{self._sent}",
                workers=sorted(workers),
                pure=False,
            )
            try:
                blobs, seconds = await self._machines.result(future, workers)
                break
            except StrandedError:
                await self._machines.some()
            finally:
                future.release()
        self._seconds += seconds
        self._answered += len(blobs)
        answers = await asyncio.to_thread(lambda: [pickle.loads(b) for b in blobs])  # noqa: S301
        for (question, _), found in zip(asked, answers, strict=True):
            question.settle(found)


__all__ = ["Questions"]
