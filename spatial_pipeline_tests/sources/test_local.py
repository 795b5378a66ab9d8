"""URIs: what is found, and what is refused before any read."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from pathlib import Path

import pytest

from spatial_pipeline.ingest import SourceFiles, resolve
from spatial_pipeline.sources.local import named


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.geojson", "b.shp", "b.shx", "b.dbf", "b.PRJ", "b.cpg", "bb.dbf", "b.txt"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "loop.gpkg").symlink_to(tmp_path / "loop.gpkg")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/c.geojson").write_text("{}")
    return tmp_path


def names(found: SourceFiles) -> list[str]:
    assert found.error is None, found.error
    return [f.name for f in found.files]


def test_paths_are_relative_to_the_contract(folder: Path) -> None:
    assert resolve("a.geojson", folder).path == str(folder / "a.geojson")
    assert resolve("inner/../a.geojson", folder).path == str(folder / "a.geojson")
    assert resolve(str(folder / "a.geojson"), Path("/")).path == str(folder / "a.geojson")


def test_sidecars_travel_with_the_file(folder: Path) -> None:
    assert names(resolve("b.shp", folder)) == ["b.shp", "b.PRJ", "b.cpg", "b.dbf", "b.shx"]


def test_a_link_is_followed_and_its_sidecars_are_those_of_the_target(folder: Path) -> None:
    (folder / "inner/link.shp").symlink_to(folder / "b.shp")
    found = resolve("inner/link.shp", folder)
    assert found.path == str(folder / "b.shp")
    assert "b.dbf" in names(found)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("nothing.gpkg", "nothing.gpkg: does not exist"),
        ("inner", "inner: is a folder: name a file in it"),
        ("a.geojson\0", "NUL"),
        ("/vsicurl/http://example.org/a.geojson", "GDAL's virtual paths are not supported"),
        ("/vsizip/x.zip", "GDAL's virtual paths are not supported"),
        ("file:///etc/passwd", "file: is not supported; supported are a path"),
        ("https://example.org/a.geojson", "https: is not supported"),
        ("s3://bucket/a.parquet", "s3: is not supported"),
        ("postgresql://host/db", "postgresql: is not supported"),
        ("PG:dbname=x", "PG: is not supported"),
        ("a.zip!b.shp", "does not exist"),
        ("package://no_such_package_here/x.tif", "pip install no_such_package_here"),
        ("package://bad-name/x.tif", "'bad-name' is not a package name"),
        ("package://numpy", "a path inside the package numpy is needed"),
        ("package://numpy/../shapely/__init__.py", "without .."),
        ("package://numpy//etc/passwd", "a path inside the package numpy is needed"),
        ("package://math/x", "package math is not installed"),
        ("~nobody_of_this_name/x.gpkg", "x.gpkg: "),
        ("loop.gpkg", "loop.gpkg: "),
        ("package://numpy/nothing.tif", "nothing.tif: does not exist"),
    ],
)
def test_what_cannot_be_read_says_why(folder: Path, uri: str, message: str) -> None:
    found = resolve(uri, folder)
    assert found.error is not None
    assert message in found.error
    assert found.path == ""
    assert found.files == ()


def test_an_empty_file_is_named_as_such(folder: Path) -> None:
    (folder / "zero.gpkg").touch()
    assert resolve("zero.gpkg", folder).error == "zero.gpkg: is empty, 0 bytes"


def test_a_package_is_found_without_importing_it(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "site/loud_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "data.geojson").write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    found = resolve("package://loud_package/data.geojson", tmp_path)
    assert names(found) == ["data.geojson"]
    assert "loud_package" not in sys.modules


def test_a_link_in_a_package_may_not_leave_it(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "site/linking_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "secret.geojson").write_text("{}")
    (package / "data.geojson").symlink_to(tmp_path / "secret.geojson")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    error = resolve("package://linking_package/data.geojson", tmp_path).error
    assert error is not None
    assert "is outside the package" in error


def test_allowed_folders_files_and_packages(folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    assert resolve("a.geojson", folder, [str(folder)]).error is None
    assert resolve("a.geojson", folder, [str(folder / "a.geojson")]).error is None
    assert resolve("inner/c.geojson", folder, ["inner"]).error is None
    numpy_file = "package://numpy/__init__.py"
    assert importlib.util.find_spec("numpy") is not None
    assert resolve(numpy_file, folder, ["package://numpy"]).error is None
    assert "outside of the allowed sources" in str(resolve(numpy_file, folder, []).error)
    assert resolve(numpy_file, folder, ["package://shapely"]).error is not None


@pytest.mark.parametrize(
    "uri",
    ["a.geojson", "inner/../a.geojson", "../inner/c.geojson/../../a.geojson", "/etc/passwd",
     "inner/link.geojson", "inner/folder/a.geojson", "file:///etc/passwd", "/vsicurl/http://x",
     "package://numpy/__init__.py", "../../../../../../etc/passwd", "inner.evil/x.geojson"],
)  # fmt: skip
def test_everything_else_is_refused(folder: Path, uri: str) -> None:
    (folder / "inner/link.geojson").symlink_to(folder / "a.geojson")
    (folder / "inner/folder").symlink_to(folder)
    (folder / "inner.evil").mkdir()
    (folder / "inner.evil/x.geojson").write_text("{}")
    assert resolve(uri, folder, [str(folder / "inner")]).error is not None


def test_a_refused_source_is_never_opened(folder: Path, monkeypatch) -> None:
    def spy(self: Path, *args: object, **kwargs: object) -> None:
        raise AssertionError(f"{self} was opened")

    monkeypatch.setattr(Path, "open", spy)
    monkeypatch.setattr(Path, "read_bytes", spy)
    found = resolve("a.geojson", folder, [str(folder / "inner")])
    assert "outside of the allowed sources" in str(found.error)


def test_it_does_not_tell_whether_a_refused_file_exists(folder: Path) -> None:
    allowed = [str(folder / "inner")]
    there = str(resolve("a.geojson", folder, allowed).error)
    missing = str(resolve("z.geojson", folder, allowed).error)
    assert there.replace("a.geojson", "?") == missing.replace("z.geojson", "?")


def test_a_sidecar_outside_of_what_is_allowed_is_refused(folder: Path) -> None:
    (folder / "inner/d.shp").write_text("{}")
    (folder / "inner/d.dbf").symlink_to(folder / "b.dbf")
    error = str(resolve("inner/d.shp", folder, [str(folder / "inner")]).error)
    assert "d.dbf lies outside of the allowed sources" in error


def test_a_member_of_an_archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr("deep/a.geojson", "{}")
        archive.writestr("readme.txt", "")
    expected = f"/vsizip/{{{folder / 'x.zip'}}}/deep/a.geojson"
    for uri in ("x.zip", "x.zip!deep/a.geojson", "x.zip!/deep/a.geojson"):
        found = resolve(uri, folder)
        assert found.path == expected
        assert found.member == "deep/a.geojson"
        assert found.files == (folder / "x.zip",)


def test_something_that_is_no_archive_has_no_members(folder: Path) -> None:
    (folder / "fake.zip").write_text("no archive")
    assert "is not a zip archive" in str(resolve("fake.zip!a.shp", folder).error)


def test_a_file_geodatabase_is_a_folder(folder: Path) -> None:
    (folder / "x.gdb").mkdir()
    (folder / "x.gdb/a00000001.gdbtable").write_bytes(b"x")
    found = resolve("x.gdb", folder)
    assert found.path == str(folder / "x.gdb")
    assert names(found) == ["x.gdb", "a00000001.gdbtable"]


def test_reasons_name_the_file_and_not_its_folder(folder: Path) -> None:
    found = resolve("a.geojson", folder)
    assert named(f"cannot open {folder}/a.geojson", found) == "cannot open a.geojson"
    assert named("bad", found) == "a.geojson: bad"
