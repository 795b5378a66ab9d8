"""A pointer that was lost or damaged is read from its copy and written anew by the next run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.errors import GateClosedError, StoreError
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.publish.files import publish, roll_back
from spatial_pipeline.store import pointer
from spatial_pipeline.store.publication_notes import NOTE
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.gate.test_decision import contract
from spatial_pipeline_tests.publish.test_files import proven
from spatial_pipeline_tests.store.test_versions import writer

HOSTILE = ["../../../etc", "/etc", "..", ".", "", "a/b", "v1\0", ".hidden", "x" * 200, 7, None]


def edited(**changes: Any) -> Callable[[str], str]:
    return lambda text: json.dumps({**json.loads(text), **changes})


DAMAGE: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "truncated": lambda text: text[: len(text) // 2],
    "no object": lambda _: "[]",
    "null": lambda _: "null",
    "no members": lambda _: "{}",
    "nested": lambda _: "[" * 100_000,
    "history": edited(history="v0"),
    "hostile history": edited(history=["../v0"]),
    "hostile withdrawn": edited(withdrawn=[3]),
    "number": edited(number="2"),
    "time": edited(published_at=None),
    **{f"version {h!r:.20}": edited(version=h) for h in HOSTILE},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """v1 is published, v2 was withdrawn."""
    store = Store(tmp_path / "store")
    publish(contract(), proven(store, "v1"), store)
    publish(contract(), proven(store, "v2"), store)
    roll_back(contract(), Version("roads", None, "v1"), store)
    return store


def file(store: Store) -> Path:
    return store.folder("roads", None) / "published.json"


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_pointer_is_read_from_its_copy_and_mended(store: Store, how: str) -> None:
    before, text = store.published("roads", None), file(store).read_text()
    file(store).write_text(DAMAGE[how](text))
    assert store.published("roads", None) == before
    with pytest.raises(GateClosedError, match="withdrawn by a rollback"):
        publish(contract(), Version("roads", None, "v2"), store)
    assert file(store).read_text() == text


def test_a_lost_pointer_is_read_from_its_copy_and_mended(store: Store) -> None:
    before, text = store.published("roads", None), file(store).read_text()
    file(store).unlink()
    assert store.published("roads", None) == before
    assert store.partitions("roads") == [None]
    publish(contract(), Version("roads", None, "v1"), store)
    assert file(store).read_text() == text


def test_members_of_a_later_release_are_left_out(store: Store) -> None:
    before = store.published("roads", None)
    file(store).write_text(edited(signature="x")(file(store).read_text()))
    assert store.published("roads", None) == before
    assert publish(contract(), Version("roads", None, "v1"), store) == before


@pytest.mark.parametrize("how", ["empty", "truncated", "hostile history", "missing"])
def test_without_file_and_copy_the_notes_beside_the_versions_tell(store: Store, how: str) -> None:
    publish(contract(), proven(store, "v3"), store)
    publish(contract(), proven(store, "v4"), store)
    roll_back(contract(), Version("roads", None, "v1"), store)
    before, text = store.published("roads", None), file(store).read_text()
    assert before is not None
    assert before.withdrawn == ("v2", "v4")
    copy = store.folder("roads", None) / pointer.COPY
    for path in (file(store), copy):
        path.unlink() if how == "missing" else path.write_text(DAMAGE[how](text))
    assert store.published("roads", None) == before
    for taken_back in before.withdrawn:
        with pytest.raises(GateClosedError, match="withdrawn by a rollback"):
            publish(contract(), Version("roads", None, taken_back), store)
    assert (file(store).read_text(), copy.read_text()) == (text, text)
    roll_back(contract(), Version("roads", None, "v2"), store)
    now = store.published("roads", None)
    file(store).write_text("")
    copy.write_text("")
    assert store.published("roads", None) == now


def test_notes_of_a_store_of_an_earlier_release_are_written_by_the_next_publication(
    store: Store,
) -> None:
    for note in store.folder("roads", None).glob(f"*/{NOTE}"):
        note.unlink()
    publish(contract(), proven(store, "v3"), store)
    before = store.published("roads", None)
    file(store).write_text("")
    (store.folder("roads", None) / pointer.COPY).write_text("")
    assert store.published("roads", None) == before


@pytest.mark.parametrize("how", ["{}", "{", "[]", '{"number": 9, "withdrawn": false}'])
def test_notes_that_were_edited_tell_nothing(store: Store, how: str) -> None:
    (store.path(Version("roads", None, "v2")) / NOTE).write_text(how)
    file(store).write_text("")
    (store.folder("roads", None) / pointer.COPY).write_text("")
    with pytest.raises(StoreError, match="publish it again"):
        store.published("roads", None)


@pytest.mark.parametrize("how", DAMAGE)
def test_without_notes_the_next_run_puts_the_pointer_aside(store: Store, how: str) -> None:
    copy = store.folder("roads", None) / pointer.COPY
    damaged = DAMAGE[how](file(store).read_text())
    file(store).write_text(damaged)
    copy.write_text("{")
    for note in store.folder("roads", None).glob(f"*/{NOTE}"):
        note.unlink()
    with pytest.raises(StoreError, match=r"published\.json cannot be read.*publish it again"):
        store.published("roads", None)
    assert not store.stage(Version("roads", None, "v1"), writer("v1"))
    assert (store.folder("roads", None) / "published.json.damaged").read_text() == damaged
    assert store.published("roads", None) is None
    assert publish(contract(), Version("roads", None, "v1"), store).version == "v1"


def test_a_store_of_an_earlier_release_gets_a_copy(store: Store) -> None:
    value = asdict(Publication("v1", "c", "t"))
    del value["number"]
    file(store).write_text(json.dumps(value))
    (store.folder("roads", None) / pointer.COPY).unlink()
    publication = publish(contract(), Version("roads", None, "v1"), store)
    assert publication.number == 1
    file(store).write_text("")
    assert store.published("roads", None) == publication


def test_one_damaged_partition_does_not_hide_the_others(store: Store) -> None:
    store.stage(Version("roads", "north", "v3"), writer("v3"))
    (store.folder("roads", "north") / "published.json").write_text("{")
    assert store.latest("roads") == Version("roads", None, "v1")


@pytest.mark.parametrize("name", [h for h in HOSTILE if isinstance(h, str)])
def test_no_id_leads_out_of_the_store(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="is not a version ID"):
        store.path(Version("roads", None, name))


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../x", "/etc", "a\0"])
def test_no_dataset_leads_out_of_the_store(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="is not a dataset name"):
        store.published(name, None)
