"""What a source came with: folders, archives, and what may not be listed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from spatial_pipeline.contract.source import Source
from spatial_pipeline.ingest import version_id
from spatial_pipeline.ingest.probe import list_keys, probe
from spatial_pipeline.model.delivery import Delivery
from spatial_pipeline.sources import delivery as module
from spatial_pipeline.sources.delivery import delivery_of, fetched_delivery

NAMES = ("d/a.geojson", "d/b/c.txt", "d/x.gdb/a1", "d/.git/x", "d/.hidden", "d2/e.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "d/link").symlink_to(tmp_path / "d2")
    return tmp_path


def files(uri: str, base: Path, allowed: tuple[str, ...] | None = None) -> tuple[str, ...]:
    found = delivery_of(uri, "k", base, allowed)
    assert (found.error, found.partition) == (None, "k")
    return found.files


def test_the_files_of_a_folder(folder: Path) -> None:
    expected = (".hidden", "a.geojson", "b/c.txt", "x.gdb")
    assert files("d/a.geojson", folder) == expected
    assert files("d/missing.geojson", folder) == expected
    assert files("d/x.gdb", folder) == expected


def test_the_members_of_an_archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name in ("z.shp", "in/", "in/x.gdb/a1", "in/x.gdb/a2", ".git/y"):
            archive.writestr(name, b"")
    expected = (".git/y", "in/x.gdb", "z.shp")
    assert files("a.zip", folder) == files("a.zip!z.shp", folder) == expected
    assert fetched_delivery(folder / "a.zip", "z.shp", None) == Delivery(expected)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("postgresql:?table=a", "a database or a folder on another machine is not listed"),
        ("https://example.com/a.gpkg", "a database or a folder on another machine is not listed"),
        ("no_such/a.gpkg", "No such file or directory"),
        ("d2/e.zip", "the archive cannot be read"),
        ("d2/a.geojson", "outside of the allowed sources"),
        ("package://no_such_package/a.gpkg", "is not installed"),
    ],
)
def test_what_cannot_be_listed(folder: Path, uri: str, reason: str) -> None:
    (folder / "d2/e.zip").write_bytes(b"PK\x03\x04")
    allowed = None if "d2/a" not in uri else (str(folder / "d"), str(folder / "d2/a.geojson"))
    found = delivery_of(uri, None, folder, allowed)
    assert found.files == ()
    assert reason in (found.error or "")
    assert fetched_delivery(folder / "d2/e.zip", "a", None).error
    assert fetched_delivery(folder / "d2/e.txt", None, None).error


def test_a_folder_of_more_files_than_are_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 2)
    assert "d holds more than 2 files" in (delivery_of("d/a.geojson", None, folder).error or "")


def test_a_file_beside_the_source_is_another_version_where_a_rule_asks(folder: Path) -> None:
    def names(source: Source) -> tuple[object, ...]:
        listed = list_keys(source, folder)["a"]
        version = version_id("vector", source, "a", folder)
        return listed, version, probe(source, folder, "a").token, source.ingest_key

    plain = Source(uri="d/{partition}.geojson")
    before, asked = names(plain), names(plain.judged(["delivery"]))
    assert not set(before) & set(asked)
    (folder / "d/b/new.txt").write_text("")
    assert names(plain) == before
    after = names(plain.judged(["delivery"]))
    assert not set(after[:3]) & set(asked)
    assert after[3] == asked[3]
    (folder / "d/b/c.txt").write_text("other content")
    assert names(plain.judged(["delivery"])) == after
