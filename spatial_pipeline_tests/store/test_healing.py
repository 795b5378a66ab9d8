"""Versions that lost files or changed are found, held back, and staged again."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import GateClosedError, StoreError
from spatial_pipeline.gate.decision import merged
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.files import publish, roll_back
from spatial_pipeline.store.check_cache import remember
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.gate.test_decision import contract, results
from spatial_pipeline_tests.publish.test_files import proven
from spatial_pipeline_tests.store.test_versions import VERSION, verdict, writer


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    proven(store, "v1")
    return store


def flipped(path: Path) -> None:
    """Two bytes of a file, changed; its length and time stay."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[0] ^= 1
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def edit(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "two bytes": lambda f: flipped(f / "data.parquet"),
    "data cut": lambda f: os.truncate(f / "data.parquet", 1),
    "data gone": lambda f: (f / "data.parquet").unlink(),
    "profile gone": lambda f: (f / "profile.json").unlink(),
    "profile cut": lambda f: os.truncate(f / "profile.json", 20),
    "profile empty": lambda f: (f / "profile.json").write_text("{}"),
    "profile edited": lambda f: edit(f / "profile.json", lambda v: v.update(count=2)),
    "digest edited": lambda f: edit(f / "profile.json", lambda v: v.update(content="0")),
    "all but the verdict": lambda f: [(f / n).unlink() for n in ("data.parquet", "profile.json")],
    "emptied": lambda f: [p.unlink() for p in f.iterdir()],
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_version_is_held_and_staged_again(store: Store, how: str) -> None:
    publish(contract(), VERSION, store)
    second = proven(store, "v2")
    publish(contract(), second, store)
    DAMAGE[how](store.path(second))
    with pytest.raises((GateClosedError, StoreError)):
        publish(contract(), second, store)
    with pytest.raises((GateClosedError, StoreError)):
        roll_back(contract(), second, store)
    assert store.stage(second, writer("v2"))
    assert store.verdict(second) is None
    assert proven(store, "v2") == second
    publish(contract(), second, store)
    assert store.data_path(second).read_text() == "v2"
    assert not list(store.folder("roads", None).glob(".unfinished-*"))


@pytest.mark.parametrize("how", ["two bytes", "data cut"])
def test_bytes_that_changed_before_the_check_are_not_published(store: Store, how: str) -> None:
    version = Version("roads", None, "v2")
    store.stage(version, writer("v2"))
    DAMAGE[how](store.path(version))
    of = contract()
    store.save_verdict(
        version, lambda former: merged(of, version, former, results(of), "now"), lambda _: None
    )
    with pytest.raises(GateClosedError, match="does not match what was staged"):
        publish(of, version, store)


def test_a_partial_check_keeps_no_result_about_other_bytes(store: Store) -> None:
    # A version of an earlier release, which has no digest of what was staged.
    edit(store.path(VERSION) / "profile.json", lambda v: v.pop("content"))
    store.save_verdict(VERSION, lambda _: verdict("a"), lambda _: None)
    flipped(store.path(VERSION) / "data.parquet")
    seen: list[object] = []
    store.save_verdict(VERSION, lambda v: seen.append(v) or verdict("b"), lambda _: None)
    assert seen == [None]


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["results"][0].update(status="passed", passed=True, message=""),
        lambda v: v.update(content="0" * 64),
        lambda v: v.pop("seal"),
        lambda v: v.update(seal=None),
        lambda v: v.update(extra=1),
    ],
)
def test_an_edited_verdict_is_none(store: Store, change: Callable[[Any], None]) -> None:
    held = proven(store, "v2", not_empty=Status.FAILED)
    edit(store.path(held) / "verdict.json", change)
    assert store.verdict(held) is None
    with pytest.raises(GateClosedError, match="never checked"):
        publish(contract(), held, store)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"version": "../x"}'])
@pytest.mark.parametrize("name", ["staged.json", "fetched.json"])
def test_damaged_notes_are_written_anew(store: Store, name: str, text: str) -> None:
    store.remember(VERSION, "proof")
    file = store.folder("roads", None) / name
    good = file.read_text()
    file.write_text(text)
    assert store.remembered("roads", None, "proof") == (None if name == "fetched.json" else "v1")
    store.staging("roads", None)
    store.stage(VERSION, writer("v1"))
    store.remember(VERSION, "proof")
    assert store.remembered("roads", None, "proof") == "v1"
    assert store.staged_version("roads", None) == VERSION
    assert name == "fetched.json" or file.read_text() == good


def test_a_version_that_is_not_whole_is_fetched_again(store: Store) -> None:
    store.remember(VERSION, "proof")
    assert store.remembered("roads", None, "proof") == "v1"
    flipped(store.path(VERSION) / "data.parquet")
    assert store.remembered("roads", None, "proof") is None


def _killed(root: Path, started: Any) -> None:
    """Holds the locks of a partition with temporary files half written, until it is killed."""
    store = Store(root)
    folder = store.folder("roads", None)
    with (
        store.lock("roads", None, "stage"),
        store.lock("roads", None, "verdict"),
        store.lock("roads", None, "publish"),
        store.lock("roads", None, "accept"),
    ):
        (folder / ".unfinished-0" / ".spool-1").mkdir(parents=True)
        for name in ("staged", "fetched", "published", "accepted"):
            (folder / f".{name}.json.0.tmp").write_text("{")
        (folder / "..published.json.0.tmp").write_text("{")
        for name in (".violations.0.tmp", ".verdict.json.0.tmp"):
            (folder / "v1" / name).write_text("{")
        (folder / "v1" / "remembered").mkdir(exist_ok=True)
        (folder / "v1" / "remembered" / ".bounds.0.tmp").write_text("{")
        started.set()
        signal.pause()


def leftovers(store: Store) -> list[str]:
    found = store.root.rglob(".*")
    return sorted(p.name for p in found if p.suffix == ".tmp" or ".unfinished" in p.name)


def test_what_killed_processes_left_is_swept(store: Store) -> None:
    processes = multiprocessing.get_context("spawn")
    started = processes.Event()
    process = processes.Process(target=_killed, args=(store.root, started))
    process.start()
    started.wait()
    assert len(leftovers(store)) == 9
    process.kill()
    process.join()
    second = proven(store, "v2")
    publish(contract(), second, store)
    with store.lock("roads", None, "accept"):
        pass
    assert leftovers(store) == []


def _remembering(folder: Path, started: Any) -> None:
    class Slow:
        def __array__(self, *_: Any, **__: Any) -> Any:
            started.set()
            signal.pause()

    remember(folder, "slow", "w", {"a": Slow()})


@pytest.mark.parametrize("dies", [True, False])
def test_what_a_living_process_writes_is_left_alone(store: Store, dies: bool) -> None:
    processes = multiprocessing.get_context("spawn")
    started = processes.Event()
    process = processes.Process(target=_remembering, args=(store.path(VERSION), started))
    process.start()
    try:
        started.wait()
        assert len(leftovers(store)) == 1
        if dies:
            process.kill()
            process.join()
        proven(store, "v2")
        assert len(leftovers(store)) == (0 if dies else 1)
    finally:
        process.kill()
        process.join()


def test_a_version_folder_that_is_gone_is_staged_again(store: Store) -> None:
    publish(contract(), VERSION, store)
    shutil.rmtree(store.path(VERSION))
    with pytest.raises(StoreError, match="is gone"):
        store.staged_version("roads", None)
    assert store.stage(VERSION, writer("v1"))
    proven(store, "v1")
    assert publish(contract(), VERSION, store).version == "v1"
