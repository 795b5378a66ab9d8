"""Server of the cage: imports everything once, then forks a supervised worker per source.

It has one thread and opens no foreign file, so its forks are safe and cheap. It ends when the last
process that can ask it has gone.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from spatial_pipeline.runtime.json_text import json_text
from spatial_pipeline.runtime.parent_death import killed_with_parent

_UNUSED = ("boto3", "geopandas", "pandas")
"""Packages that libraries try to import and that reading does without."""
_PRELOADED = (
    "spatial_pipeline.ingest.files",
    "spatial_pipeline.ingest.cage.worker",
    "spatial_pipeline.ingest.formats.gdal",
    "spatial_pipeline.ingest.formats.parquet",
    "spatial_pipeline.ingest.formats.drivers",
    "rasterio.shutil",
    # NumPy imports it when it first looks for unique values.
    "numpy.ma",
)
PRELOADED_FOR = {b"v": (), b"r": ("spatial_pipeline.ingest.raster",)}
"""What is imported before the first worker of a kind, by its initial."""
_WATCH_S = 0.1
"""Seconds between two looks at the memory of a worker."""


def main(descriptor: int) -> None:
    """Serves until the control socket is closed by all who have it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control = socket.socket(fileno=descriptor)
    preload()
    _frozen()
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not data:
            # No clean-up: libraries complain about it in a forked process.
            os._exit(0)
        if not descriptors:
            continue
        wanted = [n for n in PRELOADED_FOR[data] if n not in sys.modules]
        if wanted:
            preload(*wanted)
            _frozen()
        if os.fork() == 0:
            control.close()
            _leave(_supervise, descriptors[0])
        os.close(descriptors[0])


def _frozen() -> None:
    """Keeps the collector from touching, and so copying, the memory that forks share."""
    gc.collect()
    gc.freeze()


def preload(*names: str) -> None:
    """Imports what workers need, and nothing that they do without.

    Args:
        names: modules; those that every worker needs unless given.

    """
    with _unused_missing():
        for name in names or _PRELOADED:
            import_module(name)
        # Arrow looks for pandas once, at its first array: a worker would import it for nothing.
        import_module("pyarrow").array([None])


@contextlib.contextmanager
def _unused_missing() -> Iterator[None]:
    """Within the block, packages that reading does without cannot be imported."""
    finder = _Missing()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Missing:
    """Finds no package of ``_UNUSED``, and lets no other finder look for it."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname in _UNUSED:
            msg = f"{fullname} is not imported by readers"
            raise ModuleNotFoundError(msg, name=fullname)


def _leave(function: Any, *args: Any) -> None:
    """Runs a function in a fork and ends the fork, whatever happens."""
    try:
        function(*args)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(0)


def _supervise(descriptor: int) -> None:
    """Starts the worker of one job and tells how it ended."""
    from spatial_pipeline.ingest.cage.job import ReadJob

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    peer = socket.socket(fileno=descriptor)
    stream = peer.makefile("rwb")
    job = ReadJob.from_json(json.loads(stream.readline()))
    supervisor = os.getpid()
    worker = os.fork()
    if worker == 0:
        from spatial_pipeline.ingest.cage.worker import work

        killed_with_parent(supervisor)
        _leave(work, job, stream)
    reason = _watch(worker, peer, job.limits.memory, job.limits.wall_s)
    _, status = os.waitpid(worker, 0)
    ended = {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None, "reason": reason}
    _tell(stream, {"ended": ended})


def _watch(worker: int, peer: socket.socket, memory: int, wall_s: float) -> str | None:
    """Waits for a worker to end; kills it when it must, and says why."""
    deadline = time.monotonic() + wall_s
    poll = select.poll()
    poll.register(peer, getattr(select, "POLLRDHUP", select.POLLHUP))
    handle = os.pidfd_open(worker) if hasattr(os, "pidfd_open") else None
    if handle is not None:
        poll.register(handle, select.POLLIN)
    wait_ms = int(1000 * (_WATCH_S if handle is not None else 0.02))
    reason = None
    while os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        ready = {f for f, _ in poll.poll(wait_ms)}
        if peer.fileno() in ready:
            reason = "abandoned"
        elif _resident(worker) > memory:
            reason = "memory"
        elif time.monotonic() > deadline:
            reason = "time"
        if reason is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            break
    return reason


def _resident(process: int) -> int:
    """Bytes of memory of a process that no file backs; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")


def _tell(stream: Any, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        stream.write(json_text(message, ascii_only=True).encode() + b"\n")
        stream.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
