from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from spatial_pipeline.ingest.conformance import geotiff
from spatial_pipeline.ingest.integrity import tiff_directory
from spatial_pipeline_tests.ingest.sources import stage


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
    assert set(profile.conformance.codes) == {geotiff.STANDARD, "COG"}


def test_a_file_without_keys_and_one_that_is_no_cog(tmp_path: Path) -> None:
    profile = stage("raster", written(tmp_path / "a.tif", None), tmp_path / "s")
    assert [f.code for f in profile.conformance.findings] == ["GeoKeyDirectoryTag"]
    found = geotiff.judge(tmp_path / "a.tif", 1, ["not tiled"], ["no overviews"]).evidence()
    assert [f.code for f in found.findings if f.standard == "COG"] == ["COG", "COG overviews"]


def keys(*entries: tuple[int, int, int, int], head: tuple[int, ...] = (1, 1, 0)) -> list[int]:
    return [*head, len(entries), *(w for e in entries for w in e)]


UTM = ((1024, 0, 1, 1), (1025, 0, 1, 1), (3072, 0, 1, 32633))
CHANGES: list[tuple[str, dict[int, Any]]] = [
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
