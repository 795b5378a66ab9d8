"""PNG files that decode although they are damaged."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity import png
from spatial_pipeline_tests.ingest.sources import staged_raster, write_raster


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def picture(rows: bytes, *between: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 0, 0, 0, 0))
    return png.SIGNATURE + header + b"".join(between) + rows + chunk(b"IEND", b"")


ROWS = chunk(b"IDAT", zlib.compress(b"\0abc\0def"))
STREAM = zlib.compress(b"\0abc\0def")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (picture(ROWS)[:-12], "no IEND"),
        (picture(ROWS)[:-1], "no IEND"),
        (picture(ROWS).replace(b"IEND", b"IENE"), "checksum of chunk 3, IENE"),
        (picture(ROWS, chunk(b"tEXt", b"a\0b").replace(b"a\0b", b"a\0c")), "chunk 2, tEXt"),
        (picture(ROWS, chunk(b"IHDR", b"")), "2 chunks IHDR"),
        (picture(b""), "no pixels"),
        (picture(ROWS + chunk(b"tEXt", b"") + ROWS), "between its pixels"),
        (picture(ROWS + chunk(b"PLTE", b"abc")), "palette"),
        (picture(chunk(b"IDAT", STREAM[:-1])), "no end"),
        (picture(chunk(b"IDAT", STREAM[:-1] + b"?")), "incorrect data check"),
    ],
)
def test_damage_is_named(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=reason):
        png.verify(path)


def test_a_damaged_header_is_named_before_pixels_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    data = bytearray(picture(ROWS))
    data[20] ^= 64
    path.write_bytes(data)
    with pytest.raises(SourceError, match="IHDR, is wrong"):
        png.verify_header(path)


def test_a_sound_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture(ROWS) + b"behind the end")
    png.verify_header(path)
    png.verify(path)
    (tmp_path / "a.txt").write_bytes(b"no picture")
    png.verify(tmp_path / "a.txt")
    png.verify_header(tmp_path / "a.txt")


@pytest.mark.filterwarnings("ignore")
def test_large_pictures_of_many_chunks(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (3, 700, 900)).astype("uint8")
    path = write_raster(tmp_path / "a.png", values, driver="PNG")
    assert staged_raster(path, tmp_path / "s")[0].error is None
