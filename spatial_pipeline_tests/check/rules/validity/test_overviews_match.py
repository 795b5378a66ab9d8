"""Overviews that are not those of the pixels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spatial_pipeline.contract.rules.pixels import OverviewsMatch
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.support import memory_raster, run_rule

BASE = np.zeros((2, 40, 60), dtype="uint8")
LEVEL = np.arange(2 * 20 * 30).reshape(2, 20, 30).astype("uint16")
HALF = (2, 0, 0, 0, -2, 0)


def level(values, **more):
    return memory_raster(values, transform=HALF, **more)


def judged(*others, factors=(2,), jobs=1, **parameters):
    base = memory_raster(BASE, overviews=factors)
    return run_rule(OverviewsMatch(**parameters), base, *others, jobs=jobs)


def test_overviews_that_agree():
    for jobs, block in ((1, 16), (2, 7)):
        result, violations = judged(level(LEVEL, block=block), level(LEVEL), jobs=jobs)
        assert result.status is Status.PASSED
        assert (result.checked, len(violations)) == (1200, 0)
        assert result.message == "overview 1:2: 1200 pixels agree"


def test_stale_pixels_are_outlined_on_the_ground():
    stale = LEVEL.copy()
    stale[1, 3:5, 4:6] += 2
    result, violations = judged(level(stale, block=4), level(LEVEL))
    assert (result.checked, result.violations) == (1200, 4)
    assert list(violations.reasons) == ["overview 1:2, band 2: differs by 2"]
    assert violations.geometry[0].bounds == (8, -10, 12, -6)
    assert judged(level(stale), level(LEVEL), tolerance=2)[0].passed


def test_nodata_and_masks_count():
    valid = np.ones(LEVEL.shape, dtype=bool)
    valid[0, 0, :3] = False
    result, violations = judged(level(LEVEL, valid=valid), level(LEVEL))
    assert result.violations == 3
    assert list(violations.reasons) == ["overview 1:2, band 1: data on one side only"]


def test_levels():
    stale = LEVEL + 1
    small = LEVEL[:, ::2, ::2]
    both = (level(stale), level(LEVEL), level(small), level(small))
    assert judged(*both, factors=(2, 4))[0].violations == 1200
    result, _ = judged(level(small), level(small), factors=(2, 4), levels=[4])
    assert result.message == "overview 1:4: 300 pixels agree"
    result, violations = judged(level(LEVEL), level(LEVEL), levels=[2, 8])
    assert list(violations.reasons) == ["overview 1:8 is missing"]
    assert (result.status, result.violations) == (Status.FAILED, 1)


def test_another_size():
    result, violations = judged(level(LEVEL[:, :10]), level(LEVEL))
    assert result.violations == 1
    assert list(violations.reasons) == ["overview 1:2 has 30 × 10 pixels, not 30 × 20"]


def test_a_source_without_overviews():
    result, _ = judged(factors=())
    assert result.passed
    assert result.message == "the source has no overviews"


PIXELS = arrays("int16", (2, 5, 6), elements=st.integers(-3, 3))


@settings(deadline=None, max_examples=60)
@given(PIXELS, PIXELS, st.integers(-3, 3), st.integers(0, 4), st.integers(1, 6))
def test_one_pixel_at_a_time(there, right, nodata, tolerance, block):
    wrong = 0
    for one, two in zip(there.ravel().tolist(), right.ravel().tolist(), strict=True):
        if nodata in (one, two):
            wrong += one != two
        else:
            wrong += abs(one - two) > tolerance
    result, violations = judged(
        level(there, nodata=nodata, block=block), level(right, nodata=nodata), tolerance=tolerance
    )
    assert result.violations == wrong
    assert sum(g.area for g in violations.geometry) == 4 * wrong
