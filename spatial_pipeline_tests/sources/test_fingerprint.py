"""Names of versions: the content, the options, the code."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest import resolve, version_id
from spatial_pipeline.sources.fingerprint import fingerprint
from spatial_pipeline_tests.ingest.sources import points, table_of, write_layer

module = __import__("importlib").import_module("spatial_pipeline.sources.fingerprint")


@pytest.fixture
def shapefile(tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    return write_layer(tmp_path / "one/a.shp", table_of(points(5), id=range(5)), "Point")


def of(path: Path, **source: Any) -> str:
    return version_id("vector", Source(uri=str(path), **source), None, path.parent)


def test_the_place_and_the_time_do_not_matter(shapefile: Path) -> None:
    moved = shapefile.parent.parent / "two"
    shutil.copytree(shapefile.parent, moved)
    os.utime(moved / "a.shp", (1, 1))
    assert of(moved / "a.shp") == of(shapefile)


@pytest.mark.parametrize("suffix", [".shp", ".shx", ".dbf", ".prj", ".cpg"])
def test_every_byte_of_every_file_matters(shapefile: Path, suffix: str) -> None:
    before = of(shapefile)
    part = shapefile.with_suffix(suffix)
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(data)
    assert of(shapefile) != before


def test_a_sidecar_that_goes_matters(shapefile: Path) -> None:
    before = of(shapefile)
    shapefile.with_suffix(".prj").unlink()
    assert of(shapefile) != before


def test_names_and_contents_do_not_run_into_each_other(tmp_path: Path) -> None:
    for name, first, second in (("x", b"ab", b"c"), ("y", b"a", b"bc")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.shp").write_bytes(first)
        (tmp_path / name / "a.dbf").write_bytes(second)
    assert of(tmp_path / "x/a.shp") != of(tmp_path / "y/a.shp")


def test_options_kind_and_code_matter(shapefile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(uri=str(shapefile), layer=None, where=None)
    names = {
        of(shapefile), of(shapefile, layer="a"), of(shapefile, where="id > 2"),
        version_id("raster", source, None, Path()),
    }  # fmt: skip
    monkeypatch.setattr(module, "INGEST_VERSION", 99)
    assert len(names | {of(shapefile)}) == 5


def test_a_missing_source_has_a_stable_name_of_its_own(tmp_path: Path) -> None:
    assert of(tmp_path / "gone.shp") == of(tmp_path / "gone.shp")
    assert of(tmp_path / "gone.shp") != of(tmp_path / "lost.shp")
    assert len(fingerprint(resolve("gone.shp", tmp_path))) == 64


def test_a_refusal_names_another_version(shapefile: Path) -> None:
    source = Source(uri=str(shapefile), layer=None, where=None)
    refused = version_id("vector", source, None, shapefile.parent, allowed=[])
    assert refused != of(shapefile)


def test_partitions_are_filled_in(tmp_path: Path) -> None:
    for key in ("north", "south"):
        (tmp_path / f"{key}.geojson").write_text(key)
    source = Source(uri="{partition}.geojson", layer=None, where=None)
    ids = [version_id("vector", source, key, tmp_path) for key in ("north", "south")]
    assert ids[0] != ids[1]
    assert ids[0] == of(tmp_path / "north.geojson")


def test_a_file_that_grows_while_it_is_read(
    shapefile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat
    seen: list[int] = []

    def growing(descriptor: int) -> os.stat_result:
        seen.append(descriptor)
        if len(seen) == 2:
            with shapefile.open("ab") as file:
                file.write(b"more")
        return real(descriptor)

    monkeypatch.setattr(module.os, "fstat", growing)
    with pytest.raises(SourceError, match=r"a.shp changed while it was read"):
        fingerprint(resolve(str(shapefile), Path()))


def test_a_file_that_cannot_be_read(shapefile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = resolve(str(shapefile), Path())
    real = Path.open

    def denied(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.suffix == ".dbf":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)

    before = of(shapefile)
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(SourceError, match=r"a.dbf: Permission denied"):
        fingerprint(found)
    assert of(shapefile) != before
