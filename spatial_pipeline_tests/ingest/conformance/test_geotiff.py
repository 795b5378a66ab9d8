from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from spatial_pipeline.ingest.conformance import geotiff, tiff
from spatial_pipeline.ingest.integrity import tiff_directory
from spatial_pipeline_tests.ingest.sources import stage
from spatial_pipeline_tests.ingest.tiffs import PLACE, SHORT, write_tiff


def written(path: Path, crs: str | None = "EPSG:32633", driver: str = "COG") -> Path:
    with rasterio.open(
        path, "w", driver=driver, width=16, height=16, count=1, dtype="uint8", crs=crs,
        transform=Affine(10, 0, 500000, 0, -10, 4600000),
    ) as target:  # fmt: skip
        target.write(np.arange(256, dtype=np.uint8).reshape(1, 16, 16))
    return path


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
def test_a_good_file_has_no_finding(crs: str, tmp_path: Path) -> None:
    profile = stage("raster", written(tmp_path / "a.tif", crs), tmp_path / "s")
    assert profile.conformance.findings == ()
    assert set(profile.conformance.codes) == {geotiff.STANDARD, tiff.STANDARD, "COG"}


def test_a_file_without_keys_and_one_that_is_no_cog(tmp_path: Path) -> None:
    profile = stage("raster", written(tmp_path / "a.tif", None), tmp_path / "s")
    assert [f.code for f in profile.conformance.findings] == ["GeoKeyDirectoryTag"]
    found = geotiff.judge(tmp_path / "a.tif", 1, ["not tiled"], ["no overviews"]).evidence()
    assert [f.code for f in found.findings if f.standard == "COG"] == ["COG", "COG overviews"]


def keys(*entries: tuple[int, int, int, int], head: tuple[int, ...] = (1, 1, 0)) -> list[int]:
    return [*head, len(entries), *(w for e in entries for w in e)]


UTM = ((1024, 0, 1, 1), (1025, 0, 1, 1), (3072, 0, 1, 32633))
CHANGES: list[tuple[str, dict[int, Any]]] = [
    ("ProjectedCRSGeoKey", {geotiff.DIRECTORY: keys(*UTM[:2], (3072, 0, 1, 4326))}),
    ("ProjectedCRSGeoKey", {geotiff.DIRECTORY: keys(*UTM[:2], (3072, 0, 1, 1025))}),
    ("ProjectedCRSGeoKey", {geotiff.DIRECTORY: keys(*UTM[:2], (3072, 0, 1, 0))}),
    ("ProjectedCRSGeoKey", {geotiff.DIRECTORY: keys(*UTM[:2], (3072, 0, 1, 32767))}),
    ("GeodeticCRSGeoKey", {geotiff.DIRECTORY: keys((1024, 0, 1, 2), UTM[1], (2048, 0, 1, 32633))}),
    ("ModelTiepointTag", {geotiff.TIEPOINT: [], geotiff.SCALE: []}),
    ("GeoKeyDirectoryTag", {geotiff.DIRECTORY: keys(*UTM, head=(2, 1, 0))}),
    ("GeoKeyDirectoryTag", {geotiff.DIRECTORY: keys(*UTM)[:-1]}),
    ("GeoKeyDirectoryTag", {geotiff.DIRECTORY: keys(UTM[1], UTM[0], UTM[2])}),
    ("GeoKeyDirectoryTag", {geotiff.DIRECTORY: keys(*UTM[:2], (2057, 34736, 1, 99), UTM[2])}),
    ("GTModelTypeGeoKey", {geotiff.DIRECTORY: keys((1024, 0, 1, 7), *UTM[1:])}),
    ("GTRasterTypeGeoKey", {geotiff.DIRECTORY: keys(UTM[0], UTM[2])}),
    ("ProjectedCRSGeoKey", {geotiff.DIRECTORY: keys(*UTM[:2])}),
    ("GeodeticCRSGeoKey", {geotiff.DIRECTORY: keys((1024, 0, 1, 2), UTM[1])}),
    ("GeoAsciiParamsTag", {geotiff.ASCII: [65.0, 66.0]}),
    ("ModelPixelScaleTag", {geotiff.SCALE: [1.0, 0.0, 0.0]}),
    ("ModelPixelScaleTag", {geotiff.SCALE: [1.0, 2.0]}),
    ("ModelTiepointTag", {geotiff.TIEPOINT: [0.0] * 5}),
    ("ModelTiepointTag", {geotiff.TIEPOINT: []}),
    ("ModelTransformationTag", {geotiff.TRANSFORMATION: [1.0] * 16}),
    ("ModelTransformationTag", {geotiff.TRANSFORMATION: [1.0] * 9, geotiff.SCALE: []}),
]


@pytest.mark.parametrize(("code", "change"), CHANGES)
def test_a_broken_file_is_found_by_its_tag_or_key(
    code: str, change: dict[int, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.tif")
    tags = frozenset({geotiff.DIRECTORY, geotiff.DOUBLES, geotiff.ASCII, geotiff.SCALE,
                      geotiff.TIEPOINT, geotiff.TRANSFORMATION})  # fmt: skip
    values = {**(tiff_directory.numbers(path, 1, tags) or {}), **change}
    monkeypatch.setattr(tiff_directory, "numbers", lambda *_: values)
    found = geotiff.judge(path, 1, (), ()).evidence()
    assert code in {f.code for f in found.findings}


def test_every_requirement_is_broken() -> None:
    assert {c for c, _ in CHANGES} == set(geotiff.REQUIREMENTS[geotiff.STANDARD])


PIXELS = np.arange(256, dtype=np.uint8).reshape(16, 16)
PLACED = {**PLACE, geotiff.DIRECTORY: (SHORT, keys(*UTM))}


def entry(data: bytes, tag: int) -> int:
    """Offset of the entry of a tag in the first directory."""
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    places = range(first + 2, first + 2 + 12 * count, 12)
    return next(p for p in places if struct.unpack_from("<H", data, p)[0] == tag)


def changed(tag: int, value: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[entry(data, tag) + 8 : entry(data, tag) + 12] = struct.pack("<I", value)

    return change


def renamed(tag: int, other: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        struct.pack_into("<H", data, entry(data, tag), other)

    return change


def turned(data: bytearray) -> None:
    (first,) = struct.unpack_from("<I", data, 4)
    one, two = data[first + 2 : first + 14], data[first + 14 : first + 26]
    data[first + 2 : first + 26] = two + one


def followed(place: Callable[[int], int]) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        (first,) = struct.unpack_from("<I", data, 4)
        (count,) = struct.unpack_from("<H", data, first)
        struct.pack_into("<I", data, first + 2 + 12 * count, place(first))

    return change


STRUCTURE = [
    ("IFD", turned), ("IFD", followed(lambda first: first)),
    ("IFD", followed(lambda _: 0x7FFFFFFE)), ("PhotometricInterpretation", changed(262, 99)),
    ("PhotometricInterpretation", renamed(262, 263)), ("StripByteCounts", changed(257, 8)),
    ("StripOffsets", renamed(273, 272)), ("ImageWidth", renamed(256, 255)),
    ("ImageLength", renamed(257, 256)),
]  # fmt: skip


def test_a_good_tiff_has_no_finding(tmp_path: Path) -> None:
    for name, values in (("a", PIXELS), ("b", np.stack([PIXELS] * 3)), ("c", PIXELS > 3)):
        path = write_tiff(tmp_path / f"{name}.tif", values.astype(np.uint8), tags=PLACED)
        assert geotiff.judge(path, 1, (), ()).evidence().findings == ()


@pytest.mark.parametrize(("code", "change"), STRUCTURE)
def test_a_directory_is_found_by_its_field(
    code: str, change: Callable[[bytearray], None], tmp_path: Path
) -> None:
    path = write_tiff(tmp_path / "a.tif", PIXELS, tags=PLACED)
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    profile = stage("raster", path, tmp_path / "s")
    assert code in {f.code for f in profile.conformance.findings}
    assert {c for c, _ in STRUCTURE} == set(tiff.REQUIREMENTS)


def emptied(tag: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        struct.pack_into("<I", data, entry(data, tag) + 4, 0)

    return change


@pytest.mark.parametrize("tag", [256, 257, 258, 259, 262, 273, 277, 278, 279])
def test_a_field_without_a_value_is_judged(tag: int, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", PIXELS, tags=PLACED)
    data = bytearray(path.read_bytes())
    emptied(tag)(data)
    path.write_bytes(data)
    assert geotiff.judge(path, 1, (), ()).evidence() is not None


def test_a_height_of_billions_needs_no_memory(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", PIXELS, tags=PLACED)
    data = bytearray(path.read_bytes())
    changed(257, 0xFFFFFFFF)(data)
    changed(278, 1)(data)
    path.write_bytes(data)
    tracemalloc.start()
    try:
        found = geotiff.judge(path, 1, (), ()).evidence()
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert "StripByteCounts" in {f.code for f in found.findings}


def test_a_raster_that_cannot_be_read_is_judged(tmp_path: Path) -> None:
    directory = (SHORT, [2, *keys(*UTM)[1:]])
    path = write_tiff(tmp_path / "a.tif", PIXELS, tags={**PLACED, geotiff.DIRECTORY: directory})
    profile = stage("raster", path, tmp_path / "s")
    assert profile.error is not None
    assert "GeoKeyDirectoryTag" in {f.code for f in profile.conformance.findings}
