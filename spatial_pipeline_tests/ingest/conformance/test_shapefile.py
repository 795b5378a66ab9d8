from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from spatial_pipeline.ingest.conformance import shapefile
from spatial_pipeline_tests.ingest.sources import staged_vector


def written(folder: Path) -> Path:
    path = folder / "a.shp"
    pyogrio.raw.write(
        str(path), geometry=np.array(shapely.to_wkb([shapely.box(0, 0, 2, 1)] * 3), dtype=object),
        geometry_type="Polygon", crs="EPSG:32633", field_data=[np.arange(3)], fields=["a"],
    )  # fmt: skip
    return path


def codes(path: Path, folder: Path) -> set[str]:
    profile, _ = staged_vector(path, folder)
    assert profile.conformance is not None
    return {f.code for f in profile.conformance.findings}


def patched(path: Path, at: int, raw: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + len(raw)] = raw
    path.write_bytes(data)


PATCHES = [
    ("file code", "a.shp", 0, struct.pack(">i", 7)),
    ("file length", "a.shp", 24, struct.pack(">i", 60)),
    ("version", "a.shp", 28, struct.pack("<i", 7)),
    ("shape type", "a.shp", 32, struct.pack("<i", 77)),
    ("shape type", "a.shp", 32, struct.pack("<i", 3)),
    ("bounding box", "a.shp", 36, struct.pack("<d", 1.5)),
    ("record number", "a.shp", 100, struct.pack(">i", 9)),
    ("shx", "a.shx", 28, struct.pack("<i", 7)),
    ("shx", "a.shx", 104, struct.pack(">i", 9)),
    ("dbf", "a.dbf", 4, struct.pack("<I", 9)),
]


def test_a_good_file_has_no_finding(tmp_path: Path) -> None:
    assert codes(written(tmp_path), tmp_path / "s") == set()


@pytest.mark.parametrize(("code", "name", "at", "raw"), PATCHES)
def test_a_broken_file_is_found_by_its_field(
    code: str, name: str, at: int, raw: bytes, tmp_path: Path
) -> None:
    path = written(tmp_path)
    patched(tmp_path / name, at, raw)
    assert code in codes(path, tmp_path / "s")


@pytest.mark.parametrize("suffix", ["shx", "dbf", "prj", "cpg"])
def test_a_file_that_is_missing_is_found(suffix: str, tmp_path: Path) -> None:
    path = written(tmp_path)
    path.with_suffix(f".{suffix}").unlink()
    assert suffix in codes(path, tmp_path / "s")


def test_every_requirement_is_broken_by_a_file() -> None:
    tried = {code for code, *_ in PATCHES} | {"prj", "cpg"}
    assert tried == set(shapefile.REQUIREMENTS[shapefile.STANDARD])
