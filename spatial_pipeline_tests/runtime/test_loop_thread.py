from __future__ import annotations

import asyncio
import threading

import pytest

from spatial_pipeline.runtime.loop_thread import PrivateLoop, awaited


async def _answer() -> tuple[int, int]:
    await asyncio.sleep(0)
    return 42, threading.get_ident()


def test_runs_in_a_thread_of_its_own() -> None:
    with PrivateLoop() as loop:
        value, thread = loop.run(_answer())
        assert value == 42
        assert thread != threading.get_ident()
        assert loop.run(_answer())[1] == thread


@pytest.mark.asyncio
async def test_runs_where_a_loop_is_running_already() -> None:
    with PrivateLoop() as loop:
        assert loop.run(_answer())[0] == 42


def test_passes_errors_on_and_goes_on() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with PrivateLoop() as loop:
        with pytest.raises(ValueError, match="no"):
            loop.run(fail())
        assert loop.run(_answer())[0] == 42


def test_cancels_what_is_left_and_leaves_no_thread() -> None:
    ended = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    before = threading.active_count()
    with PrivateLoop() as loop:
        coming = loop.start(wait())
        loop.run(_answer())
    assert ended.is_set()
    assert coming.cancelled()
    assert threading.active_count() == before


def test_cancels_the_work_when_the_wait_is_interrupted() -> None:
    cancelled = threading.Event()

    class Interrupted:
        def __init__(self, future: object) -> None:
            self.future = future

        def result(self) -> None:
            raise KeyboardInterrupt

        def cancel(self) -> None:
            cancelled.set()

    with pytest.raises(KeyboardInterrupt):
        awaited(Interrupted(None))  # type: ignore[arg-type]
    assert cancelled.is_set()
