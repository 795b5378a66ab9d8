from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
import shapely

from spatial_pipeline.runtime.event_loop import (
    Blocked,
    Watchdog,
    _blocked,
    offload,
    run_sync,
    to_thread_whole,
    watching,
)


async def where() -> int:
    await asyncio.sleep(0)
    return threading.get_ident()


async def broken() -> None:
    msg = "broken"
    raise KeyError(msg)


def test_without_a_loop_it_runs_in_this_thread() -> None:
    assert run_sync(where()) == threading.get_ident()


def test_under_a_running_loop_it_runs_beside_it() -> None:
    async def cell() -> int:
        return run_sync(where())

    assert asyncio.run(cell()) != threading.get_ident()


@pytest.mark.parametrize("nested", [False, True])
def test_what_it_raises_arrives(nested: bool) -> None:
    async def cell() -> None:
        run_sync(broken())

    with pytest.raises(KeyError, match="broken"):
        asyncio.run(cell()) if nested else run_sync(broken())


def test_two_hundred_entries_leave_no_thread() -> None:
    async def cell() -> None:
        for _ in range(200):
            run_sync(where())

    before = threading.active_count()
    asyncio.run(cell())
    assert threading.active_count() == before


def sleepy_area() -> None:
    time.sleep(0.3)


def test_the_culprit_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        sleepy_area()

    with caplog.at_level(logging.WARNING, "spatial_pipeline"):
        run_sync(work(), slow=0.05)
    (record,) = [r for r in caplog.records if r.name == "spatial_pipeline"]
    assert "sleepy_area (test_event_loop.py:" in record.getMessage()
    assert "time.sleep(0.3)" in record.getMessage()


def test_a_loop_that_waits_is_not_blocked() -> None:
    seen: list[Blocked] = []

    async def work() -> None:
        with Watchdog(0.05, seen.append):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(time.sleep, 0.2)

    asyncio.run(work())
    assert seen == []


@pytest.mark.parametrize("limit", [None, 0.0])
def test_not_to_watch_costs_no_thread(limit: float | None) -> None:
    async def work() -> int:
        with watching(limit):
            return threading.active_count()

    assert asyncio.run(work()) == threading.active_count()


def test_one_watchdog_is_enough() -> None:
    def watchdogs() -> int:
        return sum(t.name == "spatial-watchdog" for t in threading.enumerate())

    async def work() -> list[int]:
        told = []
        with watching(5):
            with watching(1):
                told.append(watchdogs())
            told.append(watchdogs())
        with watching(1):
            told.append(watchdogs())
        return [*told, watchdogs()]

    assert asyncio.run(work()) == [1, 1, 1, 0]


@pytest.mark.parametrize("fails", [False, True])
def test_a_thread_that_writes_is_waited_for(fails: bool) -> None:
    begun, written = threading.Event(), []

    def write(value: int) -> int:
        begun.set()
        time.sleep(0.05)
        written.append(value)
        if fails:
            raise OSError
        return value

    async def work() -> None:
        task = asyncio.create_task(to_thread_whole(write, 1))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert written == [1]
        if not fails:
            assert await to_thread_whole(write, 2) == 2

    asyncio.run(work())


def hog(values: list[int]) -> None:
    values.sort()


@pytest.mark.parametrize("after", [0, 0.3])
def test_a_call_on_the_loop_that_keeps_the_gil_is_seen(after: float) -> None:
    seen: list[Blocked] = []
    values = np.random.default_rng(1).permutation(3_000_000).tolist()

    async def work() -> None:
        with Watchdog(0.1, seen.append):
            await asyncio.sleep(0.1)
            hog(values)
            if after:
                await asyncio.sleep(after)

    asyncio.run(work())
    assert len(seen) == 1
    assert seen[0].seconds > 0.1


def test_a_loop_that_waits_for_the_gil_is_not_the_culprit() -> None:
    thread = threading.Thread(target=asyncio.run, args=(asyncio.sleep(1),))
    thread.start()
    time.sleep(0.5)
    waiting = sys._current_frames()[thread.ident or 0]
    blocked = _blocked(waiting, [sys._getframe()], 0.5)
    thread.join()
    assert blocked.culprit.startswith("another thread that keeps the GIL, one of: test_a_loop_that")


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_offload_gives_what_the_call_gives(chunk: int) -> None:
    points = shapely.points(np.arange(7), np.arange(7))
    other = shapely.points(np.zeros(7), np.zeros(7))
    got = asyncio.run(offload(shapely.distance, points, other, chunk=chunk))
    assert got.tolist() == shapely.distance(points, other).tolist()
    assert asyncio.run(offload(shapely.buffer, points, distance=1.0, chunk=chunk)).shape == (7,)


def test_offload_keeps_every_byte() -> None:
    shapes = shapely.points(np.arange(7), np.zeros(7))
    wkb = [bytes(w) for w in shapely.to_wkb(shapes)]
    assert wkb[0].endswith(b"\0")
    got = asyncio.run(offload(shapely.from_wkb, wkb, chunk=3))
    assert shapely.equals(got, shapes).all()


def test_offload_of_nothing_has_the_type_of_the_result() -> None:
    got = asyncio.run(offload(shapely.is_valid, np.empty(0, dtype=object)))
    assert (got.dtype, got.shape) == (np.dtype(bool), (0,))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((True, [1]), TypeError), ((len,), ValueError), ((np.add, [1], [1, 2]), ValueError)],
)
def test_offload_refuses(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        asyncio.run(offload(*arguments))


def test_one_task_a_chunk_and_a_stop_at_the_next_one() -> None:
    calls: list[int] = []

    def slow(part: Any) -> Any:
        calls.append(len(part))
        time.sleep(0.05)
        return part

    async def work() -> None:
        async with asyncio.timeout(0.08):
            await offload(slow, np.arange(100), chunk=10, jobs=1)

    with pytest.raises(TimeoutError):
        asyncio.run(work())
    assert len(calls) <= 3
    assert set(calls) == {10}
