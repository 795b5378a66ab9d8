import math

import numpy as np
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.validity import NodataFraction, PixelRange, ReadablePixels
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.raster.test_regions import flood, pixels
from spatial_pipeline_tests.check.rules.validity.rasters import (
    _strips,  # noqa: F401 - autouse
    example,
    pixel_arrays,
    told,
)
from spatial_pipeline_tests.support import memory_raster, run_rule


def test_pixel_range_outlines_each_region_once_across_windows():
    values = np.zeros((1, 6, 6), dtype=np.int16)
    values[0, 1, 1:5] = [300, 301, 302, 303]
    values[0, 2:5, 4] = 299
    values[0, 5, 0] = -7
    for block in (1, 2, 3, 4, 6):
        result, violations = run_rule(
            PixelRange(min=0, max=255), memory_raster(values, block=block)
        )
        assert (result.status, result.violations, result.checked) == (Status.FAILED, 8, 36)
        assert result.value == 8
        assert violations.reasons.tolist() == [
            "band 1: -7 outside [0, 255]",
            "band 1: 299 to 303 outside [0, 255]",
        ]
        assert violations.measure.tolist() == [1, 7]
        assert violations.unit == "px"
        corner = shapely.union(shapely.box(1, -2, 5, -1), shapely.box(4, -5, 5, -2))
        assert violations.geometry[0].equals(shapely.box(0, -6, 1, -5))
        assert violations.geometry[1].equals(corner)
        assert result.message == "8 of 36 pixels outside [0, 255], in 2 regions"
        assert result.sample[0].location == (0.5, -5.5)


def test_pixel_range_passes():
    result, violations = run_rule(PixelRange(min=0, max=9), memory_raster([[[0, 9], [5, 5]]]))
    assert result.passed
    assert (result.checked, len(violations)) == (4, 0)


def test_pixel_range_accepts_what_the_contract_accepts():
    data = memory_raster([[[0, 9], [5, 5]]])
    assert run_rule(PixelRange(max=8, max_violations=1), data)[0].passed
    result, _ = run_rule(PixelRange(max=8, max_fraction=0.25), data)
    assert result.passed
    assert result.value == 0.25
    assert not run_rule(PixelRange(max=8, max_fraction=0.24), data)[0].passed


def test_pixel_range_names_nan_that_is_not_nodata():
    values = np.array([[[1, math.nan, math.nan, 0], [0, 0, 0, math.nan]]])
    result, violations = run_rule(PixelRange(min=0), memory_raster(values))
    assert result.violations == 3
    assert sorted(violations.reasons) == ["band 1: NaN", "band 1: NaN"]
    assert "3 of them NaN" in result.message
    _, violations = run_rule(PixelRange(min=1), memory_raster(values))
    assert violations.reasons.tolist() == ["band 1: 0 below 1, and 3 px NaN"]
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
    _, violations = run_rule(PixelRange(band=2, max=9), memory_raster(values))
    assert violations.reasons.tolist() == ["band 2: 100 above 9"]
    _, violations = run_rule(PixelRange(max=0), memory_raster(values))
    assert len(violations) == 2
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
    result, violations = run_rule(rule, data, jobs=jobs)
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
    assert len(violations) == len(regions)
    for band, region in regions:
        shape = pixels(region)
        mine = [
            i
            for i, g in enumerate(violations.geometry)
            if g.equals(shape) and violations.reasons[i].startswith(f"band {band + 1}: ")
        ]
        assert len(mine) == 1
        assert violations.measure[mine[0]] == len(region)
    again = run_rule(rule, memory_raster(values, nodata=nodata, valid=data.valid, block=99))
    assert told(again[1]) == told(violations)
    assert again[0].message == result.message


def test_real_elevations():
    data = example("rmnp-dem.tif", block=64)
    values = data.values[0]
    assert run_rule(ReadablePixels(), data)[0].checked == values.size
    low, high = values[data.valid[0]].min(), values[data.valid[0]].max()
    assert run_rule(PixelRange(min=low, max=high), data)[0].passed
    high -= 100
    result, violations = run_rule(PixelRange(max=float(high)), data, jobs=2)
    above = data.valid[0] & (values > high)
    assert result.violations == np.count_nonzero(above)
    assert len(violations) == len(flood(above))
    pixel = abs(data.profile.transform[0] * data.profile.transform[4])
    np.testing.assert_allclose(shapely.area(violations.geometry), violations.measure * pixel)
    result, _ = run_rule(NodataFraction(max=0), data)
    assert result.value == 1 - np.count_nonzero(data.valid) / values.size
