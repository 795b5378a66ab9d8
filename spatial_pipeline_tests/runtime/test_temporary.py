"""Temporary folders of processes that were killed go; those of living ones stay."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.runtime.temporary import PREFIX, YOUNG_S, TemporaryFolder, temporary_folder

processes = multiprocessing.get_context("spawn")


def _holding(parent: Path, made: Any) -> None:
    with temporary_folder(parent) as folder:
        (folder / "data").write_text("half")
        made.put(folder.name)
        signal.pause()


@pytest.mark.parametrize("dies", [True, False])
def test_the_next_folder_sweeps_those_of_the_dead(tmp_path: Path, dies: bool) -> None:
    made = processes.Queue()
    process = processes.Process(target=_holding, args=(tmp_path, made))
    process.start()
    try:
        name = made.get()
        if dies:
            process.kill()
            process.join()
        with temporary_folder(tmp_path) as folder:
            assert folder.parent == tmp_path
            assert (tmp_path / name).exists() is not dies
    finally:
        process.kill()
        process.join()


def test_a_folder_goes_with_its_block_and_with_its_object(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        (folder / "x").write_text("x")
    assert not list(tmp_path.iterdir())
    kept = TemporaryFolder(tmp_path, f"{PREFIX}kept-")
    assert kept.path.name.startswith(f"{PREFIX}kept-")
    with temporary_folder(tmp_path):
        assert kept.path.is_dir()
    del kept
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".owner").touch()
    parent = tmp_path / "parent"
    for name in ("other", f"{PREFIX}full", f"{PREFIX}young", f"{PREFIX}empty"):
        (parent / name).mkdir(parents=True)
    (parent / f"{PREFIX}full" / "data").touch()
    (parent / f"{PREFIX}file").touch()
    (parent / f"{PREFIX}link").symlink_to(elsewhere)
    for name in (f"{PREFIX}full", f"{PREFIX}empty"):
        os.utime(parent / name, (0, 0))
    with temporary_folder(parent) as folder:
        left = {p.name.removeprefix(PREFIX) for p in parent.iterdir()}
        assert left - {folder.name.removeprefix(PREFIX)} == {
            "other",
            "full",
            "young",
            "file",
            "link",
        }
    assert (elsewhere / ".owner").exists()
    assert YOUNG_S > 0
