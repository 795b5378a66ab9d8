from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from spatial_pipeline.runtime.shared_work import SharedWork
from spatial_pipeline.runtime.workers import Workers


def test_results_come_in_the_order_of_the_calls():
    assert SharedWork([lambda k=k: k * k for k in range(5)]).results() == [0, 1, 4, 9, 16]
    assert SharedWork([]).results() == []


def test_calls_are_made_once_and_shared_by_the_threads_that_ask():
    both = threading.Barrier(2, timeout=30)
    made: Counter[int] = Counter()
    threads = set()

    def call(k):
        made[k] += 1
        threads.add(threading.get_ident())
        if k < 2:
            both.wait()
        return k

    work = SharedWork([lambda k=k: call(k) for k in range(20)])
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: work.results(), range(2)))
    assert found == [list(range(20))] * 2
    assert len(threads) == 2
    assert set(made.values()) == {1}
    assert work.results() == list(range(20))


def test_whoever_asks_gets_the_error():
    def broken():
        raise ValueError("no")

    work = SharedWork([lambda: 1, broken, lambda: 3])
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            work.results()


def test_an_error_wakes_those_who_wait():
    begun, waited = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert waited.wait(30)
        raise ValueError("no")

    work = SharedWork([slow])
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(work.results)
        assert begun.wait(30)
        second = pool.submit(work.results)
        waited.set()
        for asked in (first, second):
            with pytest.raises(ValueError, match="no"):
                asked.result(30)


def test_a_thread_that_is_idle_takes_calls():
    both = threading.Barrier(2, timeout=30)
    threads = set()

    def call(k):
        threads.add(threading.get_ident())
        if k < 2:
            both.wait()
        return k

    async def main():
        async with Workers(2) as workers:
            return await workers.run(SharedWork([lambda k=k: call(k) for k in range(9)]).results)

    found, _ = asyncio.run(main())
    assert found == list(range(9))
    assert len(threads) == 2


def test_the_error_of_a_helper_reaches_whoever_asks():
    helped = threading.Event()
    asker = []

    def call(k):
        if not asker:
            asker.append(threading.get_ident())
            assert helped.wait(30)
        elif threading.get_ident() != asker[0]:
            helped.set()
            raise ValueError("no")
        return k

    async def main():
        async with Workers(2) as workers:
            with pytest.raises(ValueError, match="no"):
                await workers.run(SharedWork([lambda k=k: call(k) for k in range(9)]).results)

    asyncio.run(main())


def test_a_helper_stops_when_the_check_is_over():
    begun, go_on = threading.Event(), threading.Event()
    made = []

    def call(k):
        made.append(k)
        if k == 0:
            assert begun.wait(30)
            raise ValueError("no")
        begun.set()
        assert go_on.wait(30)
        return k

    async def main():
        async with Workers(2) as workers:
            asyncio.get_running_loop().call_later(0.1, go_on.set)
            with pytest.raises(ValueError, match="no"):
                await workers.run(SharedWork([lambda k=k: call(k) for k in range(50)]).results)

    asyncio.run(main())
    assert sorted(made) == [0, 1]
