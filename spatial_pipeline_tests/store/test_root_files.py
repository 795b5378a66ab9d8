"""Entries beside the datasets are known by name, verified, and removed when they are old."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from spatial_pipeline.runtime import heartbeat
from spatial_pipeline.store.root_files import (
    STALE_S,
    alerts_lock,
    probe_file,
    remove_stale,
    stale,
    strangers,
)
from spatial_pipeline.store.verify import verify_root
from spatial_pipeline.store.versions import Store

NOW = time.time()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store in use: a run that lives, one that died, a lock of alerts, a dataset, other data."""
    with heartbeat.beating(tmp_path, "living", interval_s=60):
        pass
    heartbeat.ages(tmp_path)
    dead = tmp_path / heartbeat.FOLDER / "dead"
    dead.touch()
    old = probe_file(tmp_path)
    old.touch()
    clock = tmp_path / heartbeat.FOLDER / heartbeat.CLOCK
    for path in (dead, old, clock):
        os.utime(path, (NOW - STALE_S - 1, NOW - STALE_S - 1))
    probe_file(tmp_path).touch()
    alerts_lock(tmp_path, "my location/1").touch()
    for name in ("roads", ".others"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_what_this_package_writes_is_known(root: Path) -> None:
    assert strangers(root) == []
    assert strangers(root / "nowhere") == []


@pytest.mark.parametrize("name", [".git/", "notes.txt", ".DS_Store", ".alerts-x", ".heartbeats-2/"])
def test_everything_else_is_a_stranger(root: Path, name: str) -> None:
    path = root / name
    path.mkdir() if name.endswith("/") else path.touch()
    assert strangers(root) == [path]
    said = [d for d in verify_root(Store(root), NOW) if str(path) in d.problem]
    assert [(d.remedy, d.harms) for d in said] == [("move it out of it", False)]


def test_old_signs_of_life_are_told_and_removed(root: Path) -> None:
    old = {p.name for p in stale(root, NOW)}
    assert "dead" in old
    assert len(old) == 2
    (defect,) = verify_root(Store(root), NOW)
    assert defect.problem == "2 signs of life of processes that ended a day ago"
    assert not defect.harms
    remove_stale(root, NOW)
    assert stale(root, NOW) == []
    assert {p.name for p in (root / heartbeat.FOLDER).iterdir()} == {"living", heartbeat.CLOCK}
    assert len(list(root.glob(".health-*"))) == 1
