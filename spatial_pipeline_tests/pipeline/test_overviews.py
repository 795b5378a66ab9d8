"""Overviews of real files, from the source to the verdict."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import Resampling

from spatial_pipeline.contract.models import RasterContract
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.pipeline.overviews import built
from spatial_pipeline_tests.pipeline.test_pipeline import audited, story

METHODS = ("nearest", "average", "mode", "bilinear", "cubic", "gauss")


def write(file: Path, values, method=None, nodata=0, mask=None):
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            file, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1,
            dtype=values.dtype, crs="EPSG:32633", nodata=nodata, tiled=True, blockxsize=64,
            blockysize=64, transform=Affine(10, 0, 500000, 0, -10, 4649776),
        ) as to,
    ):  # fmt: skip
        to.write(values, 1)
        if mask is not None:
            to.write_mask(mask)
    if method is not None:
        with rasterio.open(file, "r+") as to:
            to.build_overviews([2, 4], Resampling[method])
    return file


def contract(file: Path, **parameters) -> RasterContract:
    rules = [{"rule": "overviews_match", **parameters}]
    return RasterContract.model_validate(
        {"name": "dem", "source": {"uri": str(file)}, "rules": rules}
    )


def verdict(folder: Path, file: Path, **parameters):
    of = contract(file, **parameters)
    return audited(story(folder, of), of)[1].results[-1]


def noise(height=128, width=101):
    return np.random.default_rng(1).integers(0, 200, (height, width)).astype("uint8")


@pytest.mark.parametrize("method", METHODS)
def test_stale_overviews_are_found(tmp_path: Path, method: str) -> None:
    values = noise()
    file = write(tmp_path / "dem.tif", values, method)
    assert verdict(tmp_path / "one", file, resampling=method).passed
    with rasterio.open(file, "r+") as to:
        values[40:80, 40:80] = 7
        to.write(values, 1)
    result = verdict(tmp_path / "two", file, resampling=method)
    assert result.status is Status.FAILED
    assert {v.reason.partition(",")[0] for v in result.sample} == {"overview 1:2", "overview 1:4"}


def test_another_method_is_not_the_same(tmp_path: Path) -> None:
    file = write(tmp_path / "dem.tif", noise(), "average")
    assert not verdict(tmp_path, file, resampling="nearest", levels=[4]).passed


def test_masks_have_overviews_too(tmp_path: Path) -> None:
    mask = np.full((128, 101), 255, dtype="uint8")
    mask[:30] = 0
    file = write(tmp_path / "dem.tif", noise(), "nearest", nodata=None, mask=mask)
    result = verdict(tmp_path, file)
    assert result.passed, result.message
    assert result.checked < 64 * 51 + 32 * 26


def test_a_source_without_overviews_says_so(tmp_path: Path) -> None:
    result = verdict(tmp_path, write(tmp_path / "dem.tif", noise()))
    assert (result.passed, result.message) == (True, "the source has no overviews")


def test_a_source_that_changed_is_not_judged(tmp_path: Path) -> None:
    file = write(tmp_path / "dem.tif", noise(), "nearest")
    of = contract(file)
    pipeline = story(tmp_path, of)
    version, _ = audited(pipeline, of)
    write(file, noise() + 1, "nearest")
    of = contract(file, tolerance=1)
    result = asyncio.run(pipeline.audit(of, version)).results[-1]
    assert result.status is Status.ERROR
    assert "the source changed since this version was staged" in result.message


def test_built_averages_are_those_of_a_loop(tmp_path: Path) -> None:
    values = noise(16, 12).astype("float32")
    file = built(write(tmp_path / "a.tif", values, nodata=None), tmp_path / "b.tif", [2], "average")
    with rasterio.open(file, overview_level=0) as level:
        found = level.read(1)
    for row in range(8):
        for column in range(6):
            square = values[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            assert found[row, column] == square.mean()
