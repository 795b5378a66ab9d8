"""States of sources without reading them, and the partitions that exist."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.probe import SourceState, key_of, list_keys, probe
from spatial_pipeline.sources.transfer import TransferLimits
from spatial_pipeline_tests.sources.web import serving


def source(uri: str) -> Source:
    return Source(uri=uri, layer=None, query=None, where=None)


def token(uri: str, base: Path, partition: str | None = None) -> str:
    state = probe(source(uri), base, partition)
    assert state.error is None
    assert state.token is not None
    return state.token


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.shp", "a.dbf", "b.shp", "b.dbf", "c.dbf"):
        (tmp_path / name).write_text("x")
    return tmp_path


def test_a_state_stays_until_something_changes(folder: Path) -> None:
    before = token("a.shp", folder)
    assert token("a.shp", folder) == before
    (folder / "b.dbf").write_text("other")
    assert token("a.shp", folder) == before
    (folder / "a.shp").write_text("longer")
    assert token("a.shp", folder) != before


@pytest.mark.parametrize("change", ["size", "time", "added", "removed"])
def test_a_sidecar_is_part_of_the_state(folder: Path, change: str) -> None:
    before = token("a.shp", folder)
    sidecar = folder / "a.dbf"
    if change == "size":
        sidecar.write_text("longer")
    elif change == "time":
        os.utime(sidecar, ns=(1, 1))
    elif change == "added":
        (folder / "a.prj").write_text("x")
    else:
        sidecar.unlink()
    assert token("a.shp", folder) != before


def test_a_state_does_not_depend_on_where_the_project_lies(tmp_path: Path) -> None:
    found = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "a.gpkg"
        file.write_text("x")
        os.utime(file, ns=(5, 5))
        found.append(token("a.gpkg", tmp_path / name))
    assert found[0] == found[1]


def test_what_is_missing_refused_or_a_database_has_an_error_and_no_state(folder: Path) -> None:
    missing = "no.shp: does not exist; did you mean 'b.shp'?"
    assert probe(source("no.shp"), folder) == SourceState(error=missing)
    refused = probe(source("a.shp"), folder, None, [str(folder / "elsewhere")])
    assert refused.token is None
    assert "SPATIAL_ALLOWED_SOURCES" in str(refused.error)
    database = probe(source("postgresql://me:secret@host/db"), folder)
    assert database.token is None
    assert "secret" not in str(database.error)


def test_a_partition_has_the_state_of_its_file(folder: Path) -> None:
    assert token("{partition}.shp", folder, "a") == token("a.shp", folder)


def test_keys_are_the_files_that_fit(folder: Path) -> None:
    found = list_keys(source("{partition}.shp"), folder)
    assert found == {"a": token("a.shp", folder), "b": token("b.shp", folder)}
    assert list_keys(source("no_such/{partition}.shp"), folder) == {}


def test_keys_may_be_folders_and_occur_twice(tmp_path: Path) -> None:
    for tile in ("t1/t1.tif", "t2/t2.tif", "t3/t1.tif"):
        (tmp_path / tile).parent.mkdir()
        (tmp_path / tile).write_text("x")
    assert set(list_keys(source("{partition}/{partition}.tif"), tmp_path)) == {"t1", "t2"}
    assert set(list_keys(source("{partition}/t1.tif"), tmp_path)) == {"t1", "t3"}


def test_keys_inside_archives(tmp_path: Path) -> None:
    for name in ("2024", "2025"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("north.geojson", "{}")
            archive.writestr(f"{name}.geojson", "{}")
    assert set(list_keys(source("2024.zip!{partition}.geojson"), tmp_path)) == {"2024", "north"}
    assert set(list_keys(source("{partition}.zip!north.geojson"), tmp_path)) == {"2024", "2025"}
    assert set(list_keys(source("{partition}.zip!{partition}.geojson"), tmp_path)) == {
        "2024",
        "2025",
    }


def test_a_key_that_cannot_be_read_has_a_token_too(folder: Path) -> None:
    (folder / "d.shp").write_text("")
    first = list_keys(source("{partition}.shp"), folder)
    assert set(first) == {"a", "b", "d"}
    (folder / "d.shp").write_text("x")
    assert list_keys(source("{partition}.shp"), folder)["d"] != first["d"]


def test_hostile_names_are_keys_like_others(tmp_path: Path) -> None:
    names = {"a b", "[x]*", "é", "..hidden", "a.b"}
    for name in names:
        (tmp_path / f"{name}.tif").write_text("x")
    assert set(list_keys(source("{partition}.tif"), tmp_path)) == names


def test_no_folder_outside_of_the_allowed_sources_is_listed(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in/k.shp").write_text("x")
    allowed = [str(folder / "in")]
    assert set(list_keys(source("in/{partition}.shp"), folder, allowed)) == {"k"}
    for uri in ("{partition}.shp", "in/../{partition}.shp", "/etc/{partition}"):
        with pytest.raises(SourceError, match="SPATIAL_ALLOWED_SOURCES"):
            list_keys(source(uri), folder, allowed)


def test_what_has_no_keys_says_so(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"has no \{partition\}"):
        list_keys(source("a.shp"), folder)
    with pytest.raises(SourceError, match="cannot be listed"):
        list_keys(source("postgresql:?table=t_{partition}"), folder)


def test_the_key_of_a_name() -> None:
    assert key_of("t_{partition}.tif", "t_7.tif") == "7"
    assert key_of("t_{partition}.tif", "t_.tif") is None
    assert key_of("t_{partition}.tif", "t_7/8.tif") is None
    assert key_of("{partition}-{partition}", "7-7") == "7"
    assert key_of("{partition}-{partition}", "7-8") is None


def test_a_web_server_tells_the_state_and_no_keys(tmp_path: Path) -> None:
    with serving() as web:
        uri = web.put("/t_7/a.shp", b"x")
        web.put("/t_7/a.dbf", b"x")
        pattern = uri.replace("t_7", "t_{partition}")
        first = token(pattern, tmp_path, "7")
        assert token(uri, tmp_path) == first
        assert "GET" not in {method for method, _, _ in web.asked}
        web.put("/t_7/a.dbf", b"y")
        second = token(uri, tmp_path)
        assert second != first
        web.put("/t_7/a.dbf", b"y", etag='"touched"')
        assert token(uri, tmp_path) not in {first, second}
        with pytest.raises(SourceError, match="on a web server cannot be listed"):
            list_keys(source(pattern), tmp_path)


def test_a_web_server_that_is_away_tells_nothing(tmp_path: Path) -> None:
    with serving() as web:
        uri = web.put("/a.fgb", b"x", statuses=[404, 200])
        gone = probe(source(uri), tmp_path)
    assert (gone.token, gone.lost) == (None, False)
    assert gone.error == "does not exist"
    away = probe(source(f"{uri}?sig=hidden"), tmp_path, limits=TransferLimits(attempts=1))
    assert (away.token, away.lost) == (None, True)
    assert "hidden" not in str(away.error)


def test_a_server_that_says_nothing_of_a_file(tmp_path: Path) -> None:
    with serving() as web:
        uri = web.put("/a.fgb", b"x", etag="", modified=None, lengthless=True)
        state = probe(source(uri), tmp_path)
    assert state.token is None
    assert "neither ETag nor Last-Modified nor a length" in str(state.error)
