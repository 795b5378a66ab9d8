"""Zip archives: bounded before they are read, and damage named."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest import resolve
from spatial_pipeline.sources import archive
from spatial_pipeline_tests.ingest.sources import points, staged_vector, table_of, write_layer


def zipped(path: Path, **members: bytes | str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/").replace("_", "."), content)
    return path


def test_the_only_dataset_is_chosen(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", a_shp="1", a_dbf="2", readme_txt="3")
    assert archive.choose(path, None) == "a.shp"


def test_several_datasets_are_listed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", a_shp="1", b__c_gpkg="2")
    with pytest.raises(SourceError, match=r"2 datasets, name one: x.zip!a.shp, x.zip!b/c.gpkg"):
        archive.choose(path, None)


def test_no_dataset_or_no_such_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", readme_txt="3")
    with pytest.raises(SourceError, match="holds no dataset"):
        archive.choose(path, None)
    with pytest.raises(SourceError, match=r"no member 'a.shp'; datasets in it: none"):
        archive.choose(path, "a.shp")


@pytest.mark.parametrize("name", ["../evil.shp", "a/../../evil.shp", "/evil.shp", "..\\evil.shp"])
def test_members_that_lead_out_of_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("good.geojson", "{}")
        file.writestr(zipfile.ZipInfo(name), "{}")
    error = resolve("x.zip!good.geojson", tmp_path).error
    assert error == f"x.zip!good.geojson: the archive has an unsafe member {name!r}"


def test_a_bomb_is_refused_with_the_limit_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", a_csv=b"0" * (archive.SMALL_BYTES + 1))
    with pytest.raises(SourceError, match=rf"expands \d+ times, the limit is {archive.MAX_RATIO}"):
        archive.choose(path, None)


def test_a_huge_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNCOMPRESSED_BYTES", 1000)
    path = zipped(tmp_path / "x.zip", a_csv=b"0" * 1001)
    with pytest.raises(SourceError, match="expands to 1001 bytes, the limit is 1000"):
        archive.choose(path, None)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    path = zipped(tmp_path / "x.zip", a_csv="", b_csv="", c_csv="")
    with pytest.raises(SourceError, match="more than 2 members"):
        archive.choose(path, None)


def test_formats_that_are_archives_are_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_UNCOMPRESSED_BYTES", 1000)
    zipped(tmp_path / "x.kmz", doc_kml=b"0" * 1001)
    assert "the limit is 1000" in str(resolve("x.kmz", tmp_path).error)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 40])
def test_a_cut_archive_is_no_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    assert resolve("x.zip", tmp_path).error is not None


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    write_layer(tmp_path / "a.geojson", table_of(points(500), id=range(500)))
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.write(tmp_path / "a.geojson", "a.geojson")
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"id": 321', b'"id": 322', 1))
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error == (
        "x.zip: member a.geojson of the archive is damaged: Bad CRC-32 for file 'a.geojson'"
    )
    assert table.num_rows == 0


def test_a_damaged_sidecar_is_named(tmp_path: Path) -> None:
    write_layer(tmp_path / "a.shp", table_of(points(50), id=range(50)), "Point")
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        for part in sorted(tmp_path.glob("a.*")):
            file.write(part, f"in/{part.name}")
    assert staged_vector(f"{path}!in/a.shp", tmp_path / "good")[0].count == 50
    dbf = (tmp_path / "a.dbf").read_bytes()
    path.write_bytes(path.read_bytes().replace(dbf, dbf[:-5] + b"xxxxx"))
    profile, _ = staged_vector(path, tmp_path / "s")
    assert "member in/a.dbf of the archive is damaged" in str(profile.error)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", a_csv="a,b")
    data = bytearray(path.read_bytes())
    data[6] |= 1
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    path.write_bytes(data)
    assert "is encrypted" in str(resolve("x.zip", tmp_path).error)
