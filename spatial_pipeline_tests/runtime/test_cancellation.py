from __future__ import annotations

import asyncio
import threading

import pytest

from spatial_pipeline.errors import GivenUpError
from spatial_pipeline.runtime.cancellation import (
    Cancellation,
    between,
    checkpoint,
    current,
    in_thread,
    obeying,
)


def test_what_is_to_happen_happens_once_and_only_within_the_block() -> None:
    calls: list[str] = []
    flag = Cancellation()
    with flag.calling(lambda: calls.append("early")):
        pass
    with flag.calling(lambda: calls.append("within")):
        flag.cancel()
        flag.cancel()
    with flag.calling(lambda: calls.append("late")):
        pass
    assert calls == ["within", "late"]
    assert flag.raised


def test_a_checkpoint_ends_only_the_work_whose_flag_is_raised() -> None:
    flag = Cancellation()
    flag.cancel()
    checkpoint()
    with obeying(flag):
        with pytest.raises(GivenUpError):
            checkpoint()
        with obeying(Cancellation()):
            checkpoint()
    checkpoint()
    assert not current().raised


def test_progress_is_a_checkpoint_in_every_thread() -> None:
    seen: list[tuple[int, int]] = []
    flag = Cancellation()
    with obeying(flag):
        tell = between(lambda done, total: seen.append((done, total)))
        silent = between(None)
    tell(1, 2)
    silent(1, 2)
    flag.cancel()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            tell(2, 2)
        except GivenUpError as exc:
            raised.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(1, 2)]
    assert len(raised) == 1
    with pytest.raises(GivenUpError):
        silent(2, 2)


def test_a_cancelled_task_is_heard_of_in_its_thread() -> None:
    begun, heard = threading.Event(), threading.Event()

    def work() -> bool:
        with current().calling(heard.set):
            begun.set()
            return heard.wait(30)

    async def main() -> None:
        task = asyncio.create_task(in_thread(work))
        assert await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())
    assert heard.is_set()


def test_what_the_thread_returns_and_raises_arrives() -> None:
    assert asyncio.run(in_thread(divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(divmod, 7, 0))
