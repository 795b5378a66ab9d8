"""Who held a thread up: a call, its own work, or the lack of a CPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spatial_pipeline.runtime.thread_state import ThreadState

CHILD = """
import asyncio, os, sys, time
from spatial_pipeline.runtime.event_loop import Watchdog

seen = []

async def main():
    with Watchdog(0.03, seen.append):
        print("ready", flush=True)
        end = time.monotonic() + float(sys.argv[1])
        while time.monotonic() < end:
            await asyncio.sleep(0.001)
            sum(range(1000))
        {blocking}

asyncio.run(main())
print(len(seen), *seen, sep="; ")
"""
SPIN = "while True: pass"
BLOCKS = {"sleeps": "time.sleep(0.5)", "works": "sum(range(10**7))"}


def looked_at(work: Callable[[], object], elapsed: float) -> float:
    """What is said of a thread that does this work."""
    idents: list[int] = []

    def run() -> None:
        idents.extend((threading.get_ident(), threading.get_native_id()))
        work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not idents:
        time.sleep(0.001)
    state = ThreadState(*idents)
    time.sleep(elapsed)
    return state.held(elapsed, elapsed)


def test_a_thread_that_sleeps_is_held_for_as_long() -> None:
    end = threading.Event()
    assert looked_at(end.wait, 0.1) == pytest.approx(0.1)
    end.set()


def test_a_thread_that_works_is_held_for_its_cpu_time_only() -> None:
    end = threading.Event()

    def work() -> None:
        while not end.is_set():
            sum(range(1000))

    held = looked_at(work, 0.2)
    end.set()
    assert 0 < held <= 0.4


def test_when_nobody_in_the_process_ran_the_rest_does_not_count() -> None:
    end = threading.Event()
    idents: list[int] = []

    def run() -> None:
        idents.extend((threading.get_ident(), threading.get_native_id()))
        end.wait()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not idents:
        time.sleep(0.001)
    time.sleep(0.02)
    assert ThreadState(*idents).held(60, 0.1) == pytest.approx(0.2)
    end.set()
    thread.join()


def child(seconds: float, blocking: str = "pass", *, nice: int = 0) -> subprocess.Popen[str]:
    def alone() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        os.nice(nice)

    return subprocess.Popen(
        [sys.executable, "-c", CHILD.format(blocking=blocking), str(seconds)],
        stdout=subprocess.PIPE, text=True, preexec_fn=alone,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def result(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=100)
    count, _, who = said.splitlines()[-1].partition("; ")
    return int(count), who


@pytest.mark.parametrize("block", BLOCKS)
def test_without_a_cpu_nothing_is_blocked_and_a_block_is_seen_all_the_same(block: str) -> None:
    others = [
        subprocess.Popen(
            [sys.executable, "-c", SPIN],
            preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
        )
        for _ in range(2)
    ]
    try:
        assert result(child(1.5, nice=10)) == (0, "")
        count, who = result(child(0.2, BLOCKS[block], nice=10))
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert count >= 1
    assert "main (" in who


def test_a_process_that_was_stopped_was_not_blocked() -> None:
    process = child(1.0)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for _ in range(3):
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.1)
    assert result(process) == (0, "")
