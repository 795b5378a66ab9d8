"""Checksums of deflated blocks."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
import rasterio

from spatial_pipeline.ingest.integrity import tiff_adler
from spatial_pipeline_tests.ingest.sources import block_places, ramp, write_raster


class Placed:
    """A dataset with one block at the start of the file."""

    def __init__(self, size: int | None) -> None:
        self.size = size

    def get_tag_item(self, name: str, domain: str, bidx: int, ovr: int | None) -> str | None:
        assert (domain, bidx, ovr) == ("TIFF", 1, None)
        if self.size is None:
            return None
        return {"BLOCK_OFFSET_3_2": "0", "BLOCK_SIZE_3_2": str(self.size)}[name]


WHOLE = zlib.compress(bytes(range(256)) * 20)
WRONG_SUM = WHOLE[:-1] + bytes([WHOLE[-1] ^ 1])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (WHOLE, None),
        (WHOLE + b"behind", None),
        (WRONG_SUM, "incorrect data check"),
        (WHOLE[:-6], "it has no end"),
        (b"\xff" * 50, "incorrect header check"),
    ],
)
def test_streams(tmp_path: Path, data: bytes, reason: str | None) -> None:
    (tmp_path / "a.tif").write_bytes(data)
    with tiff_adler.Streams(str(tmp_path / "a.tif")) as streams:
        found = streams.reason(Placed(len(data)), 0, 1, 2, 3)
        assert found is None if reason is None else reason in str(found)
        assert streams.reason(Placed(None), 0, 1, 2, 3) is None


@pytest.mark.parametrize(
    ("profile", "expected"),
    [({}, True), ({"compress": "zstd"}, False), ({"driver": "PNG"}, False)],
)
def test_where_it_applies(tmp_path: Path, profile: dict[str, Any], expected: bool) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 200, 200, "uint8"), **profile)
    with rasterio.open(path) as dataset:
        assert tiff_adler.applies(dataset, str(path)) == expected


def test_blocks_of_overviews_are_found(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 600, 600), overviews=[2])
    for overview in (0, 1):
        offset, length = block_places(path, overview)[1]
        whole = path.read_bytes()
        path.write_bytes(whole[: offset + length - 1] + b"\x99" + whole[offset + length :])
        with rasterio.open(path) as dataset, tiff_adler.Streams(str(path)) as streams:
            reasons = [
                [streams.reason(dataset, level, 1, 0, column) for column in range(2)]
                for level in (0, 1)
            ]
        path.write_bytes(whole)
        assert [[r is not None for r in level] for level in reasons] == [
            [False, overview == 0], [False, overview == 1],
        ]  # fmt: skip
