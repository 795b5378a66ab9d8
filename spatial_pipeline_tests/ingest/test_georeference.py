"""A raster lies where its numbers say, or it is not readable and the number is named."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatial_pipeline.contract.rules.metadata import BoundsWithin, Readable
from spatial_pipeline.contract.rules.raster_metadata import GridAlignment, Nodata, Resolution
from spatial_pipeline.contract.rules.validity import NodataFraction, ReadablePixels
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.ingest import georeference
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.store.staged import StagedRaster
from spatial_pipeline_tests.ingest.sources import staged_raster
from spatial_pipeline_tests.ingest.tiffs import DOUBLE, MATRIX, SCALE, TIEPOINT, write_tiff
from spatial_pipeline_tests.support import run_rule

VALUES = np.arange(8, dtype="uint8").reshape(2, 4)
TIE = [0.0, 0, 0, 500000, 4000000, 0]
NAN, INF = math.nan, math.inf
RULES = (
    Readable(), ReadablePixels(), Nodata(equals=None), Resolution(equals=10),
    GridAlignment(origin=(0, 0), resolution=10), BoundsWithin(bounds=(0, 0, 1, 1)),
    NodataFraction(max=0.5),
)  # fmt: skip


def matrix(a: float, b: float, c: float, d: float, e: float, f: float) -> list[float]:
    """ModelTransformation of affine coefficients."""
    return [a, b, 0, c, d, e, 0, f, 0, 0, 0, 0, 0, 0, 0, 1]


def geotiff(path: Path, **numbers: list[float]) -> Path:
    tags = {"scale": SCALE, "tie": TIEPOINT, "matrix": MATRIX}
    return write_tiff(path, VALUES, tags={tags[k]: (DOUBLE, v) for k, v in numbers.items()})


def refused(path: Path, tmp_path: Path, reason: str, **source: Any) -> RasterProfile:
    """Profile of a raster that is refused for a reason, and of which no rule raises or passes."""
    profile, target = staged_raster(path, tmp_path / "s", **source)
    assert reason in str(profile.error)
    for rule in RULES:
        result, _ = run_rule(rule, StagedRaster(target, profile, "v"))
        assert result.status in {Status.FAILED, Status.ERROR}
        if isinstance(rule, Readable | ReadablePixels):
            assert result.status is Status.FAILED
            assert reason in result.message
        else:
            assert result.message == "needs a readable source"
    return profile


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"scale": [NAN, 10, 0], "tie": TIE}, "the geotransform is not finite: (nan, 0, nan, 0"),
        ({"scale": [INF, 10, 0], "tie": TIE}, "the geotransform is not finite: (inf"),
        ({"scale": [10, 10, 0], "tie": [0, 0, 0, NAN, 0, 0]}, "the geotransform is not finite"),
        ({"scale": [10, 10, 0], "tie": [0, 0, 0, 0, -INF, 0]}, "the geotransform is not finite"),
        ({"matrix": matrix(10, NAN, 0, 0, -10, 0)}, "the geotransform is not finite: (10, nan"),
        ({"scale": [1e308, 1e308, 0], "tie": TIE}, "the extent is not finite"),
        ({"scale": [0, 0, 0], "tie": TIE}, "the pixels have no area: ModelPixelScale (0, 0, 0)"),
        ({"scale": [10, 0, 0], "tie": TIE}, "the pixels have no area: ModelPixelScale (10, 0, 0)"),
        ({"scale": [10], "tie": TIE}, "the pixels have no area: ModelPixelScale (10)"),
        ({"matrix": [0.0] * 16}, "the pixels have no area"),
        ({"matrix": matrix(10, 10, 0, 10, 10, 0)}, "the pixels have no area"),
        ({"matrix": matrix(0.1, 0.3, 0, 0.2, 0.6, 0)}, "the pixels have no area"),
        ({"scale": [1e-320, 1e-320, 0], "tie": TIE}, "the pixels have no area"),
        ({"matrix": [10.0] * 8}, "ModelTransformation has 8 numbers, not 16"),
        ({"tie": [*TIE, 4, 0, 0, 500040, 4000000, 0, 0, 2, 0, NAN, 3999980, 0]},
         "ground control point 3 is not finite: (0, 2, nan"),
        ({"tie": [*TIE, 4, 0, 0, INF, 4000000, 0]}, "ground control point 2 is not finite"),
    ],
)  # fmt: skip
def test_geotiffs(tmp_path: Path, numbers: dict[str, list[float]], reason: str) -> None:
    refused(geotiff(tmp_path / "a.tif", **numbers), tmp_path, reason)


@pytest.mark.parametrize(
    ("numbers", "transform"),
    [
        ({"scale": [10, 10, 0], "tie": TIE}, (10, 0, 500000, 0, -10, 4000000)),
        ({"matrix": matrix(0, 10, 3, -10, 0, 7)}, (0, 10, 3, -10, 0, 7)),
        ({"matrix": matrix(8, 6, 3, 6, -8, 7)}, (8, 6, 3, 6, -8, 7)),
        ({"matrix": matrix(1e-9, 0, 12, 0, -1e-9, 47)}, (1e-9, 0, 12, 0, -1e-9, 47)),
        ({}, georeference.UNPLACED),
        ({"tie": [*TIE, 4, 0, 0, 500040, 4000000, 0, 0, 2, 0, 500000, 3999980, 0]},
         georeference.UNPLACED),
    ],
)  # fmt: skip
def test_sound_geotiffs(tmp_path: Path, numbers: dict[str, list[float]], transform: Any) -> None:
    profile, _ = staged_raster(geotiff(tmp_path / "a.tif", **numbers), tmp_path / "s")
    assert (profile.error, profile.transform) == (None, transform)


WORLD = "10\n0\n0\n-10\n{}\n3999995\n"


@pytest.mark.parametrize("suffix", ["tif", "png"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nan\n0\n0\n-10\n5\n5\n", "the geotransform is not finite: (nan, 0, nan"),
        (WORLD.format("inf"), "the geotransform is not finite: (10, 0, inf"),
        (WORLD.format("5d5"), "world file a.{}, line 5: '5d5' is not a finite number"),
        (WORLD.format("1e400"), "the geotransform is not finite"),
        ("abc\n0\n0\n-10\n5\n5\n", "world file a.{}, line 1: 'abc' is not a finite number"),
        (WORLD.format("abc"), "world file a.{}, line 5: 'abc' is not a finite number"),
        (WORLD.format("12abc"), "world file a.{}, line 5: '12abc' is not a finite number"),
        ("10\n0\n0\n-10\n5\n", "world file a.{} has 5 lines, not 6"),
        ("10 0 0 -10 5 5\n", "world file a.{} has 1 lines, not 6"),
        ("0\n0\n0\n0\n5\n5\n", "world file a.{}: its pixels have no area"),
        ("10\n10\n10\n10\n5\n5\n", "the pixels have no area"),
    ],
)
def test_world_files(tmp_path: Path, suffix: str, text: str, reason: str) -> None:
    world = {"tif": "tfw", "png": "pgw"}[suffix]
    path = picture(tmp_path / f"a.{suffix}")
    (tmp_path / f"a.{world}").write_text(text)
    refused(path, tmp_path, reason.format(world))


def picture(path: Path) -> Path:
    if path.suffix == ".tif":
        return write_tiff(path, VALUES, tags={})
    from PIL import Image

    Image.fromarray(VALUES).save(path)
    return path


def test_sound_world_files(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.tif")
    for i, text in enumerate(
        (WORLD.format("500005"), WORLD.format("500005,0"), "\n" + WORLD.format("5.00005e5") + "x")
    ):
        (tmp_path / "a.tfw").write_text(text)
        profile, _ = staged_raster(path, tmp_path / str(i))
        assert (profile.error, profile.transform[2]) == (None, 500000)


def test_a_world_file_that_is_not_used_does_not_matter(tmp_path: Path) -> None:
    path = geotiff(tmp_path / "a.tif", scale=[10, 10, 0], tie=TIE)
    (tmp_path / "a.tfw").write_text("garbage")
    profile, _ = staged_raster(path, tmp_path / "s")
    assert (profile.error, profile.transform[2]) == (None, 500000)


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        ("nan,10,0,5,0,-10", "the geotransform is not finite: (10, 0, nan"),
        ("abc,10,0,5,0,-10", "a.tif.aux.xml, GeoTransform: 'abc' is not a finite number"),
        ("5,10,0", "a.tif.aux.xml: GeoTransform has 3 numbers, not 6"),
        ("5,1e400,0,5,0,-10", "the geotransform is not finite"),
        ("5,0,0,5,0,0", "the pixels have no area"),
    ],
)
def test_aux_files(tmp_path: Path, transform: str, reason: str) -> None:
    path = write_tiff(tmp_path / "a.tif", VALUES, tags={})
    (tmp_path / "a.tif.aux.xml").write_text(
        f"<PAMDataset><GeoTransform>{transform}</GeoTransform></PAMDataset>"
    )
    refused(path, tmp_path, reason)


def test_an_aux_file_that_is_no_xml_is_said(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", VALUES)
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset><GeoTransform>")
    profile, _ = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    assert any("a.tif.aux.xml is not well-formed XML" in n for n in profile.notes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("abc", "a.vrt, GeoTransform: 'abc' is not a finite number"),
        ("nan", "the geotransform is not finite: (1, 0, nan, 0, -1, 9)"),
    ],
)
def test_a_vrt(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.vrt").write_text(
        f'<VRTDataset rasterXSize="4" rasterYSize="2"><GeoTransform>{text},1,0,9,0,-1'
        '</GeoTransform><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    refused(tmp_path / "a.vrt", tmp_path, reason)


def test_an_ascii_grid(tmp_path: Path) -> None:
    (tmp_path / "a.asc").write_text(
        "ncols 2\nnrows 1\nxllcorner abc\nyllcorner 0\ncellsize 1\n1 2\n"
    )
    refused(tmp_path / "a.asc", tmp_path, "xllcorner: 'abc' is not a finite number")
