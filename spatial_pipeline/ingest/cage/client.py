"""Client of the cage: sends a job to the server and receives the outcome."""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, get_args

from spatial_pipeline import errors
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.errors import ReaderFailedError
from spatial_pipeline.ingest.cage.job import ReadJob
from spatial_pipeline.model.profile import Profile, profile_from_json
from spatial_pipeline.runtime.cancellation import checkpoint, current
from spatial_pipeline.runtime.json_text import json_text

logger = logging.getLogger("spatial_pipeline")
_PASSED_ON = ("ARROW_", "CPL_", "DYLD_", "GDAL_", "LANG", "LC_", "LD_LIBRARY_PATH", "MALLOC_",
              "MKL_", "OGR_", "OMP_", "OPENBLAS_", "PATH", "PROJ_", "PYTHON", "TZ",
              "VIRTUAL_ENV")  # fmt: skip
"""Variables that a reader may know; all others could be secrets."""
_FORGOTTEN = ("GDAL_HTTP", "GDAL_PROXY", "CPL_VSIL", "PYTHONPATH", "PYTHONSTARTUP")
_MEANINGS = {
    "SIGSEGV": "a damaged or hostile file made its reader crash",
    "SIGABRT": "its reader gave up, as for lack of memory or on a failed assertion",
    "SIGXCPU": "it used more processor time than SPATIAL_CAGE_CPU_S allows",
    "SIGXFSZ": "it wrote a file larger than SPATIAL_CAGE_FILE_BYTES allows",
    "SIGKILL": "the system or a person killed it, as when memory runs out",
}
_ENDING_S = 30.0
"""Longest wait for a worker that was killed to end."""
Progress = Callable[[int, int | None], None]


class Server:
    """The process that forks workers; shared by this process and its forks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._told: set[str] = set()

    def start(self, *kinds: Kind) -> None:
        """Starts the server unless it runs; returns before it is ready.

        Args:
            kinds: kinds of data that it will read, whose libraries it imports meanwhile; all unless
                given. Others are imported when they are asked for.

        """
        with self._lock:
            self._started(*(kinds or get_args(Kind)))

    def connect(self, kind: Kind) -> socket.socket:
        """A connection to a new supervisor; the server is started again when it died.

        Args:
            kind: kind of dataset that its worker reads.

        """
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            for attempt in range(2):
                control = self._started(kind)
                try:
                    socket.send_fds(control, [kind[:1].encode()], [theirs.fileno()])
                    return ours
                except OSError:
                    self._forget()
                    if attempt:
                        ours.close()
                        raise
        return ours

    def stop(self) -> None:
        """Lets the server end; the next connection starts another."""
        with self._lock:
            self._forget()

    def say_once(self, missing: list[str]) -> None:
        """Logs once what the system does not offer."""
        for name in missing:
            if name not in self._told:
                self._told.add(name)
                logger.warning(
                    "foreign files are read in a child process without %s: not offered here, "
                    "or switched off by SPATIAL_CAGE=basic",
                    name,
                )

    def _started(self, *kinds: Kind) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                    [
                        sys.executable,
                        "-P",
                        "-c",
                        _BOOT,
                        str(theirs.fileno()),
                        ",".join(kinds),
                        *_paths(),
                    ],
                    pass_fds=[theirs.fileno()],
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    cwd="/",
                )
            self._control, self._owner = ours, os.getpid()
        return self._control

    def _forget(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None and self._owner == os.getpid():
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None


_BOOT = (
    "import sys; sys.path[:0] = sys.argv[3:]; "
    "from spatial_pipeline.ingest.cage.server import main; main(int(sys.argv[1]), sys.argv[2])"
)


def _paths() -> list[str]:
    """Folders of this process's packages, for one that starts without our environment."""
    own = str(Path(__file__).resolve().parents[3])
    return [own, *(str(Path(p).resolve()) for p in sys.path if p and Path(p).is_absolute())]


def _environment() -> dict[str, str]:
    passed = {
        k: v
        for k, v in os.environ.items()
        if k.startswith(_PASSED_ON) and not k.startswith(_FORGOTTEN)
    }
    return passed | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PROJ_NETWORK": "OFF",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


SERVER = Server()
start = SERVER.start
atexit.register(SERVER.stop)
# A fork may have been made while another thread held the lock.
os.register_at_fork(after_in_child=lambda: setattr(SERVER, "_lock", threading.Lock()))


def stage(job: ReadJob, progress: Progress | None = None) -> Profile:
    """Stages a source in the cage.

    Args:
        job: the source, and the folder that takes the staged files.
        progress: called with what is done and the total, None when unknown; ends the work by
            raising.

    Raises:
        ReaderFailedError: the worker died, was killed for its use of memory or time, or the cage
            that ``SPATIAL_CAGE=require`` asks for cannot be built.
        GivenUpError: the work was cancelled.
        OSError: the folder cannot be written.
        StoreError: staged data are not those that were read.

    """
    with SERVER.connect(job.kind) as peer, _cancellable(peer):
        stream = peer.makefile("rwb")
        with stream:
            try:
                return _conversation(job, stream, progress)
            finally:
                _ended(peer)


@contextmanager
def _cancellable(peer: socket.socket) -> Iterator[None]:
    """Within the block, cancelling the work of this thread hangs up, which ends the worker."""
    with current().calling(partial(_hang_up, peer)):
        yield


def _hang_up(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_WR)


def _ended(peer: socket.socket) -> None:
    """Waits until the worker, which may still write into the folder, has ended."""
    _hang_up(peer)
    peer.settimeout(_ENDING_S)
    with contextlib.suppress(OSError):
        while peer.recv(1 << 16):
            pass


def _conversation(job: ReadJob, stream: Any, progress: Progress | None) -> Profile:
    profile: Profile | None = None
    ended: dict[str, Any] = {"signal": None, "reason": "lost"}
    try:
        stream.write(json_text(job.to_json(), ascii_only=True).encode() + b"\n")
        stream.flush()
        for line in stream:
            message = json.loads(line)
            if "progress" in message:
                if progress is not None:
                    progress(*message["progress"])
            elif "missing" in message:
                SERVER.say_once(message["missing"])
            elif "raised" in message:
                _raise(message["raised"])
            elif "profile" in message:
                profile = profile_from_json(message["profile"])
            elif "ended" in message:
                ended = message["ended"]
    except (BrokenPipeError, ConnectionResetError):
        pass
    checkpoint()
    if profile is None:
        raise ReaderFailedError(_reason(job, ended))
    return profile


def _raise(raised: dict[str, Any]) -> None:
    """Raises again what a worker raised."""
    kind, message = raised["type"], raised["message"]
    if raised["errno"] in (errno.EACCES, errno.EPERM):
        msg = f"its reader was refused what it asked for: {message}"
        raise ReaderFailedError(msg)
    if raised["errno"] is not None:
        raise OSError(raised["errno"], os.strerror(raised["errno"]))
    if kind == "MemoryError":
        msg = "its reader needs more memory than there is"
        raise ReaderFailedError(msg)
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, errors.SpatialPipelineError):
        raise known(message)
    msg = f"its reader failed: {kind}: {message}"
    raise ReaderFailedError(msg)


def _reason(job: ReadJob, ended: dict[str, Any]) -> str:
    """Why a worker ended without a profile."""
    limits = job.limits
    if ended["reason"] == "memory":
        return (
            f"its reader used more than {limits.memory >> 20} MiB of memory (SPATIAL_CAGE_MEMORY) "
            "and was stopped"
        )
    if ended["reason"] == "time":
        return f"its reader did not end within {limits.wall_s:g} s (SPATIAL_CAGE_WALL_S)"
    if ended["signal"] is None:
        return "its reader ended without an answer"
    name = signal.Signals(ended["signal"]).name
    meaning = _MEANINGS.get(name)
    return f"its reader died of {name}" + (f": {meaning}" if meaning else "")


__all__ = ["SERVER", "stage", "start"]
