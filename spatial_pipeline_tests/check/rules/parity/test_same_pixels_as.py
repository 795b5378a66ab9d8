import math
import re

import numpy as np
import pydantic
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import BandProfile, BrokenBlock
from spatial_pipeline_tests.check.raster.test_regions import flood, pixels
from spatial_pipeline_tests.check.rules.parity.rasters import bands, rasters, same
from spatial_pipeline_tests.check.rules.validity.rasters import example, told
from spatial_pipeline_tests.support import memory_raster, run_rule


def test_equal_rasters_pass():
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    result, violations = run_rule(same(), memory_raster(values), memory_raster(values.copy()))
    assert result.passed
    assert (result.checked, result.violations, len(violations)) == (24, 0, 0)
    assert result.message == "24 pixels agree"


def test_differences_are_outlined_counted_and_measured():
    values = np.zeros((1, 4, 4), dtype=np.uint8)
    other = values.copy()
    other[0, 1, 1:3] = [10, 255]
    other[0, 3, 0] = 1
    for block in (1, 3, 4):
        result, violations = run_rule(
            same(), memory_raster(values, block=block), memory_raster(other, block=2)
        )
        assert (result.status, result.violations, result.checked) == (Status.FAILED, 3, 16)
        assert violations.reasons.tolist() == [
            "band 1: differs by 1",
            "band 1: differs by 10 to 255",
        ]
        assert violations.measure.tolist() == [1, 2]
        assert violations.geometry[0].equals(shapely.box(0, -4, 1, -3))
        assert violations.geometry[1].equals(shapely.box(1, -2, 3, -1))
        rmse = math.sqrt((100 + 255**2 + 1) / 16)
        assert result.message == (
            "3 of 16 pixels differ (18.75%); largest difference 255, "
            f"RMSE {rmse:.6g}, PSNR {20 * math.log10(255 / rmse):.4g} dB (peak 255)"
        )
    assert run_rule(same(max_violations=3), memory_raster(values), memory_raster(other))[0].passed
    assert run_rule(same(max_fraction=0.1875), memory_raster(values), memory_raster(other))[
        0
    ].passed
    assert run_rule(same(tolerance=255), memory_raster(values), memory_raster(other))[0].passed
    result, _ = run_rule(same(tolerance=10), memory_raster(values), memory_raster(other))
    assert result.violations == 1


def test_within_the_tolerance_the_size_of_the_differences_is_said():
    a, b = memory_raster([[[1.0, 2.0, 5.0]]]), memory_raster([[[1.5, 2.0, 5.0]]])
    result, _ = run_rule(same(tolerance=0.5), a, b)
    assert result.passed
    assert result.message.startswith("3 pixels agree within 0.5; largest difference 0.5, RMSE ")
    assert "(peak 4)" in result.message


def test_data_on_one_side_only_differs():
    values = np.array([[[7, 7, 0, 0]]], dtype=np.uint8)
    other = np.array([[[7, 0, 7, 0]]], dtype=np.uint8)
    result, violations = run_rule(
        same(tolerance=100), memory_raster(values, nodata=0), memory_raster(other, nodata=0)
    )
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 2, 3)
    assert violations.reasons.tolist() == ["band 1: data on one side only"]
    assert violations.geometry[0].equals(shapely.box(1, -1, 3, 0))
    assert "2 of them have data on one side only" in result.message


def test_the_value_below_a_mask_does_not_matter():
    valid = np.array([[[True, False]]])
    a = memory_raster([[[1, 2]]], valid=valid)
    b = memory_raster([[[1, 99]]], valid=valid)
    assert run_rule(same(), a, b)[0].passed
    result, _ = run_rule(same(), memory_raster([[[0]]], nodata=0), memory_raster([[[0]]], nodata=0))
    assert result.passed
    assert "no pixel has data on either side" in result.message


def test_nan_is_equal_to_nan_only():
    nan = math.nan
    a, b = memory_raster([[[nan, nan, 1.0]]]), memory_raster([[[nan, 1.0, nan]]])
    result, violations = run_rule(same(tolerance=1e9), a, b)
    assert result.violations == 2
    assert violations.reasons.tolist() == ["band 1: data on one side only"]
    assert run_rule(same(), a, a)[0].passed
    result, _ = run_rule(same(), a, memory_raster([[[nan, nan, 1.0]]], nodata=nan))
    assert result.violations == 2


def test_infinities():
    a, b = memory_raster([[[math.inf, 1.0]]]), memory_raster([[[math.inf, 1.0]]])
    assert run_rule(same(), a, b)[0].passed
    result, violations = run_rule(same(tolerance=1e300), a, memory_raster([[[1.0, 1.0]]]))
    assert result.violations == 1
    assert violations.reasons.tolist() == ["band 1: differs by inf"]


def test_types_are_compared_by_value():
    small = np.array([[[200, 255]]], dtype=np.uint8)
    wide = np.array([[[200, -1]]], dtype=np.int16)
    result, violations = run_rule(same(), memory_raster(small), memory_raster(wide))
    assert result.violations == 1
    assert violations.reasons.tolist() == ["band 1: differs by 256"]
    assert "int16 against uint8: compared by value" in result.message
    result, _ = run_rule(same(), memory_raster(wide), memory_raster(small))
    assert "(peak 65535)" in result.message
    long = memory_raster(np.array([[[2**53 + 1]]]))
    result, _ = run_rule(same(), long, memory_raster([[[float(2**53)]]]))
    assert "as 64-bit floating point numbers" in result.message


def test_what_else_differs_is_said():
    a = memory_raster([[[1]]], bands=(BandProfile("int64", scale=2.0),), uri="a.tif")
    broken = (BrokenBlock(1, 0, 0, 0, (0, 0, 1, 1), "x"),)
    b = memory_raster([[[1]]], broken_blocks=broken, uri="b.tif")
    result, _ = run_rule(same(), a, b)
    assert result.passed
    assert "scale and offset 1 and 0 against 2 and 0: compared as stored" in result.message
    assert "b.tif: 1 blocks of the source do not decode" in result.message


def test_rasters_on_other_grids_fail_and_say_how_the_grids_differ():
    data = memory_raster(np.zeros((1, 4, 5)))
    result, violations = run_rule(same(), data, memory_raster(np.zeros((1, 4, 6)), uri="b.tif"))
    assert (result.status, result.violations) == (Status.FAILED, 1)
    assert violations.reasons.tolist() == ["the grid of b.tif differs: 6 × 4 pixels, not 5 × 4"]
    shifted = memory_raster(np.zeros((1, 4, 5)), transform=(1, 0, 0.5, 0, -1, 0))
    result, _ = run_rule(same(max_fraction=1), data, shifted)
    assert result.status is Status.FAILED
    assert "first corner at (0.5, 0), not (0, 0)" in result.message
    result, _ = run_rule(same(), data, memory_raster(np.zeros((2, 4, 5))))
    assert result.message == "2 bands in memory, not 1"
    result, _ = run_rule(same(), data, memory_raster(np.zeros((1, 4, 5)), crs=None))
    assert "no CRS, not WGS 84 / UTM zone 33N" in result.message


def test_chosen_bands():
    a = np.zeros((3, 2, 2), dtype=np.uint8)
    b = a[:2].copy()
    b[1] = 9
    assert run_rule(same(bands=(1,)), memory_raster(a), memory_raster(b))[0].passed
    _, violations = run_rule(same(bands=(1, 2)), memory_raster(a), memory_raster(b))
    assert violations.reasons.tolist() == ["band 2: differs by 9"]
    result, _ = run_rule(same(bands=(3,)), memory_raster(a), memory_raster(b))
    assert (result.status, result.message) == (
        Status.ERROR, "needs band 3: 3 here, 2 in the other"
    )  # fmt: skip
    for wrong in ((0,), ()):
        with pytest.raises(pydantic.ValidationError):
            same(bands=wrong)


def test_without_pixels_nothing_is_proven():
    none = memory_raster(np.zeros((1, 0, 0)))
    for rule in (same(), bands()):
        result, _ = run_rule(rule, none, none)
        assert (result.status, result.message) == (Status.ERROR, "needs readable pixels")
        result, _ = run_rule(rule, memory_raster([[[1]]]), memory_raster([[[1]]], error="damaged"))
        assert result.status is Status.ERROR
        assert "damaged" in result.message


@given(
    rasters(),
    st.sampled_from([0, 0.5, 1, 2, 99.5]),
    st.integers(1, 7),
    st.integers(1, 2),
)
@settings(max_examples=60, deadline=None)
def test_same_pixels_is_a_comparison_pixel_by_pixel(pair, tolerance, block, jobs):
    (a, a_valid), (b, b_valid) = pair
    data = memory_raster(a, valid=a_valid, block=block)
    other = memory_raster(b, valid=b_valid)
    result, violations = run_rule(same(tolerance=tolerance), data, other, jobs=jobs)
    bad = np.zeros(a.shape, dtype=bool)
    gaps = [0.0]
    for place in np.ndindex(a.shape):
        x, y = float(a[place]), float(b[place])
        if a_valid[place] != b_valid[place]:
            bad[place] = True
        elif a_valid[place]:
            bad[place] = math.isnan(x) != math.isnan(y) or abs(x - y) > tolerance
            gaps += [abs(x - y)] if not math.isnan(x - y) else []
    assert result.violations == np.count_nonzero(bad)
    assert result.checked == np.count_nonzero(a_valid | b_valid)
    assert result.passed == (not bad.any())
    regions = [(band, r) for band in range(len(a)) for r in flood(bad[band])]
    assert len(violations) == len(regions)
    for band, region in regions:
        shape = pixels(region)
        mine = [
            i
            for i, g in enumerate(violations.geometry)
            if g.equals(shape) and violations.reasons[i].startswith(f"band {band + 1}: ")
        ]
        assert len(mine) == 1
    largest = re.search(r"largest difference ([0-9.]+), RMSE ([0-9.e-]+)", result.message)
    assert (float(largest[1]) if largest else 0.0) == max(gaps)
    if largest:
        rmse = math.sqrt(sum(g * g for g in gaps) / (len(gaps) - 1))
        assert float(largest[2]) == pytest.approx(rmse, rel=1e-5)
    again, places = run_rule(
        same(tolerance=tolerance), memory_raster(a, valid=a_valid, block=99), other
    )
    assert again.message == result.message
    assert told(places) == told(violations)
    swapped, _ = run_rule(same(tolerance=tolerance), other, data)
    assert swapped.violations == result.violations


@given(rasters(), st.floats(0, 101), st.floats(0, 101))
@settings(max_examples=40, deadline=None)
def test_a_larger_tolerance_never_finds_more(pair, one, two):
    assume(one <= two)
    (a, a_valid), (b, b_valid) = pair
    data, other = memory_raster(a, valid=a_valid), memory_raster(b, valid=b_valid)
    strict, _ = run_rule(same(tolerance=one), data, other)
    lax, _ = run_rule(same(tolerance=two), data, other)
    assert lax.violations <= strict.violations


def test_resampled_to_a_finer_grid():
    coarse = np.array([[[1, 2], [3, 4]]], dtype=np.uint8)
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    data = memory_raster(fine, transform=(0.5, 0, 0, 0, -0.5, 0), block=3)
    result, _ = run_rule(same(resample="nearest"), data, memory_raster(coarse), jobs=2)
    assert result.passed
    assert "resampled to this grid (nearest)" in result.message
    fine[0, 0, 3] = 9
    data = memory_raster(fine, transform=(0.5, 0, 0, 0, -0.5, 0), block=3)
    _, violations = run_rule(same(resample="nearest"), data, memory_raster(coarse))
    assert violations.reasons.tolist() == ["band 1: differs by 7"]
    assert violations.geometry[0].equals(shapely.box(1.5, -0.5, 2, 0))
    result, _ = run_rule(same(), data, memory_raster(coarse))
    assert result.status is Status.FAILED
    assert "2 × 2 pixels, not 4 × 4" in result.message


@given(st.sampled_from(["nearest", "bilinear", "cubic", "average"]), st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_resampling_does_not_depend_on_the_windows(method, block):
    rng = np.random.default_rng(7)
    other = memory_raster(rng.integers(0, 9, (2, 8, 9)).astype(np.float32), nodata=3)
    values = rng.integers(0, 9, (2, 7, 7)).astype(np.int16)
    grid = (1.25, 0, 0.5, 0, -1.25, -0.25)
    rule = same(resample=method, tolerance=1)
    one = run_rule(rule, memory_raster(values, transform=grid, block=block), other, jobs=2)
    two = run_rule(rule, memory_raster(values, transform=grid, block=99), other)
    assert one[0].violations == two[0].violations
    assert told(one[1]) == told(two[1])


def test_resampled_from_another_crs():
    values = np.full((1, 5, 5), 7, dtype=np.uint8)
    data = memory_raster(values, transform=(100, 0, 500000, 0, -100, 4994000))
    grid = (0.001, 0, 14.99, 0, -0.001, 45.2)
    other = memory_raster(np.full((1, 200, 30), 7), transform=grid, crs="EPSG:4326")
    result, _ = run_rule(same(resample="bilinear"), data, other)
    assert result.passed
    assert "transformed from WGS 84 / UTM zone 33N to WGS 84" in result.message
    result, _ = run_rule(same(resample="average"), data, other)
    assert result.status is Status.ERROR
    assert "parallel axes" in result.message
    result, _ = run_rule(same(resample="nearest"), data, memory_raster(values, crs=None))
    assert result.status is Status.ERROR
    assert "needs crs" in result.message


def test_real_elevations_moved_by_one():
    dem = example("rmnp-dem.tif")
    values = dem.values.copy()
    values[0, 50:60, 70:90] += 1
    moved = example("rmnp-dem.tif")
    moved.values = values
    result, violations = run_rule(same(), dem, moved)
    assert result.violations == np.count_nonzero(dem.valid[0, 50:60, 70:90])
    assert len(violations) == len(flood(dem.valid[0] & (dem.values[0] != values[0])))
    assert run_rule(same(tolerance=1), dem, moved)[0].passed
