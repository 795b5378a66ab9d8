import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.parity.rasters import bands, rasters, same
from spatial_pipeline_tests.check.rules.validity.rasters import example, told
from spatial_pipeline_tests.support import memory_raster, run_rule


def test_bands_match():
    values = np.array([[[1, 2]], [[3, 4]], [[5, 6]]], dtype=np.uint8)
    others = [memory_raster(v[None], uri=f"{i}.tif") for i, v in enumerate(values)]
    rule = bands("r.tif", "g.tif", "b.tif")
    result, violations = run_rule(rule, memory_raster(values, block=1), *others)
    assert result.passed
    assert result.checked == 6
    swapped = others[0], others[2], others[1]
    result, violations = run_rule(rule, memory_raster(values, block=1), *swapped)
    assert (result.status, result.violations) == (Status.FAILED, 4)
    assert violations.reasons.tolist() == ["band 2: differs by 2", "band 3: differs by 2"]
    assert run_rule(bands("r", "g", "b", tolerance=2), memory_raster(values), *swapped)[0].passed


def test_bands_match_needs_one_raster_a_band_on_the_same_grid():
    data = memory_raster(np.zeros((2, 3, 3), np.uint8))
    one = memory_raster(np.zeros((1, 3, 3), np.uint8), uri="one.tif")
    result, violations = run_rule(bands("a"), data, one)
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["2 bands, but 1 rasters to compare with"]
    wide = memory_raster(np.zeros((1, 3, 4), np.uint8), uri="wide.tif")
    _, violations = run_rule(bands("a", "b"), data, one, wide)
    assert violations.reasons.tolist() == ["the grid of wide.tif differs: 4 × 3 pixels, not 3 × 3"]
    two = memory_raster(np.zeros((2, 3, 3), np.uint8), uri="two.tif")
    result, _ = run_rule(bands("a", "b"), data, one, two)
    assert result.passed
    assert "two.tif has 2 bands: the first was compared" in result.message
    empty = memory_raster(np.zeros((0, 3, 3), np.uint8), uri="empty.tif")
    result, _ = run_rule(bands("a", "b"), data, one, empty)
    assert result.status is Status.FAILED


@given(rasters(), st.integers(1, 7), st.integers(1, 2))
@settings(max_examples=40, deadline=None)
def test_bands_match_is_the_same_comparison_band_by_band(pair, block, jobs):
    (a, a_valid), (b, b_valid) = pair
    others = [memory_raster(v[None], valid=m[None]) for v, m in zip(b, b_valid, strict=True)]
    rule = bands(*(f"{i}.tif" for i in range(len(others))))
    one = run_rule(rule, memory_raster(a, valid=a_valid, block=block), *others, jobs=jobs)
    two = run_rule(same(), memory_raster(a, valid=a_valid), memory_raster(b, valid=b_valid))
    assert one[0].violations == two[0].violations
    assert one[0].message == two[0].message
    assert told(one[1]) == told(two[1])


def test_real_bands():
    image = example("rmnp-rgb.tif")
    singles = [example(f"{c}.tif") for c in ("red", "green", "blue")]
    rule = bands("red.tif", "green.tif", "blue.tif")
    result, _ = run_rule(rule, image, *singles, jobs=2)
    expected = sum(
        np.count_nonzero(
            (image.valid[i] != s.valid[0]) | (s.valid[0] & (image.values[i] != s.values[0]))
        )
        for i, s in enumerate(singles)
    )
    assert result.violations == expected
    result, violations = run_rule(rule, image, singles[2], *singles[:2], jobs=2)
    assert result.status is Status.FAILED
    assert violations.measure.sum() == result.violations
    assert run_rule(same(), image, image)[0].passed
