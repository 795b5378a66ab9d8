"""Verification finds every kind of damage, says what to do, and changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.publish.files import publish
from spatial_pipeline.store.verify import Defect, partitions, verify
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.gate.test_decision import contract
from spatial_pipeline_tests.publish.test_files import proven
from spatial_pipeline_tests.store.test_healing import DAMAGE, edit


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    for name in ("v1", "v2"):
        publish(contract(), proven(store, name), store)
    proven(store, "v3", not_empty=Status.FAILED)
    return store


def found(store: Store) -> list[Defect]:
    before = {str(p): p.stat().st_mtime_ns for p in store.root.rglob("*")}
    defects = [d for place in partitions(store) for d in verify(store, *place)]
    assert {str(p): p.stat().st_mtime_ns for p in store.root.rglob("*")} == before
    assert all(d.remedy and d.problem and str(d.title).startswith("roads") for d in defects)
    return defects


def test_a_sound_store_has_no_defects(store: Store) -> None:
    assert found(store) == []


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", ["v1", "v2"])
def test_a_damaged_version_is_named(store: Store, how: str, name: str) -> None:
    DAMAGE[how](store.folder("roads", None) / name)
    defects = found(store)
    assert {d.version for d in defects if d.harms} == {name}
    # Only a backup brings back what readers see at once.
    assert ("restore" in defects[0].remedy) == (name == "v2")


OTHER: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "pointer empty": (lambda f: (f / "published.json").write_text(""), "published.json is damaged",
                      True),
    "pointer gone": (lambda f: (f / "published.json").unlink(), "its copy is read", True),
    "copy damaged": (lambda f: (f / ".published.json").write_text("["), "damaged", True),
    "pointer leads nowhere": (lambda f: edit(f / "published.json", lambda v: v.update(version="x")),
                              "names this version, and it is gone", True),
    "staged gone": (lambda f: (f / "staged.json").unlink(), "staged.json is missing", True),
    "staged hostile": (lambda f: (f / "staged.json").write_text('{"version": "../.."}'),
                       "staged.json is damaged", True),
    "staged leads nowhere": (lambda f: (f / "staged.json").write_text('{"version": "v9"}'),
                             "and it is gone", True),
    "verdict edited": (lambda f: edit(f / "v2/verdict.json", lambda v: v.update(contract_hash="1")),
                       "counts as never checked", True),
    "verdict of long ago": (lambda f: edit(f / "v2/verdict.json", lambda v: v.pop("seal")),
                            "by an earlier release", True),
    "verdict cut": (lambda f: os.truncate(f / "v3/verdict.json", 9), "never checked", True),
    "verdict gone": (lambda f: (f / "v2/verdict.json").unlink(), "has no verdict", True),
    "acceptances damaged": (lambda f: (f / "accepted.json").write_text("{"), "accepted.json",
                            True),
    "proofs damaged": (lambda f: (f / "fetched.json").write_text("3"), "fetched.json", False),
    "leftovers": (lambda f: (f / ".unfinished-1").mkdir(), "leftovers of killed", False),
    "put aside": (lambda f: (f / "published.json.damaged").write_text(""), "put aside", False),
    "a stranger": (lambda f: (f / "my copy").mkdir(), "is not a version", False),
}  # fmt: skip


@pytest.mark.parametrize("how", OTHER)
def test_other_damage_is_named(store: Store, how: str) -> None:
    damage, text, harms = OTHER[how]
    damage(store.folder("roads", None))
    (defect, *_) = found(store)
    assert text in defect.problem
    assert defect.harms is harms


def test_a_published_version_that_does_not_pass_is_named(store: Store) -> None:
    """As after a check under a stricter contract: readers go on seeing it until somebody acts."""
    proven(store, "v2", not_empty=Status.FAILED)
    (defect,) = found(store)
    assert defect.problem == "readers see it, and it does not pass: not_empty"
    assert defect.remedy.endswith("spatial-pipeline rollback roads")
    north = store.folder("roads", None).rename(store.folder("roads", "far north"))
    assert north.is_dir()
    (defect,) = found(store)
    assert defect.remedy.endswith("spatial-pipeline rollback roads --partition 'far north'")


def test_a_pointer_behind_its_copy_is_harmless(store: Store) -> None:
    folder = store.folder("roads", None)
    value = json.loads((folder / "published.json").read_text())
    value.update(version="v1", history=[])
    (folder / "published.json").write_text(json.dumps(value))
    assert [d.harms for d in found(store)] == [False]
