import math

import numpy as np
import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.validity import NodataFraction, PixelRange
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.raster.test_regions import flood
from spatial_pipeline_tests.check.rules.validity.rasters import (
    AREA,
    _strips,  # noqa: F401 - autouse
    example,
    pixel_arrays,
    told,
)
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule


def test_nodata_fraction_of_the_worst_band_decides():
    values = np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]]], dtype=np.uint8)
    data = memory_raster(values, nodata=0)
    result, violations = run_rule(NodataFraction(max=0.25), data)
    assert result.status is Status.FAILED
    assert (result.value, result.threshold, result.checked) == (0.5, 0.25, 8)
    assert violations.reasons.tolist() == ["band 2: 50% without data, more than 25%"]
    assert violations.measure.tolist() == [0.5]
    assert violations.geometry[0].equals(shapely.box(0, -1, 2, 0))
    result, violations = run_rule(NodataFraction(max=0.5), data)
    assert result.passed
    assert (result.value, len(violations)) == (0.5, 0)
    assert run_rule(NodataFraction(max=0.25, band=1), data)[0].passed
    assert run_rule(NodataFraction(max=0.2, band=1), data)[0].value == 0.25
    result, _ = run_rule(NodataFraction(max=0.2, band=3), data)
    assert result.status is Status.ERROR


def test_nodata_fraction_of_nothing_but_nodata():
    data = memory_raster(np.zeros((1, 3, 5)), nodata=0, block=2)
    assert run_rule(NodataFraction(max=1), data)[0].passed
    result, violations = run_rule(NodataFraction(max=0.999), data)
    assert (result.status, result.value) == (Status.FAILED, 1)
    assert violations.geometry[0].equals(shapely.box(0, -3, 5, 0))


def test_nodata_fraction_within_a_box():
    values = np.array([[[0, 1, 1], [0, 1, 1], [1, 1, 1]]], dtype=np.uint8)
    data = memory_raster(values, nodata=0, block=2)
    result, violations = run_rule(NodataFraction(max=0, within=(0, -2, 1, 0)), data)
    assert (result.value, result.checked) == (1, 2)
    assert violations.geometry[0].equals(shapely.box(0, -2, 1, 0))
    assert run_rule(NodataFraction(max=0, within=(1, -3, 3, 0)), data)[0].passed
    result, violations = run_rule(NodataFraction(max=0, within=(0, -3, 1, -1)), data)
    assert result.value == 0.5
    assert violations.geometry[0].equals(shapely.box(0, -2, 1, -1))
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
    result, violations = run_rule(rule, data, both, jobs=2)
    assert (result.value, result.checked) == (0.25, 40)
    assert violations.geometry[0].equals(shapely.box(500004, 4999990, 500005, 5000000))
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
    result, violations = run_rule(rule, data, jobs=jobs)
    if not counted.any():
        assert result.status is Status.ERROR
        return
    shares = [
        np.count_nonzero(counted & (band == 3)) / np.count_nonzero(counted) for band in values
    ]
    assert result.value == max(shares)
    assert result.passed == (max(shares) <= accepted)
    failing = {f"band {i}": s for i, s in enumerate(shares, 1) if s > accepted}
    assert len(violations) == len(failing)
    for reason, measure, place in zip(
        violations.reasons, violations.measure, violations.geometry, strict=True
    ):
        band = reason.split(":")[0]
        missing = counted & (values[int(band[-1]) - 1] == 3)
        assert measure == failing[band]
        assert place.is_valid
        assert place.area == np.count_nonzero(missing)
    again = run_rule(rule, memory_raster(values, nodata=3, block=99))
    assert told(again[1]) == told(violations)


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


def test_real_image():
    data = example("rmnp-rgb.tif")
    result, violations = run_rule(PixelRange(band=2, max=200), data)
    above = data.valid[1] & (data.values[1] > 200)
    assert result.violations == np.count_nonzero(above)
    assert violations.measure.sum() == result.violations
    assert len(violations) == len(flood(above))
