"""Worker of the cage: restricts itself, stages one source, reports the outcome, and exits.

It is a fork of the server, so everything is imported. It talks to the parent in lines of JSON:
``{"progress": [done, total]}``, then ``{"profile": …}`` or ``{"raised": …}``.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from spatial_pipeline.errors import ReaderFailedError
from spatial_pipeline.ingest.cage import landlock, seccomp
from spatial_pipeline.ingest.cage.job import ReadJob
from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.runtime.json_text import json_text

_PR_SET_PDEATHSIG = 1
_PROGRESS_S = 0.1
"""Least seconds between two reports of progress."""
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share/zoneinfo",
              "/usr/share/proj", "/usr/share/gdal", "/etc/localtime", "/etc/ld.so.cache",
              "/dev/urandom", "/dev/random", "/proc/self", "/proc/cpuinfo", "/proc/meminfo",
              "/sys/devices/system/cpu", "/sys/fs/cgroup",
              "/proc/sys/vm/overcommit_memory")  # fmt: skip


def work(job: ReadJob, stream: IO[bytes]) -> None:
    """Stages the source of a job; what goes wrong is told over the stream.

    Args:
        job: source to stage.
        stream: takes the lines of JSON.

    """
    said = _quiet()
    _die_with_parent()
    folder = Path(job.folder)
    os.environ["TMPDIR"] = os.environ["CPL_TMPDIR"] = str(folder)
    tempfile.tempdir = str(folder)
    messages: list[str] = []
    try:
        missing = shut_in(job)
        if missing:
            _send(stream, {"missing": missing})
        _collect(messages)
        profile = job.staged(_reporting(stream))
        profile = _with_messages(job, profile, [*messages, *_texts(said)])
        _send(stream, {"profile": profile.to_json()})
    except BaseException as exc:  # noqa: BLE001 (the parent raises it again)
        _send(stream, {"raised": _described(exc)})


def _with_messages(job: ReadJob, profile: Profile, messages: list[str]) -> Profile:
    """The profile with what libraries said; a source of which they lost something has an error."""
    from spatial_pipeline.ingest import gdal_messages
    from spatial_pipeline.ingest.private_view import FOLDER

    view = f"{job.folder}/{FOLDER}/"
    notes = tuple(dict.fromkeys(m.replace(view, "") for m in [*profile.notes, *messages]))
    lost = gdal_messages.losses(notes)
    named = isinstance(profile, VectorProfile) and (profile.defect_count or profile.undecodable)
    if not lost or profile.error is not None or named:
        return replace(profile, notes=notes)
    for path in Path(job.folder).iterdir():
        path.unlink()
    msg = f"GDAL did not read it as it stands there: {'; '.join(lost[:5])}"
    return replace(job.failed(msg), notes=notes)


def shut_in(job: ReadJob) -> list[str]:
    """Restricts this process, for ever; says what of it the system does not offer.

    Raises:
        ReaderFailedError: something is missing that ``SPATIAL_CAGE=require`` asks for.

    """
    from spatial_pipeline.ingest.formats import drivers

    job.limits.apply()
    drivers.restrict()
    missing = []
    if job.limits.mode == "basic" or not landlock.restrict(
        [*map(Path, job.readable), *libraries()], [Path(job.folder), Path("/dev/null")]
    ):
        missing.append("Landlock")
    if not seccomp.restrict():
        missing.append("seccomp")
    if missing and job.limits.mode == "require":
        msg = (
            f"{' and '.join(missing)} cannot be used here, and SPATIAL_CAGE=require reads no "
            "foreign file without: allow it, or set SPATIAL_CAGE=auto"
        )
        raise ReaderFailedError(msg)
    return missing


def libraries() -> list[Path]:
    """Files and folders that Python, GDAL and PROJ need beside the source."""
    import pyproj.datadir

    found = [sys.prefix, sys.base_prefix, sys.exec_prefix, str(Path(__file__).parents[2])]
    found += [p for p in sys.path if p.endswith(("site-packages", "dist-packages", ".zip"))]
    found += pyproj.datadir.get_data_dir().split(os.pathsep)
    for name in ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA"):
        found += filter(None, os.environ.get(name, "").split(os.pathsep))
    return [Path(p).resolve() for p in [*found, *_LIBRARIES] if p]


def _quiet() -> int:
    """Sends standard output and errors to memory; its descriptor."""
    memory = os.memfd_create("messages") if hasattr(os, "memfd_create") else _nameless()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(memory, 1)
    os.dup2(memory, 2)
    return memory


def _nameless() -> int:
    return os.dup(tempfile.TemporaryFile().fileno())


def _die_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _collect(messages: list[str]) -> None:
    """Keeps what libraries warn of, from whatever thread."""
    from spatial_pipeline.ingest import gdal_messages

    def warned(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        if not issubclass(category, gdal_messages.ABOUT_CODE):
            gdal_messages.add(messages, str(message))

    warnings.showwarning = warned
    warnings.simplefilter("always")
    for name in ("rasterio._env", "rasterio._err"):
        logging.getLogger(name).addHandler(gdal_messages.Collector(messages))


def _texts(memory: int) -> list[str]:
    """Lines that native code wrote to standard output and errors, each once."""
    from spatial_pipeline.ingest import gdal_messages

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    size = os.fstat(memory).st_size
    text = os.pread(memory, min(size, 1 << 20), 0).decode("utf-8", "replace")
    notes: list[str] = []
    for line in text.splitlines():
        if line.strip():
            gdal_messages.add(notes, line)
    return notes


def _reporting(stream: IO[bytes]) -> Callable[[int, int | None], None]:
    last = 0.0

    def progress(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_S or done == total:
            last = now
            _send(stream, {"progress": [done, total]})

    return progress


def _described(exc: BaseException) -> dict[str, Any]:
    """An exception as JSON, its causes included where they name a system error."""
    number = getattr(exc, "errno", None)
    return {"type": type(exc).__name__, "message": str(exc), "errno": number}


def _send(stream: IO[bytes], message: dict[str, Any]) -> None:
    # The parent may have gone or hung up: the supervisor ends this process then.
    with contextlib.suppress(BrokenPipeError):
        stream.write(json_text(message, ascii_only=True).encode() + b"\n")
        stream.flush()
