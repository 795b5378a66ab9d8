"""Rasters inside of one file: one is read, the others are named, and so is their damage."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from spatial_pipeline.ingest import raster_pages
from spatial_pipeline_tests.ingest.sources import ramp, staged_raster, write_raster
from spatial_pipeline_tests.ingest.tiffs import LONG, PLACE, SHORT, SUBFILE, Page, write_pages

DEFLATE: dict[int, Any] = {259: (SHORT, [8])}
"""Says of raw pixels that they are deflated, so they do not decode."""


def page(first: int, height: int, width: int, **tags: Any) -> Page:
    values = np.arange(first, first + height * width, dtype="uint16").reshape(height, width)
    return Page(values, {**PLACE, **tags.get("tags", {})})


def read(path: Path, folder: Path, layer: str | None) -> tuple[Any, Any]:
    """Profile and pixels of what was staged."""
    profile, target = staged_raster(path, folder, layer=layer)
    if profile.error is not None:
        return profile, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(target) as dataset:
            return profile, dataset.read(1)


PAGES = [
    page(100, 4, 5),
    page(200, 2, 3, tags={SUBFILE: (LONG, [1])}),
    page(300, 6, 7),
    page(400, 4, 5, tags={SUBFILE: (LONG, [4])}),
    page(500, 3, 3),
]


@pytest.mark.parametrize("big", [False, True])
def test_pages_of_a_tiff(tmp_path: Path, big: bool) -> None:
    path = write_pages(tmp_path / "a.tif", PAGES, big=big)
    profile, pixels = read(path, tmp_path / "s", None)
    assert profile.notes == ("page 1 is read; not read, and named by layer: 3 (7 × 6), 5 (3 × 3)",)
    assert pixels[0, 0] == 100
    for layer in ("3", "GTIFF_DIR:3", "GTIFF_DIR:3:a.tif"):
        profile, pixels = read(path, tmp_path / layer.replace(":", "_"), layer)
        assert profile.notes == (
            "page 3 is read; not read, and named by layer: 1 (5 × 4), 5 (3 × 3)",
        )
        assert np.array_equal(pixels, PAGES[2].values)
    profile, pixels = read(path, tmp_path / "t", "1")
    assert np.array_equal(pixels, PAGES[0].values)
    for layer in ("2", "4", "6", "0", "one"):
        profile, _ = read(path, tmp_path / f"no {layer}", layer)
        assert profile.error == f"a.tif: no page {layer!r} in it; pages: 1, 3, 5"


def test_one_page_is_nothing_to_tell(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 300, 300), overviews=[2, 4])
    with rasterio.open(path, "r+") as dataset:
        dataset.write_mask(np.full((300, 300), 255, "uint8"))
    profile, _ = read(path, tmp_path / "s", None)
    assert (profile.error, profile.notes) == (None, ())
    profile, _ = read(path, tmp_path / "t", "1")
    assert (profile.error, profile.notes) == (None, ())


def test_damage_of_pages_that_are_not_read(tmp_path: Path) -> None:
    pages = [PAGES[0], page(0, 4, 4, tags=DEFLATE), PAGES[4]]
    path = write_pages(tmp_path / "a.tif", pages)
    profile, pixels = read(path, tmp_path / "s", None)
    assert profile.error is None
    assert pixels[0, 0] == 100
    first, second = profile.notes
    assert first == "page 1 is read; not read, and named by layer: 2 (4 × 4), 3 (3 × 3)"
    assert second.startswith("page 2, which is not read, is damaged: 1 block does not decode: ")
    profile, _ = read(path, tmp_path / "t", "2")
    assert "1 blocks do not decode" in profile.error


def test_pages_that_cannot_be_opened(tmp_path: Path) -> None:
    strange = page(0, 4, 4, tags={258: (SHORT, [77])})
    profile, _ = read(write_pages(tmp_path / "a.tif", [PAGES[0], strange]), tmp_path / "s", None)
    assert profile.error is None
    assert profile.notes[-1].startswith("page 2, which is not read, is damaged: ")


def test_a_broken_chain_is_told(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "a.tif", PAGES[:1])
    data = bytearray(path.read_bytes())
    after = 8 + 2 + 12 * struct.unpack_from("<H", data, 8)[0]
    data[after : after + 4] = struct.pack("<I", 99_999)
    path.write_bytes(data)
    profile, _ = read(path, tmp_path / "s", None)
    assert profile.error is None
    assert any(
        n.startswith("pages may be missing: directory 2 lies outside") for n in profile.notes
    )


def test_not_all_of_many_pages_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pages(tmp_path / "a.tif", [page(i, 2, 2) for i in range(30)])
    monkeypatch.setattr(raster_pages, "TRIED_PAGES", 10)
    monkeypatch.setattr(raster_pages, "TRIED_BYTES", 8 * 7)
    profile, _ = read(path, tmp_path / "s", None)
    assert profile.notes[0].endswith("20 (2 × 2), 21 (2 × 2) and 9 more")
    assert profile.notes[1].startswith("not tried whether they decode: pages 9, 10, 11, 12, ")
    profile, pixels = read(path, tmp_path / "t", "30")
    assert pixels[0, 0] == 29


def test_a_first_page_that_is_an_overview_is_said(tmp_path: Path) -> None:
    thumbnail = page(0, 2, 2, tags={SUBFILE: (LONG, [1])})
    profile, pixels = read(
        write_pages(tmp_path / "a.tif", [thumbnail, PAGES[0]]), tmp_path / "s", None
    )
    assert pixels.shape == (2, 2)
    assert profile.notes == (
        "page 1 is read; not read, and named by layer: 2 (5 × 4)",
        "page 1 says that it is an overview or a mask of another page",
    )


def test_tables_of_a_geopackage(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    for i, name in enumerate(("first", "sec ond")):
        write_raster(
            path, ramp(1, 300, 300, "uint8") + i, "EPSG:32633", driver="GPKG",
            RASTER_TABLE=name, **({"APPEND_SUBDATASET": "YES"} if i else {}),
        )  # fmt: skip
    for folder, layer in (("s", "sec ond"), ("t", "GPKG:a.gpkg:sec ond")):
        profile, pixels = read(path, tmp_path / folder, layer)
        assert profile.error is None
        assert pixels[0, 0] == 1
        assert profile.notes[0] == "1 other raster in it not read, named by layer: first"


def test_variables_of_a_netcdf_file(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", ramp(2, 4, 5, "int16"))
    with rasterio.open(source) as dataset:
        values = dataset.read()
    path = tmp_path / "a.nc"
    rasterio.shutil.copy(source, path, driver="netCDF")
    profile, _ = read(path, tmp_path / "s", None)
    assert profile.error == "a.nc: 2 rasters in it, name one of them as layer: Band1, Band2"
    for folder, layer in (("t", "Band2"), ("u", "NETCDF:a.nc:Band2"),
                          ("v", 'NETCDF:"a.nc":Band2')):  # fmt: skip
        profile, pixels = read(path, tmp_path / folder, layer)
        assert profile.error is None
        assert np.array_equal(pixels, values[1])
        assert "1 other raster in it not read, named by layer: Band1" in profile.notes


def test_frames_of_pictures(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (50 * i, 0, 0)) for i in (1, 2, 3)]
    for suffix in ("gif", "png", "webp"):
        path = tmp_path / f"a.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0)
        profile, _ = read(path, tmp_path / suffix, None)
        note = "3 images in it; only the first is read"
        assert note in profile.notes or profile.error is not None, (suffix, profile.notes)
        frames[0].save(tmp_path / f"b.{suffix}")
        profile, _ = read(tmp_path / f"b.{suffix}", tmp_path / f"b{suffix}", None)
        assert not any("images in it" in n for n in profile.notes)


def test_images_of_a_nitf_file(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "a.tif", ramp(1, 16, 16, "uint8"), "EPSG:4326",
                          transform=rasterio.Affine(0.1, 0, 5, 0, -0.1, 50))  # fmt: skip
    path = tmp_path / "a.ntf"
    rasterio.shutil.copy(source, path, driver="NITF", NUMI=2)
    with rasterio.open(source) as dataset:
        values = dataset.read()
    rasterio.shutil.copy(source, path, driver="NITF", APPEND_SUBDATASET="YES", IDLVL=2)
    profile, pixels = read(path, tmp_path / "s", None)
    assert profile.error is None
    assert np.array_equal(pixels, values[0])
    assert "1 other raster in it not read, named by layer: 1" in profile.notes
    profile, _ = read(path, tmp_path / "t", "1")
    assert profile.error is None
    assert "1 other raster in it not read, named by layer: 0" in profile.notes


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ('NETCDF:"/a b/x.nc":t2m', "t2m"),
        ("NETCDF:/a b/x.nc:t2m", "t2m"),
        ('HDF5:"/a b/x.nc"://group/v:1', "//group/v:1"),
        ("GPKG:/a b/x.nc:table", "table"),
        ("NITF_IM:1:/a b/x.nc", "1"),
        ('ZARR:"/a b/x.nc":/array', "/array"),
        ("OTHER:elsewhere:v", "v"),
    ],
)
def test_short_names(name: str, short: str) -> None:
    assert raster_pages.short(name, "/a b/x.nc") == short
