"""Pruning deletes what nobody needs, and nothing else."""

from __future__ import annotations

import gc
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.retention import Retention
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.files import publish, roll_back
from spatial_pipeline.runtime.temporary import temporary_folder
from spatial_pipeline.store.leases import lease
from spatial_pipeline.store.locks import locked
from spatial_pipeline.store.prune import Pruned, inspect, prune, size_of
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.gate.test_decision import contract
from spatial_pipeline_tests.publish.test_files import proven

DAY = 86_400.0
NOW = time.time()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", lock_timeout_s=0.2)


def published(store: Store, *names: str) -> None:
    for name in names:
        publish(contract(), proven(store, name), store)


def aged(store: Store, name: str, days: float) -> None:
    """The version as it would be had nothing happened to it for so many days."""
    path = store.path(Version("roads", None, name))
    at = NOW - days * DAY
    os.utime(path / "profile.json", (at, at))
    os.utime(path, (at, at))


def pruned(store: Store, keep: int = 1, days: int = 0, *, dry_run: bool = False) -> Pruned:
    later = NOW + DAY
    retention = Retention(keep=keep, days=days)
    return prune(store, "roads", None, retention, later, dry_run=dry_run)


def there(store: Store) -> set[str]:
    return {v.id for v in store.versions("roads", None)}


def test_the_published_the_staged_and_those_for_a_rollback_stay(store: Store) -> None:
    published(store, "v1", "v2", "v3", "v4")
    proven(store, "v5", not_empty=Status.FAILED)
    proven(store, "v6", not_empty=Status.FAILED)
    done = pruned(store, keep=2)
    assert there(store) == {"v4", "v6", "v3", "v2"}
    assert {(r.version.id, r.was) for r in done.removed} == {
        ("v1", "published"),
        ("v5", "unpublished"),
    }
    assert set(done.kept) == there(store)
    for name in ("v3", "v2"):
        roll_back(contract(), Version("roads", None, name), store)


def test_a_dry_run_tells_sizes_and_changes_nothing(store: Store) -> None:
    published(store, "v1", "v2", "v3")
    before = sorted(str(p) for p in store.root.rglob("*"))
    size = size_of(store.path(Version("roads", None, "v1")))
    dry = pruned(store, dry_run=True)
    assert sorted(str(p) for p in store.root.rglob("*")) == before
    assert (dry.freed, [r.size for r in dry.removed]) == (size, [size])
    assert pruned(store) == dry


def test_age_counts_from_the_moment_at_which_readers_were_switched_away(store: Store) -> None:
    published(store, "v1", "v2")
    aged(store, "v1", 400)
    aged(store, "v2", 399)
    published(store, "v3", "v4")
    retention = Retention(keep=1, days=30)
    # v1 was replaced 399 days ago; v2 was what readers saw until a moment ago.
    found = inspect(store, "roads", None, retention, NOW)
    assert [r.version.id for r in found.removals] == ["v1"]


def test_a_withdrawn_version_goes_after_its_time_and_stays_withdrawn(store: Store) -> None:
    published(store, "v1", "v2")
    roll_back(contract(), Version("roads", None, "v1"), store)
    proven(store, "v3")
    assert [(r.version.id, r.was) for r in pruned(store).removed] == [("v2", "withdrawn")]
    publication = store.published("roads", None)
    assert publication is not None
    assert publication.withdrawn == ("v2",)


def test_what_a_process_has_open_stays_until_it_is_closed(store: Store) -> None:
    published(store, "v1", "v2", "v3")

    class Holder:
        pass

    holder = Holder()
    lease(store.path(Version("roads", None, "v1")), holder)
    done = pruned(store)
    assert done.stays == ("roads@v1 is being read",)
    assert (done.removed, "v1" in done.kept) == ((), True)
    del holder
    gc.collect()
    assert [r.version.id for r in pruned(store).removed] == ["v1"]


@pytest.mark.parametrize("purpose", ["stage", "publish", "verdict"])
def test_a_partition_at_work_is_left_for_the_next_time(store: Store, purpose: str) -> None:
    published(store, "v1", "v2", "v3")
    with (
        locked(store.folder("roads", None) / f".{purpose}.lock"),
        pytest.raises(StoreError, match=f"{purpose}.*is locked by process"),
    ):
        pruned(store)
    assert there(store) == {"v1", "v2", "v3"}


def test_nothing_goes_where_it_is_not_known_what_readers_see(store: Store) -> None:
    published(store, "v1", "v2", "v3")
    folder = store.folder("roads", None)
    text = (folder / "published.json").read_text()
    for damage in (text[:20], '{"version": "../x"}', ""):
        (folder / "published.json").write_text(damage)
        with pytest.raises(StoreError, match=r"cannot be read.*publish it first"):
            pruned(store)
    for name in ("published.json", ".published.json"):
        (folder / name).unlink()
    assert pruned(store).removed == ()
    assert there(store) == {"v1", "v2", "v3"}


def test_both_copies_of_the_pointer_are_heeded(store: Store) -> None:
    """Killed between the two, readers follow one of them and the gate let out the other."""
    published(store, "v1", "v2", "v3")
    proven(store, "v4")
    folder = store.folder("roads", None)
    behind = json.loads((folder / "published.json").read_text())
    behind.update(version="v1", history=[])
    (folder / "published.json").write_text(json.dumps(behind))
    pruned(store)
    assert there(store) >= {"v1", "v3", "v4"}


def test_remembered_facts_of_old_versions_go_and_their_age_stays(store: Store) -> None:
    published(store, "v1", "v2", "v3")
    for name in ("v2", "v3"):
        facts = store.path(Version("roads", None, name)) / "remembered"
        facts.mkdir()
        (facts / "a.npz").write_bytes(b"x" * 100)
    before = store.path(Version("roads", None, "v2")).stat().st_mtime_ns
    assert pruned(store).remembered == 100
    assert store.path(Version("roads", None, "v2")).stat().st_mtime_ns == before
    assert (store.path(Version("roads", None, "v3")) / "remembered" / "a.npz").exists()


def test_what_a_killed_pruning_left_is_removed_and_told(store: Store) -> None:
    published(store, "v1", "v2", "v3")
    store.path(Version("roads", None, "v1")).rename(store.folder("roads", None) / ".unfinished-x")
    dry = pruned(store, dry_run=True)
    assert dry.leftovers > 0
    assert pruned(store).freed == dry.freed
    assert list(store.folder("roads", None).glob(".unfinished*")) == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["good", "bad", "back", "prune"]), st.integers(1, 3)),
    min_size=1,
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=40, deadline=None)
def test_whatever_happened_before_readers_and_rollbacks_lose_nothing(
    steps: list[tuple[str, int]],
) -> None:
    with temporary_folder() as folder:
        store = Store(folder / "store")
        for number, (step, keep) in enumerate(steps):
            pointer = store.published("roads", None) if store.datasets() else None
            if step == "good":
                publish(contract(), proven(store, f"v{number}"), store)
            elif step == "bad":
                proven(store, f"v{number}", not_empty=Status.FAILED)
            elif step == "back" and pointer is not None:
                targets = [h for h in pointer.history if h not in pointer.withdrawn]
                if targets:
                    roll_back(contract(), Version("roads", None, targets[0]), store)
            elif step == "prune" and store.datasets():
                pruned(store, keep=keep)
                staged = store.staged_version("roads", None)
                assert store.has(staged)
                if pointer is None:
                    continue
                good = [h for h in pointer.history if h not in pointer.withdrawn]
                needed = [pointer.version, *good[:1]]
                assert there(store) >= set(needed)
                assert len(there(store)) <= keep + 2
