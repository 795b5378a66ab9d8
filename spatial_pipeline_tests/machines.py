"""A Dask scheduler with workers, each a process of its own that a test may kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

START_S = 60.0
ENVIRONMENT = {"DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "false", "OMP_NUM_THREADS": "1"}


@dataclass
class Machines:
    """What runs, and where."""

    folder: Path
    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def hire(self, count: int = 1, threads: int = 1, **environment: str) -> None:
        """Starts workers without a nanny: one that is killed stays dead."""
        for _ in range(count):
            arguments = (self.address, "--nthreads", str(threads), "--no-nanny",
                         "--local-directory", str(self.folder))  # fmt: skip
            self.workers.append(_started(self.folder, "worker", *arguments, **environment))

    def kill(self, index: int = 0) -> None:
        """Kills a worker without a word of farewell."""
        worker = self.workers.pop(index)
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def keep(self, count: int) -> None:
        """Has so many workers that live, of one thread each."""
        alive = [w for w in self.workers if w.poll() is None]
        for worker in alive[count:]:
            worker.kill()
            worker.wait()
        self.workers = alive[:count]
        self.hire(count - len(self.workers))

    def dismiss(self) -> None:
        """Ends all workers."""
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.workers.clear()


@contextlib.contextmanager
def machines(folder: Path, workers: int = 0, threads: int = 1) -> Iterator[Machines]:
    """A scheduler on a free port of the loopback interface."""
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / "scheduler.json"
    arguments = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(told))
    process = _started(folder, "scheduler", *arguments)
    try:
        running = Machines(folder, _address(told, process), process)
        try:
            running.hire(workers, threads)
            yield running
        finally:
            running.dismiss()
    finally:
        process.kill()
        process.wait()


def _started(
    folder: Path, what: str, *arguments: str, **environment: str
) -> subprocess.Popen[bytes]:
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *arguments],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **ENVIRONMENT, **environment},
        )


def _address(told: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(told.read_text())["address"])
        time.sleep(0.05)
    raise AssertionError((told.parent / "log.txt").read_text())
