"""Rasters: staged without loss, with everything that they carry."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rio_cogeo.cogeo import cog_validate

from spatial_pipeline.errors import StoreError
from spatial_pipeline.ingest import cog, raster_windows
from spatial_pipeline.store.staged import StagedRaster
from spatial_pipeline_tests.ingest.sources import ramp, stage, staged_raster, write_raster
from spatial_pipeline_tests.ingest.test_vector import LIMITED

DTYPES = [
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64",
    "complex64", "complex128",
]  # fmt: skip


def extremes(dtype: str, bands: int = 2, height: int = 300, width: int = 270) -> Any:
    """Random values with the smallest and the largest of the type."""
    rng = np.random.default_rng(1)
    size = (bands, height, width)
    kind = np.dtype(dtype)
    if kind.kind == "c":
        values = (rng.normal(size=size) + 1j * rng.normal(size=size)).astype(dtype)
        values[0, 0, :2] = [complex(np.nan, np.inf), complex(-0.0, 5)]
    elif kind.kind == "f":
        values = rng.normal(size=size).astype(dtype)
        info = np.finfo(kind)
        values[0, 0, :7] = [np.nan, np.inf, -np.inf, -0.0, info.max, info.min, info.tiny]
    else:
        info = np.iinfo(kind)
        values = rng.integers(info.min, info.max, size=size, dtype=kind, endpoint=True)
        values[0, 0, :2] = [info.min, info.max]
    return values


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_pixel_of_every_type(tmp_path: Path, dtype: str) -> None:
    values = extremes(dtype)
    profile, staged = staged_raster(write_raster(tmp_path / "a.tif", values), tmp_path / "s")
    assert profile.error is None
    assert profile.notes == ()
    assert [b.data_type for b in profile.bands] == [dtype] * 2
    with rasterio.open(staged) as dataset:
        assert dataset.read().tobytes() == values.tobytes()
        assert dataset.dtypes == (dtype, dtype)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.tags(ns="IMAGE_STRUCTURE")["COMPRESSION"] == "ZSTD"
    assert cog_validate(staged, strict=True, quiet=True)[0]


def test_the_profile(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(2, 700, 600), nodata=7, overviews=[2, 4])
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("red", "near infrared")
        dataset.colorinterp = (ColorInterp.red, ColorInterp.undefined)
        dataset.scales = (0.5, 0.25)
        dataset.offsets = (10, -1)
        dataset.units = ("m", "K")
        dataset.update_tags(SENSOR="x", NOTE="ä")
    profile, _ = staged_raster(path, tmp_path / "s")
    assert (profile.driver, profile.width, profile.height, profile.count) == ("GTiff", 600, 700, 2)
    assert profile.transform == (10, 0, 500000, 0, -10, 6000000)
    assert profile.bounds == (500000, 5993000, 506000, 6000000)
    assert profile.pyproj_crs is not None
    assert profile.pyproj_crs.to_epsg() == 32633
    assert profile.block_shapes == ((128, 128), (128, 128))
    assert profile.compression == "DEFLATE"
    assert profile.overviews == (2, 4)
    assert profile.mask_flags == (("nodata",), ("nodata",))
    assert profile.tags["SENSOR"] == "x"
    assert profile.tags["NOTE"] == "ä"
    first, second = profile.bands
    assert (first.description, first.color_interpretation, first.nodata) == ("red", "red", 7)
    assert (second.scale, second.offset, second.unit) == (0.25, -1, "K")
    assert profile.cog_errors != ()
    assert profile.broken_blocks == ()


def same(path: Path, staged: Path) -> None:
    """Everything that a raster carries."""
    with rasterio.open(path) as a, rasterio.open(staged) as b:
        assert np.array_equal(a.read(), b.read(), equal_nan=True)
        for name in ("count", "width", "height", "dtypes", "transform", "crs", "descriptions",
                     "colorinterp", "scales", "offsets", "units", "mask_flag_enums"):  # fmt: skip
            assert getattr(a, name) == getattr(b, name), name
        assert str(a.nodatavals) == str(b.nodatavals)
        for band in range(a.count + 1):
            before, after = a.tags(band), b.tags(band)
            assert {k: after.get(k) for k in before} == before
        for band in a.indexes:
            assert np.array_equal(a.read_masks(band), b.read_masks(band))


def test_names_scales_units_and_tags(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(2, 300, 300))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("red", "ö")
        dataset.scales, dataset.offsets, dataset.units = (0.1, 1.0), (5.0, 0.0), ("m", "")
        dataset.update_tags(A="1", B="2 <&> ä")
        dataset.update_tags(1, C="3")
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.notes == ()
    same(path, staged)


def test_tags_of_other_domains(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(2, 300, 300))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(A="1")
        dataset.update_tags(ns="OWN", D="4")
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.notes == ()
    same(path, staged)
    with rasterio.open(staged) as dataset:
        assert dataset.tags(ns="OWN") == {"D": "4"}
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(1, C="3")
    profile, staged = staged_raster(path, tmp_path / "t")
    assert profile.notes == ()
    same(path, staged)
    with rasterio.open(staged) as dataset:
        assert dataset.tags(ns="OWN") == {"D": "4"}
        assert dataset.tags(1) == {"C": "3"}


@pytest.mark.parametrize("nodata", [0, 255, 17])
def test_nodata(tmp_path: Path, nodata: float) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(2, 300, 300, "uint8"), nodata=nodata)
    profile, staged = staged_raster(path, tmp_path / "s")
    assert [b.nodata for b in profile.bands] == [nodata] * 2
    same(path, staged)


@pytest.mark.parametrize(
    ("nodata", "kept"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (-1.5, -1.5)]
)
def test_nodata_that_is_no_number(tmp_path: Path, nodata: float, kept: Any) -> None:
    values = extremes("float32")
    path = write_raster(tmp_path / "a.tif", values, nodata=nodata)
    profile, staged = staged_raster(path, tmp_path / "s")
    assert [b.nodata for b in profile.bands] == [kept] * 2
    json.dumps(profile.to_json(), allow_nan=False)
    same(path, staged)


def test_nodata_of_a_long_integer(tmp_path: Path) -> None:
    text = VRT.format("Int64", -(2**63), "Int64", -(2**63))
    (tmp_path / "a.vrt").write_text(text)
    profile, staged = staged_raster(tmp_path / "a.vrt", tmp_path / "s")
    assert profile.error is None
    assert profile.bands[0].nodata == -(2.0**63)
    with rasterio.open(staged) as dataset:
        assert not dataset.read_masks().any()


def test_an_internal_mask(tmp_path: Path) -> None:
    mask = (ramp(1, 300, 300)[0] % 3 > 0) * np.uint8(255)
    path = write_raster(tmp_path / "a.tif", ramp(3, 300, 300, "uint8"), mask=mask)
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.mask_flags == (("per_dataset",),) * 3
    same(path, staged)
    assert [p.name for p in staged.parent.iterdir()] == ["data.tif"]


def test_an_external_mask(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 300, 300))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(ramp(1, 300, 300)[0] > 50)
    assert (tmp_path / "a.tif.msk").exists()
    _, staged = staged_raster(path, tmp_path / "s")
    same(path, staged)


def test_an_alpha_band(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(4, 300, 300, "uint8"), photometric="rgb",
                        alpha="unspecified")  # fmt: skip
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = (
            ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha,
        )  # fmt: skip
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.bands[3].color_interpretation == "alpha"
    same(path, staged)


def test_a_colour_table(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 300, 300, "uint8"), photometric="palette")
    table = {i: (i, 255 - i, (7 * i) % 256, 255) for i in range(256)}
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, table)
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.bands[0].color_interpretation == "palette"
    assert profile.notes == ()
    with rasterio.open(staged) as dataset:
        assert dataset.colormap(1) == table


def test_few_bits_a_pixel(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 300, 300, "uint8") % 2, nbits=1)
    _, staged = staged_raster(path, tmp_path / "s")
    same(path, staged)


@pytest.mark.parametrize("interleave", ["band", "pixel"])
@pytest.mark.parametrize("layout", [{"tiled": False, "blockysize": 5}, {"blockxsize": 32}])
def test_layouts(tmp_path: Path, interleave: str, layout: dict[str, Any]) -> None:
    path = write_raster(
        tmp_path / "a.tif", ramp(3, 300, 333), interleave=interleave,
        **{"blockxsize": None, **layout},
    )  # fmt: skip
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    same(path, staged)


def test_a_rotated_grid(tmp_path: Path) -> None:
    transform = Affine(8, 3, 500000, 2, -9, 6000000)
    path = write_raster(tmp_path / "a.tif", ramp(1, 40, 50), transform=transform)
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.transform == (8, 3, 500000, 2, -9, 6000000)
    same(path, staged)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (513, 1), (512, 512)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, *size), tiled=False, blockxsize=None,
                        blockysize=1)  # fmt: skip
    _, staged = staged_raster(path, tmp_path / "s")
    same(path, staged)


def test_many_bands_get_small_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cog, "TILE_BYTES", 512 * 512 * 8)
    path = write_raster(tmp_path / "a.tif", ramp(30, 300, 300))
    _, staged = staged_raster(path, tmp_path / "s")
    with rasterio.open(staged) as dataset:
        assert dataset.block_shapes[0] == (128, 128)
    same(path, staged)


@pytest.mark.parametrize(("driver", "suffix"), [("PNG", "png"), ("JPEG", "jpg")])
def test_pictures_with_a_world_file(tmp_path: Path, driver: str, suffix: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        path = write_raster(
            tmp_path / f"a.{suffix}", ramp(3, 300, 280, "uint8"), None, driver=driver,
            transform=None,
        )  # fmt: skip
    (tmp_path / f"a.{suffix[0]}{suffix[-1]}w").write_text("10\n0\n0\n-10\n500005\n5999995\n")
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    assert profile.driver == driver
    assert profile.crs is None
    assert profile.transform == (10, 0, 500000, 0, -10, 6000000)
    assert profile.cog_errors == ("not a GeoTIFF",)
    same(path, staged)


def test_a_raster_without_a_place(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        path = write_raster(tmp_path / "a.tif", ramp(1, 50, 50), None, transform=None)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    assert profile.crs is None
    assert any("no geotransform" in n for n in profile.notes)


def test_ground_control_points_are_told(tmp_path: Path) -> None:
    points = [GroundControlPoint(r, c, 5e5 + c, 6e6 - r) for r, c in [(0, 0), (0, 9), (9, 0)]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        path = write_raster(tmp_path / "a.tif", ramp(1, 50, 50), None, transform=None)
        with rasterio.open(path, "r+") as dataset:
            dataset.gcps = points, rasterio.CRS.from_epsg(32633)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert "placed by 3 ground control points, not by a grid" in profile.notes


def test_in_an_archive(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 300, 300))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "in/a.tif")
    _, staged = staged_raster(tmp_path / "a.zip", tmp_path / "s")
    same(path, staged)


def test_a_cog_is_known_as_one(tmp_path: Path) -> None:
    staged_raster(write_raster(tmp_path / "a.tif", ramp(1, 1500, 1400)), tmp_path / "s")
    profile, _ = staged_raster(tmp_path / "s/staged/data.tif", tmp_path / "t")
    assert profile.cog_errors == ()
    assert profile.compression == "ZSTD"
    assert profile.overviews == (2, 4)


def test_the_store_reads_what_was_staged(tmp_path: Path) -> None:
    values = ramp(2, 700, 900)
    path = write_raster(tmp_path / "a.tif", values, nodata=3)
    profile = stage("raster", path, tmp_path / "s")
    data = StagedRaster(tmp_path / "s/staged/data.tif", profile, "v")
    for row, column, height, width in data.windows():
        window = data.read(row, column, height, width)
        expected = values[:, row : row + height, column : column + width]
        assert np.array_equal(window.values, expected)
        assert np.array_equal(window.valid, expected != 3)


@pytest.mark.parametrize("layer", ["second", None, "third"])
def test_layers(tmp_path: Path, layer: str | None) -> None:
    path = tmp_path / "a.gpkg"
    for i, name in enumerate(("first", "second")):
        write_raster(
            path, ramp(1, 300, 300, "uint8") + i, "EPSG:32633", driver="GPKG",
            RASTER_TABLE=name, **({"APPEND_SUBDATASET": "YES"} if i else {}),
        )  # fmt: skip
    profile = stage("raster", path, tmp_path / "s", layer=layer)
    if layer == "second":
        assert profile.error is None
        with rasterio.open(tmp_path / "s/staged/data.tif") as dataset:
            assert dataset.read(1)[0, 0] == 1
    elif layer is None:
        assert profile.error == (
            "a.gpkg: 2 rasters in it, name one of them as layer: first, second"
        )
    else:
        assert profile.error == "a.gpkg: no layer 'third' in it; layers: first, second"


def test_a_condition_is_for_features(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 30, 30))
    profile, _ = staged_raster(path, tmp_path / "s", where="a = 1")
    assert profile.error == "a.tif: where selects features and cannot be used with a raster"


VRT = """<VRTDataset rasterXSize="20" rasterYSize="20"><GeoTransform>0,1,0,20,0,-1</GeoTransform>
<SRS>EPSG:32633</SRS>
<VRTRasterBand dataType="{0}" band="1"><NoDataValue>{1}</NoDataValue></VRTRasterBand>
<VRTRasterBand dataType="{2}" band="2"><NoDataValue>{3}</NoDataValue></VRTRasterBand>
</VRTDataset>"""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("Byte", 0, "Float32", 0), "bands of different types (uint8, float32)"),
        (("Byte", 0, "Byte", 9), "bands with different nodata values (0, 9)"),
    ],
)
def test_what_a_geotiff_cannot_hold(tmp_path: Path, values: Any, message: str) -> None:
    (tmp_path / "a.vrt").write_text(VRT.format(*values))
    profile, _ = staged_raster(tmp_path / "a.vrt", tmp_path / "s")
    assert message in str(profile.error)
    assert profile.count == 2


def test_a_full_disk_is_no_fault_of_the_source(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 9999, (1, 600, 600)).astype("uint16")
    path = write_raster(tmp_path / "a.tif", values)
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "raster", str(path), str(tmp_path / "out")],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert "cannot be written" in first
    assert second == "[]"


def test_a_copy_that_is_not_the_original_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_raster(tmp_path / "a.tif", ramp(1, 300, 300))
    real = cog._copy

    def careless(path: str, target: Path, options: dict[str, Any]) -> None:
        real(path, target, options)
        with rasterio.open(target, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            values = dataset.read(1)
            values[100, 100] += 1
            dataset.write(values, 1)

    monkeypatch.setattr(cog, "_copy", careless)
    with pytest.raises(StoreError, match="does not hold the pixels and masks that were read"):
        stage("raster", path, tmp_path / "s")


def test_progress_reaches_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spatial_pipeline.contract.source import Source
    from spatial_pipeline.ingest import ingest

    monkeypatch.setattr(raster_windows, "WINDOW_BYTES", 128 * 128 * 4)
    path = write_raster(tmp_path / "a.tif", ramp(1, 700, 600), overviews=[2])
    seen: list[tuple[int, int | None]] = []
    source = Source(uri=str(path), layer=None, where=None)
    ingest("raster", source, None, tmp_path, tmp_path, None, lambda *at: seen.append(at))
    assert [s[0] for s in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][0] == seen[-1][1]
