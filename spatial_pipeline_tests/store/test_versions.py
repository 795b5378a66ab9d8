"""A version is there whole or not at all; the pointer shows one version or the other."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from spatial_pipeline.contract.vocabulary import Family, Severity, Status
from spatial_pipeline.errors import NotPublishedError, StoreError
from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.model.result import Result, Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.store.versions import Store

VERSION = Version("roads", None, "v1")


def writer(text: str = "data") -> object:
    def write(folder: Path) -> Profile:
        (folder / "data.parquet").write_text(text)
        return VectorProfile(uri="roads.gpkg", count=3)

    return write


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def verdict(*names: str) -> Verdict:
    found = tuple(Result(n, n, "h", Family.METADATA, Severity.ERROR, Status.PASSED) for n in names)
    return Verdict("roads", None, "v1", "c", found, "2026-01-01T00:00:00+00:00")


def test_a_version_is_staged_once(store: Store) -> None:
    assert store.stage(VERSION, writer("one"))
    assert not store.stage(VERSION, writer("two"))
    assert store.data_path(VERSION).read_text() == "one"
    assert store.profile(VERSION) == VectorProfile(uri="roads.gpkg", count=3)
    assert store.staged_version("roads", None) == VERSION


def test_a_source_that_goes_back_points_back(store: Store) -> None:
    store.stage(VERSION, writer())
    store.stage(Version("roads", None, "v2"), writer())
    store.stage(VERSION, writer())
    assert store.staged_version("roads", None) == VERSION


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space left"), ValueError("bug")])
def test_a_failed_write_leaves_nothing(store: Store, error: Exception) -> None:
    def write(folder: Path) -> Profile:
        (folder / "data.parquet").write_text("half")
        raise error

    with pytest.raises((StoreError, ValueError)):
        store.stage(VERSION, write)
    assert not store.has(VERSION)
    assert [p.name for p in store.folder("roads", None).iterdir()] == [".stage.lock"]
    assert store.stage(VERSION, writer())


def test_what_a_killed_run_left_is_swept(store: Store) -> None:
    leftover = store.folder("roads", None) / ".unfinished-dead"
    leftover.mkdir(parents=True)
    (leftover / "data.parquet").write_text("half")
    store.stage(VERSION, writer())
    assert not leftover.exists()
    assert store.versions("roads", None) == [VERSION]


def test_nothing_staged(store: Store) -> None:
    with pytest.raises(StoreError, match="nothing staged"):
        store.staged_version("roads", None)
    assert store.versions("roads", None) == []


def test_a_staged_version_that_somebody_deleted(store: Store) -> None:
    store.stage(VERSION, writer())
    (store.path(VERSION) / "profile.json").unlink()
    with pytest.raises(StoreError, match="is gone"):
        store.staged_version("roads", None)


def test_verdict_and_violations(store: Store) -> None:
    store.stage(VERSION, writer())
    assert store.verdict(VERSION) is None
    store.save_verdict(VERSION, lambda _: verdict("a"), lambda p: p.write_text("rows") and None)
    assert store.verdict(VERSION) == verdict("a")
    seen: list[Verdict | None] = []
    store.save_verdict(VERSION, lambda v: seen.append(v) or verdict("b"), lambda _: None)
    assert seen == [verdict("a")]
    assert store.verdict(VERSION) == verdict("b")
    names = sorted(p.name for p in store.path(VERSION).iterdir())
    assert names == ["data.parquet", "profile.json", "verdict.json", "violations.parquet"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"results": 3}', '{"results": [{}]}', "null"])
def test_a_damaged_verdict_is_no_verdict(store: Store, text: str) -> None:
    store.stage(VERSION, writer())
    (store.path(VERSION) / "verdict.json").write_text(text)
    assert store.verdict(VERSION) is None


def test_the_published_pointer(store: Store) -> None:
    assert store.published("roads", None) is None
    with pytest.raises(NotPublishedError, match="roads has no published version"):
        store.published_version("roads", None)
    store.stage(VERSION, writer())
    one = Publication("v1", "c", "2026-01-01T00:00:00+00:00", ("v0",), ("v9",))
    store.switch("roads", None, one)
    assert store.published("roads", None) == one
    assert store.published_version("roads", None) == VERSION


def test_a_damaged_pointer_says_so(store: Store) -> None:
    store.stage(VERSION, writer())
    (store.folder("roads", None) / "published.json").write_text("{")
    with pytest.raises(StoreError, match=r"published\.json cannot be read"):
        store.published("roads", None)


@pytest.mark.parametrize(
    "partition", ["north", "a/b", "..", ".", "", "-", "2026-01-01", "Zürich 東京", "%2F", '"; drop']
)
def test_partition_keys_are_one_folder_each(store: Store, partition: str) -> None:
    version = Version("roads", partition, "v1")
    store.stage(version, writer())
    store.switch("roads", partition, Publication("v1", "c", "t"))
    assert store.path(version).parent.parent == store.root / "roads"
    assert store.path(version).parent != store.folder("roads", None)
    assert store.partitions("roads") == [partition]


@pytest.mark.parametrize("root", ["s3://bucket/prefix", "gs://b", "az://c/d"])
def test_object_stores_are_refused_clearly(root: str) -> None:
    with pytest.raises(StoreError, match="only folders"):
        Store(Path(root))


def test_json_is_readable_by_people(store: Store) -> None:
    store.stage(VERSION, writer())
    profile = json.loads((store.path(VERSION) / "profile.json").read_text())
    assert profile["uri"] == "roads.gpkg"
