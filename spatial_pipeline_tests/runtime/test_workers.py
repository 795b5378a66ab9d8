from __future__ import annotations

import asyncio
import threading
import time

import pytest

from spatial_pipeline.runtime.cancellation import current
from spatial_pipeline.runtime.workers import Workers, ask_for_help


def test_no_more_calls_at_once_than_the_limit() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def call() -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1
        return threading.get_ident()

    async def main() -> set[int]:
        async with Workers(2) as workers:
            done = await asyncio.gather(*(workers.run(call) for _ in range(20)))
        return {ident for ident, _ in done}

    threads = asyncio.run(main())
    assert most == 2
    assert len(threads) <= 2


def test_a_hung_call_times_out_and_its_thread_is_replaced() -> None:
    release = threading.Event()

    async def main() -> list[int]:
        async with Workers(1) as workers:
            with pytest.raises(TimeoutError):
                await workers.run(release.wait, 0.05)
            return [(await workers.run(lambda i=i: i))[0] for i in range(3)]

    assert asyncio.run(main()) == [0, 1, 2]
    release.set()


def test_a_hung_call_may_outlive_the_loop() -> None:
    release = threading.Event()

    async def main() -> None:
        async with Workers(1) as workers:
            with pytest.raises(TimeoutError):
                await workers.run(release.wait, 0.02)

    asyncio.run(main())
    release.set()
    time.sleep(0.05)


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration(3)])
def test_what_a_call_raises_reaches_the_caller(error: Exception) -> None:
    def call() -> None:
        raise error

    async def main() -> None:
        async with Workers(1) as workers:
            await workers.run(call)

    with pytest.raises((ValueError, RuntimeError)):
        asyncio.run(main())


def test_at_least_one_thread() -> None:
    async def main() -> None:
        Workers(0)

    with pytest.raises(ValueError, match="at least one"):
        asyncio.run(main())


def names() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "spatial-check"]


def test_no_thread_outlives_the_context() -> None:
    async def main() -> list[str]:
        async with Workers(3) as workers:
            await asyncio.gather(*(workers.run(lambda: time.sleep(0.01)) for _ in range(9)))
            assert len(names()) == 3
        return names()

    assert asyncio.run(main()) == []


def test_a_cancelled_call_is_waited_for_when_the_context_ends() -> None:
    begun, ended = threading.Event(), []

    def call() -> None:
        begun.set()
        time.sleep(0.1)
        ended.append(True)

    async def main() -> None:
        async with Workers(1) as workers:
            await workers.run(call)

    async def cancelled() -> list[str]:
        task = asyncio.create_task(main())
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]
        return names()

    assert asyncio.run(cancelled()) == []


def test_patience_with_a_cancelled_call_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("spatial_pipeline.runtime.workers.GRACE", 0.05)
    begun, release = threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        release.wait()

    async def main() -> None:
        async with Workers(1) as workers:
            task = asyncio.create_task(workers.run(call))
            await asyncio.to_thread(begun.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    release.set()
    assert "still works in a thread" in caplog.text


@pytest.mark.parametrize("how", ["time-out", "cancelled"])
def test_a_call_that_nobody_waits_for_hears_of_it(how: str) -> None:
    begun, heard = threading.Event(), threading.Event()

    def call() -> None:
        with current().calling(heard.set):
            begun.set()
            heard.wait(30)

    async def main() -> None:
        async with Workers(1) as workers:
            limit = 0.05 if how == "time-out" else None
            task = asyncio.create_task(workers.run(call, limit))
            assert await asyncio.to_thread(begun.wait, 30)
            assert not heard.is_set() or how == "time-out"
            if how == "cancelled":
                task.cancel()
            await asyncio.wait([task])
            assert heard.is_set()
            assert (await workers.run(lambda: current().raised))[0] is False

    asyncio.run(main())


def test_an_idle_thread_helps() -> None:
    both = threading.Barrier(2, timeout=30)
    helpers: list[int] = []

    def helping() -> None:
        helpers.append(threading.get_ident())
        both.wait()

    def call() -> int:
        ask_for_help(helping)
        both.wait()
        return threading.get_ident()

    async def main() -> None:
        async with Workers(2) as workers:
            mine, _ = await workers.run(call)
            assert len(helpers) == 1
            assert helpers[0] != mine
        assert names() == []

    asyncio.run(main())


def test_nobody_helps_where_all_have_work() -> None:
    asked, helped = threading.Event(), []

    def call() -> None:
        ask_for_help(lambda: helped.append(True))
        asked.set()
        time.sleep(0.02)

    async def main() -> None:
        async with Workers(1) as workers:
            await asyncio.gather(workers.run(call), workers.run(lambda: None))
            await asyncio.sleep(0.01)

    asyncio.run(main())
    assert asked.is_set()
    assert helped == []
    ask_for_help(lambda: helped.append(True))
    assert helped == []


def test_a_helper_ends_with_the_context_whatever_comes_of_it() -> None:
    begun = threading.Event()
    raised: list[bool] = []

    def helping() -> None:
        heard = threading.Event()
        with current().calling(heard.set):
            begun.set()
            heard.wait(30)
        raised.append(current().raised)
        msg = "nobody hears of it"
        raise ValueError(msg)

    def call() -> None:
        ask_for_help(helping)
        assert begun.wait(30)

    async def main() -> None:
        async with Workers(2) as workers:
            await workers.run(call)
        assert raised == [True]
        assert names() == []

    asyncio.run(main())


def test_help_that_comes_too_late_is_not_wanted() -> None:
    async def main() -> list[bool]:
        helped: list[bool] = []
        async with Workers(2) as workers:
            await workers.run(lambda: None)
        workers.lend(lambda: helped.append(True))
        await asyncio.sleep(0.01)
        assert names() == []
        return helped

    assert asyncio.run(main()) == []


def test_the_thread_of_a_call_beside_one_that_failed_ends_too() -> None:
    release = threading.Event()

    def fails() -> None:
        msg = "it fails"
        raise ValueError(msg)

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.2, release.set)
        async with Workers(2) as workers:
            await asyncio.gather(workers.run(release.wait), workers.run(fails))

    with pytest.raises(ValueError, match="it fails"):
        asyncio.run(main())
    assert [t for t in threading.enumerate() if t.name == "spatial-check"] == []
