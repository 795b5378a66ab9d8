"""Shapefiles whose parts do not agree."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import shapely

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest import resolve
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.formats.shapefile import open_layer
from spatial_pipeline.ingest.integrity import shapefile
from spatial_pipeline.sources.archive import extract
from spatial_pipeline_tests.ingest.sources import (
    cut,
    geometries,
    points,
    staged_vector,
    table_of,
    write_layer,
)

RECORD = 28
"""Bytes of a point record in the .shp file."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_layer(tmp_path / "a.shp", table_of(points(100), id=list(range(100))), "Point")


def verified(path: Path) -> list[int]:
    """Rows whose shape is damaged, once the file was read to its end."""
    resolved = resolve(path.name, path.parent)
    with open_layer(resolved, ReadOptions()) as layer:
        assert sum(b.num_rows for b in layer.batches) == layer.declared_count
        return list(layer.lost(np.empty(0, np.int64)))


def test_a_whole_one(path: Path) -> None:
    assert verified(path) == []


def test_polygons_and_nulls(tmp_path: Path) -> None:
    shapes = [shapely.box(i, 0, i + 1, 1 + i) for i in range(50)]
    shapes[7] = None
    path = write_layer(tmp_path / "p.shp", table_of(shapes, id=list(range(50))), "Polygon")
    assert verified(path) == []
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.undecodable == ()
    assert [g is None for g in geometries(profile, table)] == [s is None for s in shapes]


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        (".shp", r"a.shp: the .shp file declares 2900 bytes and has 1450"),
        (".shx", r"a.shx|\.shx file"),
        (".dbf", r"a.shp: the .dbf file declares 100 records and holds \d+"),
    ],
)
def test_a_part_that_was_cut(path: Path, tmp_path: Path, suffix: str, message: str) -> None:
    cut(path.with_suffix(suffix), 0.5)
    profile, table = staged_vector(path, tmp_path / "s")
    assert table.num_rows == profile.count == 0
    assert re.search(message, str(profile.error))


@pytest.mark.parametrize("suffix", [".shx", ".dbf"])
def test_a_part_that_is_missing(path: Path, tmp_path: Path, suffix: str) -> None:
    path.with_suffix(suffix).unlink()
    profile, _ = staged_vector(path, tmp_path / "s")
    assert suffix in str(profile.error)
    with pytest.raises(SourceError, match=rf"the {suffix} file with .* is missing"):
        verified(path)


def test_a_missing_prj_is_a_missing_crs(path: Path, tmp_path: Path) -> None:
    path.with_suffix(".prj").unlink()
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert profile.crs is None


def test_damaged_records_are_named(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    start = 100 + RECORD * 40
    data[start : start + 3 * RECORD] = b"\xab" * 3 * RECORD
    path.write_bytes(data)
    assert verified(path) == [40, 41, 42]
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert profile.undecodable == (40, 41, 42)
    assert table.num_rows == 100
    profile, _ = staged_vector(path, tmp_path / "t", where="id > 40")
    assert profile.undecodable == (41, 42)


def test_an_index_that_points_outside(path: Path) -> None:
    index = bytearray(path.with_suffix(".shx").read_bytes())
    index[100 + 8 * 5 : 104 + 8 * 5] = (10**6).to_bytes(4, "big")
    path.with_suffix(".shx").write_bytes(index)
    with pytest.raises(SourceError, match=r"1 of 100 shapes lie outside .* first record 5"):
        verified(path)


def test_more_records_than_shapes(path: Path, tmp_path: Path) -> None:
    other = write_layer(tmp_path / "b.shp", table_of(points(99), id=list(range(99))), "Point")
    path.with_suffix(".dbf").write_bytes(other.with_suffix(".dbf").read_bytes())
    with pytest.raises(SourceError, match=r"lists 100 shapes, the .dbf file 99 records"):
        verified(path)


def test_deleted_records_are_no_loss(path: Path, tmp_path: Path) -> None:
    table = bytearray(path.with_suffix(".dbf").read_bytes())
    start = int.from_bytes(table[8:10], "little")
    width = int.from_bytes(table[10:12], "little")
    for row in (3, 10):
        table[start + row * width] = ord("*")
    path.with_suffix(".dbf").write_bytes(table)
    data = bytearray(path.read_bytes())
    data[100 + RECORD * 20 + 8] = 99
    path.write_bytes(data)
    profile, staged = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert staged["id"].to_pylist() == [i for i in range(100) if i not in (3, 10)]
    # Row 18 of those that are left.
    assert profile.undecodable == (18,)
    assert profile.declared_count == 98


def test_one_in_an_archive(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100 + RECORD * 7 + 4] ^= 0xFF
    path.write_bytes(data)
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for part in sorted(tmp_path.glob("a.*")):
            file.write(part, f"in/{part.name}")
    copies = tmp_path / "copies"
    copies.mkdir()
    assert verified(extract(archive, "in/a.shp", copies)[0]) == [7]
    profile, _ = staged_vector(archive, tmp_path / "s")
    assert profile.undecodable == (7,)


def test_chunks_do_not_matter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(path.read_bytes())
    for row in (0, 33, 99):
        data[100 + RECORD * row + 8] = 77
    path.write_bytes(data)
    for chunk in (12, 40, 1000, 1 << 20):
        monkeypatch.setattr(shapefile, "CHUNK", chunk)
        assert verified(path) == [0, 33, 99]


def test_every_cut_is_noticed(path: Path, tmp_path: Path) -> None:
    whole = {s: path.with_suffix(s).read_bytes() for s in (".shp", ".shx", ".dbf")}
    rng = np.random.default_rng(0)
    for suffix, data in whole.items():
        for size in rng.integers(1, len(data) - 1, 8).tolist():
            path.with_suffix(suffix).write_bytes(data[:size])
            with pytest.raises(SourceError):
                verified(path)
        path.with_suffix(suffix).write_bytes(data)
