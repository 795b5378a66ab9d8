import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.raster.exact_sums import Moments
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.pixels import PercentileBounds, Statistics
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.validity.rasters import (
    any_cut,
    example,
    pixel_arrays,
)
from spatial_pipeline_tests.support import memory_raster, run_rule

OTHER = OtherSource(uri="before.tif")
VALUES = np.array([[[1, 2, 3], [4, 90, 0]]], dtype=np.int16)


def test_statistics_name_each_that_is_out_of_bounds():
    rule = Statistics(mean=(None, 10), std=(50, None), percentiles=[{"at": 50, "min": 5}])
    result, violations = any_cut(rule, VALUES, nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 3, 1)
    assert violations.reasons.tolist() == [
        "band 1: mean is 20, above 10",
        "band 1: percentile 50 is below 5: 80% of the pixels are",
        "band 1: standard deviation is 35.01428, below 50",
    ]
    np.testing.assert_allclose(violations.measure, [20, 0.8, statistics.pstdev([1, 2, 3, 4, 90])])
    result, violations = any_cut(Statistics(percentiles=[{"at": 80, "max": 3.5}]), VALUES, nodata=0)
    assert violations.reasons.tolist() == [
        "band 1: percentile 80 is above 3.5: 40% of the pixels are"
    ]


def test_statistics_pass():
    rule = Statistics(mean=(20, 20), std=(35, 36), percentiles=[{"at": 50, "min": 3, "max": 3}])
    result, _ = any_cut(rule, VALUES, nodata=0)
    assert result.passed
    assert result.message == "band 1: mean 20, standard deviation 35.01428"


def test_statistics_leave_out_what_is_no_number_and_say_so():
    values = np.array([[[1, math.nan, 3, math.inf]], [[0, 0, 0, 0]]])
    result, _ = any_cut(Statistics(mean=(2, 2)), values, nodata=0)
    assert result.passed
    assert "2 pixels that are NaN or infinite were left out" in result.message
    assert "band 2: no pixel has data" in result.message
    result, _ = any_cut(Statistics(mean=(2, 2)), np.zeros((1, 2, 2)), nodata=0)
    assert (result.status, "none of the bands has data" in result.message) == (Status.ERROR, True)
    result, _ = any_cut(Statistics(mean=(2, 2)), np.full((1, 1, 1), 1e200))
    assert (result.status, "exactly" in result.message) == (Status.ERROR, True)


def test_statistics_change_against_another_raster():
    before = memory_raster([[[1, 2, 3, 4, 5]]])
    rule = Statistics(other=OTHER, max_change=0.5)
    result, violations = any_cut(rule, VALUES, before, nodata=0)
    assert violations.reasons.tolist() == [
        "band 1: mean changed by 566.7%, from 3 to 20",
        "band 1: standard deviation changed by 2376%, from 1.414214 to 35.01428",
    ]
    assert any_cut(rule, [[[1, 2, 3, 4, 5.5]]], before)[0].passed
    result, _ = any_cut(rule, np.ones((2, 1, 1)), before)
    assert (result.status, "needs band 2" in result.message) == (Status.ERROR, True)


@given(pixel_arrays(), st.integers(0, 100), st.integers(-9, 9))
@settings(max_examples=60, deadline=None)
def test_statistics_are_those_of_the_whole_array(values, at, bound):
    rule = Statistics(
        mean=(bound, None), percentiles=[PercentileBounds(at=at, min=bound, max=bound)]
    )
    result, violations = any_cut(rule, values, nodata=3)
    expected, judged = [], False
    for band in values:
        kept = sorted(v for v in band.ravel().tolist() if v != 3 and math.isfinite(v))
        if not kept:
            continue
        judged = True
        mean = sum(map(Fraction, kept)) / len(kept)
        expected += ["mean"] if mean < bound else []
        ranked = kept[max(1, math.ceil(Fraction(at * len(kept), 100))) - 1]
        expected += ["percentile"] if ranked != bound else []
    if not judged:
        assert result.status is Status.ERROR
        return
    assert sorted(r.split()[2] for r in violations.reasons) == sorted(expected)


@given(st.lists(st.floats(-1e140, 1e140) | st.floats(-9, 9), min_size=1), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_moments_are_exact(numbers, cut):
    whole = Moments.of(np.array(numbers[:cut])) + Moments.of(np.array(numbers[cut:]))
    assert whole.total == sum(map(Fraction, numbers))
    least = min((abs(n) for n in numbers if n), default=1.0)
    if least > 1e-140:
        assert whole.squares == sum(Fraction(n) ** 2 for n in numbers)


def test_real_elevations():
    data = example("rmnp-dem.tif", block=64)
    kept = data.values[0][data.valid[0]].astype(float)
    result, _ = run_rule(Statistics(mean=(0, 1)), data, jobs=2)
    assert result.sample[0].measure == pytest.approx(kept.mean(), rel=1e-12)
