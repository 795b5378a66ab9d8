"""Workers end when the process that started them was killed."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spatial_pipeline.runtime.parent_death import STATUS, end_with_parent

PARENT = """
import multiprocessing, os, signal, sys, time
from spatial_pipeline.runtime.parent_death import end_with_parent

def work():
    for _ in range(2):
        end_with_parent()
    print(os.getpid(), flush=True)
    signal.pause()

if __name__ == "__main__":
    multiprocessing.get_context(sys.argv[1]).Process(target=work).start()
    signal.pause()
"""


@pytest.mark.parametrize("how", ["fork", "forkserver", "spawn"])
def test_a_worker_whose_parent_was_killed_ends(tmp_path: Path, how: str) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", how], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)
        parent.kill()
        # The worker holds the pipe open as long as it lives.
        assert parent.stdout.read() == ""
    until = time.monotonic() + 60
    while alive(worker) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(worker)


def alive(process: int) -> bool:
    """False once it has ended, waited for by its parent or not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _works(done: int) -> None:
    end_with_parent()
    os.write(done, b"done")


def test_a_worker_whose_work_is_done_ends_as_ever() -> None:
    read, write = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_works, args=(write,))
    process.start()
    process.join()
    assert process.exitcode == 0 != STATUS
    assert os.read(read, 4) == b"done"
    os.close(read)
    os.close(write)


def test_nothing_is_watched_in_a_process_of_its_own() -> None:
    end_with_parent()
    assert multiprocessing.parent_process() is None


def test_a_reader_ends_with_its_supervisor() -> None:
    script = (
        "import os, signal, sys\n"
        "from spatial_pipeline.runtime.parent_death import killed_with_parent\n"
        "supervisor = os.getpid()\n"
        "if os.fork() == 0:\n"
        "    killed_with_parent(supervisor)\n"
        "    print(os.getpid(), flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        supervisor.stdout.readline()
        supervisor.kill()
        assert supervisor.stdout.read() == ""
