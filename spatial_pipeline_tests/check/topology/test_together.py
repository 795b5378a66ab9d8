from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from spatial_pipeline.check.topology.together import Together


def test_results_come_in_the_order_of_the_calls():
    assert Together([lambda k=k: k * k for k in range(5)]).results() == [0, 1, 4, 9, 16]
    assert Together([]).results() == []


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

    work = Together([lambda k=k: call(k) for k in range(20)])
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: work.results(), range(2)))
    assert found == [list(range(20))] * 2
    assert len(threads) == 2
    assert set(made.values()) == {1}
    assert work.results() == list(range(20))


def test_whoever_asks_gets_the_error():
    def broken():
        raise ValueError("no")

    work = Together([lambda: 1, broken, lambda: 3])
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            work.results()


def test_an_error_wakes_those_who_wait():
    begun, waited = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert waited.wait(30)
        raise ValueError("no")

    work = Together([slow])
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(work.results)
        assert begun.wait(30)
        second = pool.submit(work.results)
        waited.set()
        for asked in (first, second):
            with pytest.raises(ValueError, match="no"):
                asked.result(30)
