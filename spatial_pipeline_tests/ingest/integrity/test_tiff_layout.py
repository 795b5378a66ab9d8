"""TIFF directories whose tags cannot be read as they stand, and blocks that are not in the file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity import tiff_directory, tiff_layout
from spatial_pipeline_tests.ingest.sources import ramp, staged_raster, write_raster


def verified(path: Path) -> tiff_layout.BlockLayout:
    chain = tiff_directory.chain(path)
    assert chain is not None
    return tiff_layout.verify(path, chain.directories)


def changed(path: Path, tag: int, **fields: Any) -> Path:
    """Overwrites fields (name, kind, count, value) of an entry of a little-endian classic TIFF."""
    data = bytearray(path.read_bytes())
    at = struct.unpack_from("<I", data, 4)[0] + 2
    while struct.unpack_from("<H", data, at)[0] != tag:
        at += 12
    for name, (form, place) in {
        "name": ("<H", 0), "kind": ("<H", 2), "count": ("<I", 4), "value": ("<I", 8),
    }.items():  # fmt: skip
        if name in fields:
            struct.pack_into(form, data, at + place, fields[name])
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("compress", ["none", "deflate", "lzw", "jpeg"])
@pytest.mark.parametrize("how", [{}, {"endianness": "big"}, {"bigtiff": "yes"}, {"tiled": False}])
@pytest.mark.parametrize("bands", [1, 3])
def test_sound_files(
    tmp_path: Path, interleave: str, compress: str, how: dict[str, Any], bands: int
) -> None:
    if how.get("tiled") is False:
        how = {**how, "blockxsize": None, "blockysize": 7}
    if compress == "jpeg" and how.get("blockysize") == 7:
        how = {**how, "blockysize": 8}
    values = ramp(bands, 100, 150, "uint8")
    path = write_raster(
        tmp_path / "a.tif", values, compress=compress, interleave=interleave, nodata=3,
        mask=np.full((100, 150), 255, "uint8"), overviews=[2], **how,
    )  # fmt: skip
    assert verified(path) == tiff_layout.BlockLayout()


@pytest.mark.parametrize(
    ("tag", "fields", "reason"),
    [
        (317, {"count": 1 << 30}, "Predictor lies outside"),
        (317, {"kind": 11}, "Predictor is of type 11"),
        (258, {"count": 2}, "BitsPerSample has 2 values, not 1"),
        (339, {"value": 2}, "samples of SampleFormat 2 with 4 bits"),
        (277, {"value": 0}, "no size"),
        (278, {"value": 0}, "no size"),
        (273, {"kind": 132}, "StripOffsets is of type 132"),
        (273, {"count": 1}, "StripOffsets has 1 values, not 10"),
        (279, {"name": 65000}, "StripByteCounts has 0 values, not 10"),
        (278, {"value": 20}, "StripOffsets has 10 values, not 5"),
        (33922, {"value": 1 << 30}, "ModelTiepoint lies outside"),
        (33922, {"count": 5}, "ModelTiepoint has 5 values"),
        (33922, {"name": 65000}, "placed by half"),
        (33550, {"kind": 16}, "ModelPixelScale is of type 16"),
        (34735, {"count": 15}, "as many keys as it says"),
        (34737, {"count": 1}, "outside of GeoAsciiParams"),
        (42113, {"kind": 1}, "GDAL_NODATA is of type 1"),
        (284, {"name": 277}, "stands there twice"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_damage_of_the_directory(
    tmp_path: Path, tag: int, fields: dict[str, int], reason: str
) -> None:
    bits = {"nbits": 4} if "4 bits" in reason else {}
    path = write_raster(
        tmp_path / "a.tif", ramp(1, 100, 150, "uint8") % 9, tiled=False, blockxsize=None,
        blockysize=10, predictor=2 if not bits else None, nodata=3,
        compress="lzw" if not bits else "none", **bits,
    )  # fmt: skip
    changed(path, tag, **fields)
    with pytest.raises(SourceError, match=reason):
        verified(path)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert profile.error is not None


@given(st.integers(0, 9), st.integers(0, 1 << 32 - 1), st.integers(0, 1 << 32 - 1), st.booleans())
@settings(deadline=None, max_examples=60)
def test_blocks_outside_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, block: int, offset: int, size: int, whole: bool
) -> None:
    path = write_raster(
        tmp_path_factory.mktemp("t") / "a.tif", ramp(1, 100, 150, "uint8"), tiled=False,
        blockxsize=None, blockysize=10, compress="none",
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    if whole:
        offset, size = offset % len(data), size % 3000
    chain = tiff_directory.chain(path)
    assert chain is not None
    _, entries = tiff_directory.entries(path, chain.directories[0].offset)
    for entry in entries:
        if entry.tag in {273, 279}:
            at = struct.unpack("<I", entry.inline)[0]
            form, width = ("<I", 4) if entry.kind == 4 else ("<H", 2)
            value = offset if entry.tag == 273 else size
            struct.pack_into(form, data, at + block * width, value % (1 << 8 * width))
            if entry.tag == 273:
                offset = value % (1 << 8 * width)
            else:
                size = value % (1 << 8 * width)
    path.write_bytes(data)
    layout = verified(path)
    if not offset and not size:
        assert layout.damage is None
        assert layout.notes == ("directory 1: 1 of 10 blocks are not stored: all nodata, or 0",)
    else:
        sound = offset and size >= 1500 and offset + size <= len(data)
        assert (layout.damage is None) == bool(sound)
        assert layout.notes == ()


@pytest.mark.filterwarnings("ignore")
def test_blank_nodata_is_none(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 20, 20, "uint8"), nodata=7)
    changed(path, 42113, value=0x20)
    with rasterio.open(path) as dataset:
        assert dataset.nodata == 0
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.bands[0].nodata is None
    with rasterio.open(staged) as dataset:
        assert dataset.nodata is None
