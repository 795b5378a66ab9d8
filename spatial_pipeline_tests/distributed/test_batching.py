"""Tasks for Dask workers: every question travels once, with others that it is worth."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.engine.rule_run import Answer
from spatial_pipeline.distributed import worker
from spatial_pipeline.distributed.batching import TASK_S, Questions
from spatial_pipeline.errors import RuleError


class Journey:
    """A future of Dask's that notices when nobody wants it any more."""

    def __init__(self, places: list[Any], released: Callable[[], None]) -> None:
        self.places = places
        self.release = released


class FakeMachines:
    """Workers of one thread that take the same time for every piece."""

    def __init__(self, threads: int, seconds: float, fails: frozenset[int] = frozenset()) -> None:
        self.client = self
        self.threads = threads
        self.seconds = seconds
        self.fails = fails
        self.sizes: list[int] = []
        self.asked: list[tuple[int, dict[int, float]]] = []
        self.under_way = self.most = self.released = 0
        self.free = asyncio.Semaphore(2 * threads)
        self.open = asyncio.Event()
        self.open.set()
        self.full = asyncio.Event()

    def submit(self, call: Any, order: bytes, identity: str, places: Any, **_: Any) -> Journey:
        assert (call, order, identity) == (worker.evaluate_places, b"order", "job")
        self.sizes.append(len(places))
        self.asked += [(place.index, elapsed) for place, elapsed in places]
        if self.under_way == 2 * self.threads:
            self.full.set()

        def released() -> None:
            self.released += 1

        return Journey(places, released)

    async def turn(self) -> None:
        await self.free.acquire()
        self.under_way += 1
        self.most = max(self.most, self.under_way)

    async def returned(self) -> None:
        self.under_way -= 1
        self.free.release()

    @property
    def able(self) -> frozenset[str]:
        return frozenset({"tcp://a:1"})

    async def some(self) -> None:
        assert self.able

    async def result(self, future: Journey, workers: frozenset[str]) -> Any:
        assert workers == self.able
        await asyncio.sleep(0)
        await self.open.wait()
        found = [place.index for place, _ in future.places]
        if self.fails & set(found):
            msg = "the machine died"
            raise RuleError(msg)
        blobs = [pickle.dumps({0: Answer(i, self.seconds)}) for i in found]
        return blobs, self.seconds * len(found)


async def answered(machines: FakeMachines, count: int, **options: Any) -> list[Any]:
    """What each of some questions gets, in the order of the questions."""
    questions = Questions(machines, "job", b"order")
    sending = asyncio.create_task(questions.send())
    asked = (questions.answers(i, options.get("elapsed", lambda: {0: 1.5})) for i in range(count))
    try:
        return await asyncio.gather(*asked, return_exceptions=True)
    finally:
        sending.cancel()
        await asyncio.wait({sending})


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 200),
    threads=st.integers(1, 9),
    seconds=st.floats(1e-4, 10.0),
)
def test_every_question_is_asked_once(count: int, threads: int, seconds: float) -> None:
    async def main() -> None:
        machines = FakeMachines(threads, seconds)
        answers = await answered(machines, count)
        assert [a[0].value for a in answers] == list(range(count))
        assert machines.asked == [(i, {0: 1.5}) for i in range(count)]
        assert machines.most <= 2 * threads
        assert machines.released == len(machines.sizes)
        assert max(machines.sizes, default=1) <= max(1.0, TASK_S / seconds) + 1e-9

    asyncio.run(main())


def test_tasks_grow_to_what_is_worth_the_way_and_shrink_at_the_end() -> None:
    machines = asyncio.run(_sent(threads=2, seconds=TASK_S / 6.5, count=100))
    assert machines.sizes[:4] == [1, 1, 1, 1]
    assert machines.sizes[5:12] == [6] * 7
    assert machines.sizes[-4:] == [1, 1, 1, 1]


def test_slow_pieces_travel_alone() -> None:
    machines = asyncio.run(_sent(threads=2, seconds=10 * TASK_S, count=20))
    assert machines.sizes == [1] * 20


async def _sent(threads: int, seconds: float, count: int) -> FakeMachines:
    machines = FakeMachines(threads, seconds)
    await answered(machines, count)
    return machines


def test_an_error_is_told_to_all_that_travelled_together_and_to_nobody_else() -> None:
    async def main() -> tuple[FakeMachines, list[Any]]:
        machines = FakeMachines(1, TASK_S / 4, frozenset({10}))
        return machines, await answered(machines, 40)

    machines, answers = asyncio.run(main())
    failed = [i for i, a in enumerate(answers) if isinstance(a, RuleError)]
    assert 10 in failed
    assert 1 < len(failed) <= 4
    assert failed == list(range(failed[0], failed[-1] + 1))
    assert machines.under_way == 0


def test_nobody_is_asked_for_rules_that_have_ended() -> None:
    async def main() -> tuple[FakeMachines, list[Any]]:
        machines = FakeMachines(1, 0.01)
        return machines, await answered(machines, 9, elapsed=dict)

    machines, answers = asyncio.run(main())
    assert (machines.asked, answers) == ([], [{}] * 9)


def test_nothing_is_left_when_it_is_cancelled() -> None:
    async def main() -> FakeMachines:
        machines = FakeMachines(2, 0.01)
        machines.open.clear()
        asking = asyncio.create_task(answered(machines, 50))
        await machines.full.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return machines

    machines = asyncio.run(main())
    assert (machines.under_way, machines.released, len(machines.asked)) == (0, 4, 4)


class FakeBench:
    """Rule 0 takes a second a piece, rule 1 two."""

    workers: Any = None

    def __init__(self) -> None:
        self.told: list[Any] = []

    async def evaluate_piece(self, index: int, elapsed: Any, window: Any) -> Any:
        self.told.append((index, elapsed, window))
        return {i: Answer(None, i + 1.0) for i in elapsed}


def test_the_time_of_a_rule_runs_on_within_a_task() -> None:
    class Here:
        async def run(self, call: Callable[[], Any]) -> tuple[Any, float]:
            return call(), 0.0

    async def main() -> tuple[FakeBench, list[bytes]]:
        bench = FakeBench()
        bench.workers = Here()
        place = worker.PieceAddress
        asked = [
            (place(5), {0: 10.0, 1: 20.0}),
            (place(3), {1: 20.0}),
            (place(6, (0, 0, 1, 1)), {0: 10.5, 1: 20.0}),
        ]
        return bench, await worker._evaluated(bench, asked)  # type: ignore[arg-type]

    bench, blobs = asyncio.run(main())
    assert bench.told == [
        (5, {0: 10.0, 1: 20.0}, None),
        (3, {1: 22.0}, None),
        (6, {0: 11.5, 1: 24.0}, (0, 0, 1, 1)),
    ]
    assert [pickle.loads(b)[1].seconds for b in blobs] == [2.0, 2.0, 2.0]
