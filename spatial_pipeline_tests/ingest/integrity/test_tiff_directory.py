"""Directories of a TIFF, in both byte orders and both flavours."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from spatial_pipeline.ingest.integrity.tiff_directory import chain
from spatial_pipeline_tests.ingest.tiffs import (
    ASCII,
    LONG,
    NODATA,
    PLACE,
    SHORT,
    SUBFILE,
    Page,
    write_pages,
    write_tiff,
)

PAGES = [
    Page(np.zeros((3, 4), "uint8"), {**PLACE, NODATA: (ASCII, b"-32768\0")}),
    Page(np.zeros((5, 6), "float32"), {NODATA: (ASCII, b"0\0")}),
    Page(np.zeros((2, 2), "uint8"), {SUBFILE: (LONG, [1])}),
    Page(np.zeros((2, 2), "uint8"), {SUBFILE: (LONG, [4])}),
    Page(np.zeros((2, 2), "uint8"), {255: (SHORT, [2])}),
    Page(np.zeros((7, 8), "uint8"), {SUBFILE: (LONG, [2]), 255: (SHORT, [3])}),
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_pages(tmp_path: Path, order: str, big: bool) -> None:
    found = chain(write_pages(tmp_path / "a.tif", PAGES, order, big=big))
    assert found is not None
    assert found.damage is None
    assert [(d.number, d.width, d.height, d.image) for d in found.directories] == [
        (1, 4, 3, True), (2, 6, 5, True), (3, 2, 2, False), (4, 2, 2, False), (5, 2, 2, False),
        (6, 8, 7, True),
    ]  # fmt: skip
    first, second, third = found.directories[:3]
    assert (first.nodata, second.nodata, third.nodata) == (b"-32768", b"0", None)
    assert (first.pixel_scale, first.transformation) == ((10, 10, 0), ())


def test_files_that_are_no_tiff(tmp_path: Path) -> None:
    for data in (b"", b"II", b"PNG and more bytes", b"II*\0", b"IIxxxxxxxxxxxxxxxxxx"):
        (tmp_path / "a").write_bytes(data)
        assert chain(tmp_path / "a") is None


def test_a_chain_that_does_not_end(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "a.tif", PAGES[:2])
    whole = path.read_bytes()
    found = chain(path)
    assert found is not None
    second = found.directories[1].offset
    after = second + 2 + 12 * struct.unpack_from("<H", whole, second)[0]
    for offset, damage in (
        (8, "directory 3 is one that came before"),
        (second, "directory 3 is one that came before"),
        (1 << 31, "directory 3 lies outside of the file: 2 bytes at 2147483648"),
        (len(whole) - 1, "directory 3 lies outside of the file"),
    ):
        data = bytearray(whole)
        data[after : after + 4] = struct.pack("<I", offset)
        path.write_bytes(data)
        found = chain(path)
        assert found is not None
        assert [d.number for d in found.directories] == [1, 2]
        assert damage in str(found.damage)
    path.write_bytes(whole[: second + 1])
    found = chain(path)
    assert found is not None
    assert len(found.directories) == 1
    assert "directory 2 lies outside of the file" in str(found.damage)


def test_entries_that_lie_elsewhere_are_none(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", np.zeros((2, 2), "uint8"), nodata="-32768")
    data = bytearray(path.read_bytes())
    at = 8 + 2
    while struct.unpack_from("<H", data, at)[0] != NODATA:
        at += 12
    data[at + 8 : at + 12] = struct.pack("<I", len(data))
    path.write_bytes(data)
    found = chain(path)
    assert found is not None
    assert found.directories[0].nodata is None
    assert found.directories[0].width == 2
