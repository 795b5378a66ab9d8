"""Blocks that do not decode."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest import raster_scan, raster_windows
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline_tests.ingest.sources import (
    block_places,
    cut,
    overwrite,
    ramp,
    smash,
    staged_raster,
    write_raster,
)

Named = list[tuple[int, int, int, int]]


def named(profile: RasterProfile) -> Named:
    return [(b.band, b.overview, b.row, b.column) for b in profile.broken_blocks]


@pytest.mark.parametrize("compress", ["deflate", "lzw", "lzma", "lerc_deflate"])
def test_a_block_in_the_middle(tmp_path: Path, compress: str) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(2, 600, 700), compress=compress)
    smash(path, 8)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert named(profile) == [(1, 0, 1, 2), (2, 0, 1, 2)]
    first = profile.broken_blocks[0]
    assert first.bounds == (500000 + 2560, 6000000 - 2560, 500000 + 3840, 6000000 - 1280)
    assert first.reason
    assert str(profile.error).startswith(
        "a.tif: 2 blocks do not decode: band 1, block row 1, column 2: "
    )
    assert profile.width == 700
    assert profile.compression == compress.upper()


def test_every_broken_block_is_named(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(2, 600, 700), interleave="band")
    for block in (0, 7, 29, 30 + 13):
        smash(path, block)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert named(profile) == [(1, 0, 0, 0), (1, 0, 1, 1), (1, 0, 4, 5), (2, 0, 2, 1)]
    # The last block of a row and column ends where the raster ends.
    assert profile.broken_blocks[2].bounds == (506400, 5994000, 507000, 5994880)


def test_strips(tmp_path: Path) -> None:
    path = write_raster(
        tmp_path / "a.tif", ramp(1, 200, 300), tiled=False, blockxsize=None, blockysize=16
    )
    smash(path, 5)
    assert named(staged_raster(path, tmp_path / "s")[0]) == [(1, 0, 5, 0)]


def test_overviews(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 1000, 1000), overviews=[2, 4])
    smash(path, 5, directory=1)
    smash(path, 3, directory=2)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert named(profile) == [(1, 1, 1, 1), (1, 2, 1, 1)]
    assert profile.broken_blocks[0].bounds == (502560, 5994880, 505120, 5997440)
    assert "overview 1" in str(profile.error)


def test_external_overviews(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 1000, 1000))
    outside = rasterio.Env(TIFF_USE_OVR=True, COMPRESS_OVERVIEW="DEFLATE")
    with outside, rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2], rasterio.enums.Resampling.nearest)
    smash(tmp_path / "a.tif.ovr", 4)
    assert [n[:2] for n in named(staged_raster(path, tmp_path / "s")[0])] == [(1, 1)]


def test_masks(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).integers(0, 2, (600, 700)).astype("uint8") * 255
    path = write_raster(tmp_path / "a.tif", ramp(1, 600, 700), mask=mask)
    smash(path, 9, directory=1)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert named(profile) == [(1, 0, 1, 3)]
    assert profile.broken_blocks[0].reason.startswith("mask: ")


def test_one_that_was_cut(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 600, 700), compress="none")
    profile, _ = staged_raster(cut(path, 0.6), tmp_path / "s")
    found = named(profile)
    assert found == [(1, 0, r, c) for r in range(5) for c in range(6)][-len(found) :]
    assert 10 < len(found) < 14


@pytest.mark.parametrize("fraction", [0.00001, 0.0001])
def test_one_without_a_directory(tmp_path: Path, fraction: float) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 600, 700), compress="none")
    profile, _ = staged_raster(cut(path, fraction), tmp_path / "s")
    assert "a.tif" in str(profile.error)
    assert profile.width == 0


@pytest.mark.parametrize(("driver", "suffix"), [("PNG", "png"), ("JPEG", "jpg")])
def test_pictures_that_were_cut(tmp_path: Path, driver: str, suffix: str) -> None:
    values = np.random.default_rng(0).integers(0, 255, (3, 600, 700)).astype("uint8")
    path = write_raster(tmp_path / f"a.{suffix}", values, driver=driver)
    profile, _ = staged_raster(cut(path, 0.5), tmp_path / "s")
    for band in (1, 2, 3):
        rows = [b.row for b in profile.broken_blocks if not b.overview and b.band == band]
        assert rows == list(range(rows[0], 600))
        assert 50 < rows[0] < 550


def test_a_picture_with_a_damaged_middle(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (3, 300, 300)).astype("uint8")
    path = overwrite(write_raster(tmp_path / "a.png", values, driver="PNG"), 0.5, 60)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert {b.band for b in profile.broken_blocks} == {1, 2, 3}


def test_no_raster(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("no raster")
    profile, _ = staged_raster(tmp_path / "a.tif", tmp_path / "s")
    assert "a.tif' not recognized as being in a supported file format" in str(profile.error)
    for uri, message in (("gone.tif", "does not exist"), ("s", "is a folder")):
        profile, _ = staged_raster(tmp_path / uri, tmp_path / f"t{uri}")
        assert message in str(profile.error)


@given(
    st.sets(st.integers(0, 29), max_size=4),
    st.integers(1, 3),
    st.sampled_from([1, 200_000, 1 << 24]),
)
@settings(deadline=None, max_examples=20)
def test_threads_and_windows_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, smashed: set[int], workers: int, window: int
) -> None:
    path = write_raster(tmp_path_factory.mktemp("r") / "a.tif", ramp(1, 600, 700))
    for block in smashed:
        smash(path, block)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_windows, "WINDOW_BYTES", window)
        found = raster_scan.scan(str(path), workers)
    assert [(b.row, b.column) for b in found.broken] == [divmod(b, 6) for b in sorted(smashed)]


def test_checksums_tell_pixels_and_masks_apart(tmp_path: Path) -> None:
    values, mask = ramp(1, 300, 300), np.full((300, 300), 255, "uint8")
    sums: list[Any] = []
    for i in range(3):
        values[0, 7, 7] += i == 1
        mask[7, 7] = 255 * (i != 2)
        path = write_raster(tmp_path / f"{i}.tif", values, mask=mask)
        sums.append(raster_scan.scan(str(path), 1).checksums)
    assert sums[0].keys() == sums[1].keys() == sums[2].keys()
    assert sums[0] != sums[1] != sums[2]
    path = write_raster(tmp_path / "t.tif", values, mask=mask, blockxsize=32, compress="zstd")
    again = raster_scan.checksums(str(path), list(sums[2]), 2)
    assert again == sums[2]


def test_a_stream_that_still_decodes_is_checked(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (2, 300, 300)).astype("uint8")
    for interleave, expected in (("pixel", [1, 2]), ("band", [1])):
        path = write_raster(tmp_path / "a.tif", values, interleave=interleave, zlevel=1)
        offset, length = block_places(path)[4]
        data = bytearray(path.read_bytes())
        data[offset + length - 1] ^= 1
        path.write_bytes(data)
        profile, _ = staged_raster(path, tmp_path / interleave)
        assert named(profile) == [(b, 0, 1, 1) for b in expected]


# rasterio cannot decode what GDAL quotes of damaged tags when it logs it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_random_damage_is_never_a_traceback(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(2, 150, 150), overviews=[2])
    whole = path.read_bytes()
    for i in range(40):
        path.write_bytes(whole)
        staged_raster(overwrite(path, i / 40, 12), tmp_path / f"s{i}")


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("broken", [False, True])
def test_time_is_linear_in_bands(tmp_path: Path, interleave: str, broken: bool) -> None:
    def calls(bands: int) -> int:
        values = np.random.default_rng(0).integers(0, 255, (bands, 4, 4)).astype("uint8")
        path = write_raster(
            tmp_path / f"{bands}.tif", values, interleave=interleave, tiled=False,
            blockxsize=None, blockysize=4, mask=np.full((4, 4), 255, "uint8"),
        )  # fmt: skip
        if broken:
            smash(path, 0)
        count = 0

        def seen(*_: object) -> None:
            nonlocal count
            count += 1

        before = sys.getprofile()
        threading.setprofile(seen)
        sys.setprofile(seen)
        try:
            profile, _ = staged_raster(path, tmp_path / f"s{bands}")
        finally:
            sys.setprofile(before)
            threading.setprofile(None)
        assert bool(profile.broken_blocks) == broken
        return count

    # Quadratic time would need 16 times as many.
    assert calls(800) < 6 * calls(200)
