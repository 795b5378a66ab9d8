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
from importlib import import_module
from pathlib import Path
from typing import Any

from spatial_pipeline.runtime.json_text import json_text
from spatial_pipeline.runtime.parent_death import killed_with_parent
from spatial_pipeline.runtime.unused_packages import arrow_without_pandas, missing

_UNUSED = ("boto3", "geopandas", "pandas")
"""Packages that libraries try to import and that reading does without."""
_PRELOADED = (
    "spatial_pipeline.ingest.files",
    "spatial_pipeline.ingest.cage.worker",
    "spatial_pipeline.ingest.formats.drivers",
    # NumPy imports it when it first looks for unique values.
    "numpy.ma",
)
_VECTOR = ("spatial_pipeline.ingest.formats.gdal", "spatial_pipeline.ingest.formats.parquet")
_RASTER = ("spatial_pipeline.ingest.raster", "rasterio.shutil")
_KINDS = {b"v": "vector", b"r": "raster"}
_WATCH_S = 0.1
"""Seconds between two looks at the memory of a worker."""


def main(descriptor: int, kinds: str) -> None:
    """Serves until the control socket is closed by all who have it.

    Args:
        descriptor: of the control socket; a message is the first letter of a kind of data, with the
            socket of a job of that kind.
        kinds: kinds of data to be ready for, separated by commas.

    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control = socket.socket(fileno=descriptor)
    ready: set[str] = set()
    for kind in kinds.split(","):
        _prepare(kind, ready)
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not data:
            # No clean-up: libraries complain about it in a forked process.
            os._exit(0)
        if not descriptors:
            continue
        # Before the fork, and so before the worker shuts itself in.
        _prepare(_KINDS[data], ready)
        if os.fork() == 0:
            control.close()
            _leave(_supervise, descriptors[0])
        os.close(descriptors[0])


def _prepare(kind: str, ready: set[str]) -> None:
    if kind not in ready:
        ready.add(kind)
        # What is imported stays: a collection finds next to nothing of it.
        gc.disable()
        preload(kind)
        gc.freeze()
        gc.enable()


def preload(kind: str) -> None:
    """Imports what workers need for a kind of data, and nothing that they do without.

    Args:
        kind: ``vector`` or ``raster``.

    """
    with missing(*_UNUSED):
        for name in (*_PRELOADED, *(_RASTER if kind == "raster" else _VECTOR)):
            import_module(name)
    # Arrow looks for pandas once, at its first array: a worker would import it for nothing.
    arrow_without_pandas()


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
