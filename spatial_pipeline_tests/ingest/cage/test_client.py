"""Readers that die, hang or eat: the dataset is held with that reason, all others go on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.source import Source
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import GivenUpError, ReaderFailedError
from spatial_pipeline.ingest import CageLimits, ingest
from spatial_pipeline.ingest.cage import client, landlock, seccomp, worker
from spatial_pipeline.ingest.cage.client import SERVER
from spatial_pipeline.ingest.cage.job import ReadJob
from spatial_pipeline.ingest.formats import drivers
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.pipeline.batch_check import check_all
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.runtime.cancellation import Cancellation, obeying
from spatial_pipeline.sources.local import resolve
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.ingest.cage.hostile import VECTORS


def sound(folder: Path, name: str = "a.csv", rows: int = 3) -> Path:
    path = folder / name
    path.write_text("id,x,y\n" + "".join(f"{i},{i},{i}\n" for i in range(rows)))
    return path


def error_of(path: Path, folder: Path, **limits: Any) -> str:
    target = folder / "staged"
    target.mkdir(parents=True)
    source = Source(uri=str(path))
    profile = ingest("vector", source, None, folder, target, cage=CageLimits(**limits))
    assert profile.error is not None
    return profile.error


def readers_of(path: Path) -> list[int]:
    """Other processes that have a file open."""
    found, own = [], str(os.getpid())
    for reader in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if reader.name != own and path in {f.readlink() for f in (reader / "fd").iterdir()}:
                found.append(int(reader.name))
    return found


@contextmanager
def crashing(path: Path) -> Iterator[None]:
    """Within the block, another process that has a file open gets the signal of a crash."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            for reader in readers_of(path):
                with suppress(OSError):
                    os.kill(reader, signal.SIGSEGV)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def test_one_that_crashes(tmp_path: Path) -> None:
    path = sound(tmp_path, rows=300_000)
    target = tmp_path / "s"
    target.mkdir()
    job = ReadJob("vector", resolve(str(path), tmp_path), ReadOptions(), str(target), CageLimits())
    with crashing(path), pytest.raises(ReaderFailedError, match=r"SIGSEGV.*reader crash"):
        client.stage(job)


def test_one_that_would_crash_its_reader_is_named(tmp_path: Path) -> None:
    path = VECTORS["deeply nested WKB"](tmp_path, tmp_path, "")
    target = tmp_path / "s"
    target.mkdir()
    profile = ingest("vector", Source(uri=str(path)), None, tmp_path, target)
    assert isinstance(profile, VectorProfile)
    assert profile.undecodable == (0,)


def test_one_that_needs_too_much_memory(tmp_path: Path) -> None:
    error = error_of(sound(tmp_path, rows=300_000), tmp_path / "s", memory=1 << 20)
    assert "used more than 1 MiB of memory (SPATIAL_CAGE_MEMORY)" in error


def test_one_that_takes_too_long(tmp_path: Path) -> None:
    error = error_of(sound(tmp_path, rows=300_000), tmp_path / "s", wall_s=0.01)
    assert "did not end within 0.01 s (SPATIAL_CAGE_WALL_S)" in error


def test_one_that_writes_too_much(tmp_path: Path) -> None:
    path = sound(tmp_path, rows=300_000)
    target = tmp_path / "s"
    target.mkdir()
    limits = CageLimits(file_bytes=1000)
    job = ReadJob("vector", resolve(str(path), tmp_path), ReadOptions(), str(target), limits)
    with pytest.raises((OSError, ReaderFailedError), match=r"File too large|SIGXFSZ"):
        client.stage(job)


def test_one_that_is_cancelled(tmp_path: Path) -> None:
    path = sound(tmp_path, rows=500_000)
    cancellation = Cancellation()
    threading.Timer(0.3, cancellation.cancel).start()
    target = tmp_path / "s"
    target.mkdir()
    job = ReadJob("vector", resolve(str(path), tmp_path), ReadOptions(), str(target), CageLimits())
    began = time.monotonic()
    with obeying(cancellation), pytest.raises(GivenUpError):
        client.stage(job)
    assert time.monotonic() - began < 30
    assert readers_of(path) == []


def test_one_whose_progress_is_not_wanted(tmp_path: Path) -> None:
    path = sound(tmp_path, rows=500_000)
    target = tmp_path / "s"
    target.mkdir()

    def enough(*_: object) -> None:
        raise KeyboardInterrupt

    job = ReadJob("vector", resolve(str(path), tmp_path), ReadOptions(), str(target), CageLimits())
    with pytest.raises(KeyboardInterrupt):
        client.stage(job, enough)
    assert readers_of(path) == []


def test_a_server_that_was_killed_is_started_again(tmp_path: Path) -> None:
    path = sound(tmp_path)
    for run in ("a", "b"):
        target = tmp_path / run
        target.mkdir()
        job = ReadJob(
            "vector", resolve(str(path), tmp_path), ReadOptions(), str(target), CageLimits()
        )
        assert client.stage(job).error is None
        process = SERVER._process
        if run == "a" and process is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()


def test_without_landlock_nothing_is_read_where_it_is_required(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    source = resolve(str(sound(tmp_path)), tmp_path)
    job = ReadJob("vector", source, ReadOptions(), str(tmp_path / "s"), CageLimits(mode="require"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landlock, "restrict", lambda *_: False)
        patch.setattr(seccomp, "restrict", lambda: True)
        patch.setattr(drivers, "restrict", lambda: None)
        patch.setattr(CageLimits, "apply", lambda _: None)
        with pytest.raises(ReaderFailedError, match="Landlock cannot be used here"):
            worker.shut_in(job)


def test_twenty_others_finish(tmp_path: Path) -> None:
    contracts = [
        VectorContract(name=f"d{i}", source=Source(uri=str(sound(tmp_path, f"{i}.csv"))))
        for i in range(20)
    ]
    bad = sound(tmp_path, "bad.csv", rows=300_000)
    contracts.insert(7, VectorContract(name="bad", source=Source(uri=str(bad))))
    pipeline = Pipeline({c.name: c for c in contracts}, Store(tmp_path / "store"))
    with crashing(bad):
        checked = asyncio.run(check_all(pipeline, [(c, None) for c in contracts], None))
    assert [c.dataset for c in checked if not c.passed] == ["bad"]
    (readable,) = [r for r in checked[7].results if r.name == "readable"]
    assert readable.status is Status.FAILED
    assert "SIGSEGV" in readable.message


def test_the_next_run_tries_again(tmp_path: Path) -> None:
    contract = VectorContract(name="d", source=Source(uri=str(sound(tmp_path, rows=300_000))))
    store = Store(tmp_path / "store")
    hurried = Pipeline({"d": contract}, store, cage=CageLimits(wall_s=0.01))
    failed = hurried.stage(contract)
    assert "SPATIAL_CAGE_WALL_S" in str(store.profile(failed).error)
    again = Pipeline({"d": contract}, store).stage(contract)
    assert again != failed
    assert store.profile(again).error is None


def test_sockets_and_programs_are_refused() -> None:
    script = (
        "import os, socket\n"
        "from spatial_pipeline.ingest.cage import seccomp\n"
        "assert seccomp.restrict()\n"
        "for call in (lambda: socket.socket(), lambda: os.execv('/bin/true', ['true'])):\n"
        "    try:\n        call()\n    except PermissionError:\n        print('refused')\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout.split() == ["refused", "refused"], told.stderr
