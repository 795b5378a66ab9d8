"""Nodata is what the file declares, to the last digit, from the source to the rules."""

from __future__ import annotations

import json
import logging
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from spatial_pipeline.contract.rules.raster_metadata import Nodata
from spatial_pipeline.contract.rules.validity import NodataFraction, PixelRange
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.ingest import raster_nodata, raster_vrt
from spatial_pipeline.ingest.integrity.raster_texts import number
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.store.staged import StagedRaster
from spatial_pipeline_tests.ingest.sources import staged_raster, write_raster
from spatial_pipeline_tests.ingest.tiffs import write_tiff
from spatial_pipeline_tests.support import run_rule

INT64, UINT64 = np.iinfo("int64"), np.iinfo("uint64")
CANNOT = "cannot occur in {}: no pixel is without data"


def pixels(dtype: str) -> Any:
    """(2, 4) pixels: small numbers, and the ends of the type."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        ends = np.iinfo(kind)
        return np.array([0, 1, 2, 3, ends.max, ends.min, 7, ends.max - 1], kind).reshape(2, 4)
    ends_of_float = np.finfo(kind)
    return np.array(
        [0, 1, -9999, 0.1, ends_of_float.max, ends_of_float.min, np.nan, np.inf], kind
    ).reshape(2, 4)


def declared_in(path: Path) -> list[str | None]:
    """Nodata of every band of a file, with all digits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path) as dataset:
            return raster_vrt.described(dataset, path.parent).nodata()


def staged(tmp_path: Path, dtype: str, text: str) -> tuple[RasterProfile, StagedRaster, Path]:
    path = write_tiff(tmp_path / "a.tif", pixels(dtype), nodata=text)
    profile, target = staged_raster(path, tmp_path / "s")
    assert profile.error is None, profile.error
    kept = RasterProfile.from_json(json.loads(json.dumps(profile.to_json())))
    return kept, StagedRaster(target, kept, "v"), target


@pytest.mark.parametrize(
    ("dtype", "text", "value", "missing"),
    [
        ("int64", "9223372036854775807", INT64.max, [INT64.max]),
        ("int64", "9223372036854775806", INT64.max - 1, [INT64.max - 1]),
        ("int64", "-9223372036854775808", INT64.min, [INT64.min]),
        ("int64", "9007199254740993", 2**53 + 1, []),
        ("int64", "-9999", -9999, []),
        ("int64", "1e0", 1, [1]),
        ("int64", "0.2e1", 2, [2]),
        ("uint64", "18446744073709551615", UINT64.max, [UINT64.max]),
        ("uint64", "18446744073709551614", UINT64.max - 1, [UINT64.max - 1]),
        ("uint64", "7.0", 7, [7]),
        ("uint8", "0", 0, [0, 0]),
        ("uint8", " 255 ", 255, [255]),
        ("uint8", "7,0", 7, [7]),
        ("uint32", "4294967295", 2**32 - 1, [2**32 - 1]),
        ("int8", "-128", -128, [-128]),
    ],
)
def test_integers(tmp_path: Path, dtype: str, text: str, value: int, missing: list[int]) -> None:
    profile, data, target = staged(tmp_path, dtype, text)
    assert profile.notes == ()
    assert profile.bands[0].nodata == value
    assert isinstance(profile.bands[0].nodata, int)
    assert declared_in(target) == [str(value)]
    window = data.read(0, 0, 2, 4)
    assert window.values[~window.valid].tolist() == missing
    assert run_rule(Nodata(equals=value), data)[0].passed
    assert not run_rule(Nodata(equals=value - 1), data)[0].passed
    result, _ = run_rule(NodataFraction(max=1.0), data)
    assert result.value == len(missing) / 8


@pytest.mark.parametrize(
    ("dtype", "text", "value", "kept"),
    [
        ("uint8", "-9999", -9999, "-9999"),
        ("uint8", "300", 300, "300"),
        ("uint8", "1.5", 1.5, None),
        ("uint8", "nan", "nan", "nan"),
        ("int16", "40000", 40000, "40000"),
        ("uint32", "-1", -1, "-1"),
        ("int32", "-inf", "-inf", "-inf"),
        ("int64", "1.5", 1.5, None),
        ("int64", "nan", "nan", None),
        ("int64", "9223372036854775808", 2**63, None),
        ("int64", "1e400", math.inf, None),
        ("uint64", "-1", -1, None),
        ("uint64", "18446744073709551616", 2**64, None),
        ("int8", "200", 200, None),
    ],
)
def test_values_that_the_type_does_not_have(
    tmp_path: Path, dtype: str, text: str, value: Any, kept: str | None
) -> None:
    profile, data, target = staged(tmp_path, dtype, text)
    assert len(profile.notes) == 1
    assert CANNOT.format(dtype) in profile.notes[0]
    assert ("not carried over" in profile.notes[0]) == (kept is None)
    assert declared_in(target) == [kept]
    window = data.read(0, 0, 2, 4)
    assert window.valid.all()
    assert np.array_equal(window.values[0], pixels(dtype))
    if isinstance(value, str) or math.isinf(value):
        value = float(value)
    result, _ = run_rule(Nodata(equals=value), data)
    assert result.passed
    assert f"cannot occur in {dtype}" in result.message
    result, violations = run_rule(Nodata(equals=5), data)
    assert result.status is Status.FAILED
    assert str(violations.reasons[0]).startswith("band 1: nodata ")
    assert run_rule(NodataFraction(max=0.0), data)[0].passed


@pytest.mark.parametrize(
    ("text", "value", "missing"),
    [
        ("-9999", -9999.0, 1),
        ("0.1", float(np.float32(0.1)), 1),
        ("0.100000001490116", float(np.float32(0.1)), 1),
        ("-3.4028234663852886e+38", float(np.finfo("float32").min), 1),
        ("-3.4028235e+38", float(np.finfo("float32").min), 1),
        ("nan", "nan", 1),
        ("-1.#IND", "nan", 1),
        ("inf", "inf", 1),
        ("1e39", "inf", 1),
    ],
)
def test_floats_in_decimal_text(tmp_path: Path, text: str, value: Any, missing: int) -> None:
    profile, data, _ = staged(tmp_path, "float32", text)
    assert profile.bands[0].nodata == value
    window = data.read(0, 0, 2, 4)
    assert np.count_nonzero(~window.valid) == missing
    exact = number(text)
    assert exact is not None
    assert run_rule(Nodata(equals=float(exact)), data)[0].passed


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
@pytest.mark.parametrize("text", ["abc", "7x", "0x10", "1 2", "--5", "1e"])
def test_texts_that_are_no_number(tmp_path: Path, dtype: str, text: str) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels(dtype), nodata=text)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert profile.error == f"a.tif: band 1: nodata {text!r} is not a number"


def test_an_empty_text_declares_none(tmp_path: Path) -> None:
    profile, data, target = staged(tmp_path, "uint8", "")
    assert (profile.bands[0].nodata, profile.notes, declared_in(target)) == (None, (), [None])
    assert data.read(0, 0, 2, 4).valid.all()


@pytest.mark.parametrize(("text", "value"), [("1e3", 1000), ("9223372036854775807", INT64.max)])
def test_nodata_of_an_aux_file_counts(tmp_path: Path, text: str, value: int) -> None:
    path = write_tiff(tmp_path / "a.tif", pixels("int64"), nodata="7")
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>' + text + "</NoDataValue>"
        "</PAMRasterBand></PAMDataset>"
    )
    profile, target = staged_raster(path, tmp_path / "s")
    assert (profile.error, profile.bands[0].nodata) == (None, value)
    assert declared_in(target) == [str(value)]


@pytest.mark.parametrize(
    ("kind", "text", "end"),
    [
        ("Int64", "9223372036854775807", INT64.max),
        ("UInt64", "18446744073709551615", UINT64.max),
        ("Byte", "abc", "a.vrt: band 2: nodata 'abc' is not a number"),
        ("Byte", "-9999", -9999),
    ],
)
def test_a_vrt(tmp_path: Path, kind: str, text: str, end: Any) -> None:
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{i}"><NoDataValue>{t}</NoDataValue>'
        "</VRTRasterBand>"
        for i, t in ((1, text if text != "abc" else "0"), (2, text))
    )
    (tmp_path / "a.vrt").write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="2"><GeoTransform>0,1,0,9,0,-1</GeoTransform>'
        f"{bands}</VRTDataset>"
    )
    profile, _ = staged_raster(tmp_path / "a.vrt", tmp_path / "s")
    if isinstance(end, str):
        assert profile.error == end
    else:
        assert (profile.error, [b.nodata for b in profile.bands]) == (None, [end] * 2)


def test_text_headers(tmp_path: Path) -> None:
    grid = "ncols 2\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\nNODATA_value {}\n1 2\n"
    (tmp_path / "a.asc").write_text(grid.format("none"))
    profile, _ = staged_raster(tmp_path / "a.asc", tmp_path / "s")
    assert profile.error == "a.asc: band 1: nodata 'none' is not a number"
    (tmp_path / "b.asc").write_text(grid.format("2"))
    profile, _ = staged_raster(tmp_path / "b.asc", tmp_path / "t")
    assert (profile.error, profile.bands[0].nodata) == (None, 2)
    envi = (
        "ENVI\nsamples = 4\nlines = 2\nbands = 1\nheader offset = 0\ndata type = 14\n"
        "interleave = bsq\nbyte order = 0\ndata ignore value = {}\n"
    )
    (tmp_path / "c.bin").write_bytes(pixels("int64").tobytes())
    for folder, text, end in (
        ("u", "9223372036854775807", (None, INT64.max)),
        ("v", "n/a", ("c.bin: band 1: nodata 'n/a' is not a number", None)),
    ):
        (tmp_path / "c.hdr").write_text(envi.format(text))
        profile, _ = staged_raster(tmp_path / "c.bin", tmp_path / folder)
        bands = [b.nodata for b in profile.bands]
        assert (profile.error, *bands) == (end if end[1] is not None else (end[0],))


def test_formats_with_typed_nodata(tmp_path: Path) -> None:
    values = pixels("int64")
    for driver, suffix in (("netCDF", "nc"), ("Zarr", "zarr")):
        path = tmp_path / f"a.{suffix}"
        vrt = tmp_path / f"{suffix}.vrt"
        source = write_tiff(tmp_path / f"{suffix}.tif", values, nodata=str(INT64.max))
        rasterio.shutil.copy(source, vrt, driver="VRT")
        rasterio.shutil.copy(vrt, path, driver=driver)
        profile, target = staged_raster(path, tmp_path / suffix)
        assert (profile.error, profile.bands[0].nodata) == (None, INT64.max)
        window = StagedRaster(target, profile, "v").read(0, 0, 2, 4)
        assert window.values[~window.valid].tolist() == [INT64.max]


def test_bands_that_differ_in_the_last_digit_only(tmp_path: Path) -> None:
    bands = "".join(
        f'<VRTRasterBand dataType="Int64" band="{i}"><NoDataValue>{INT64.max - i}</NoDataValue>'
        "</VRTRasterBand>"
        for i in (1, 2)
    )
    (tmp_path / "a.vrt").write_text(
        f'<VRTDataset rasterXSize="4" rasterYSize="2">{bands}</VRTDataset>'
    )
    profile, _ = staged_raster(tmp_path / "a.vrt", tmp_path / "s")
    assert "bands with different nodata values" in str(profile.error)


def test_gdal_is_not_heard_rounding(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _, data, _ = staged(tmp_path, "int64", str(INT64.max))
    with caplog.at_level(logging.DEBUG):
        data.read(0, 0, 2, 4)
    assert "approximate" not in caplog.text


def test_pixels_beside_nodata_are_judged_exactly(tmp_path: Path) -> None:
    _, data, _ = staged(tmp_path, "int64", str(INT64.max))
    result, violations = run_rule(PixelRange(max=10), data)
    assert (result.checked, result.violations) == (7, 1)
    assert "9223372036854775806" in str(violations.reasons[0])


def test_the_note_names_bands_that_differ() -> None:
    impossible, fine = raster_nodata.BandNodata(-1, possible=False), raster_nodata.BandNodata(3)
    assert raster_nodata.note([impossible, fine], ["uint8", "uint8"]) == [
        "band 1: nodata -1 cannot occur in uint8: no pixel is without data"
    ]
    assert raster_nodata.note([impossible] * 2, ["uint8", "uint8"]) == [
        "nodata -1 cannot occur in uint8: no pixel is without data"
    ]


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float32", "float64", "uint8"])
@pytest.mark.parametrize(
    "text", ["nan", "-nan", "inf", "-inf", "1e400", "-1e400", "18446744073709551616", "1e30"]
)
def test_numbers_that_are_not_finite_never_raise(tmp_path: Path, dtype: str, text: str) -> None:
    path = write_raster(tmp_path / "a.tif", np.arange(16).reshape(1, 4, 4).astype(dtype))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(1, STATISTICS_MINIMUM=text, STATISTICS_STDDEV=text)
    pam = f'<PAMRasterBand band="1"><NoDataValue>{text}</NoDataValue></PAMRasterBand>'
    (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset>{pam}</PAMDataset>")
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    with rasterio.open(staged) as dataset:
        assert np.array_equal(dataset.read(), np.arange(16).reshape(1, 4, 4))
