import math

import numpy as np
import shapely
from hypothesis import given, settings

from spatial_pipeline.contract.rules.pixels import NoNan
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.raster.test_regions import flood
from spatial_pipeline_tests.check.rules.validity.rasters import (
    any_cut,
    pixel_arrays,
)


def test_no_nan_outlines_pixels_that_are_no_numbers():
    values = np.array([[[0, math.nan, math.inf], [0, 0, 0], [-math.inf, 0, 0]]], np.float32)
    result, violations = any_cut(NoNan(), values)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 3, 9)
    assert violations.reasons.tolist() == ["band 1: NaN or infinite"] * 2
    assert violations.measure.tolist() == [1, 2]
    assert violations.geometry[1].equals(shapely.box(1, -1, 3, 0))
    assert result.message == "3 of 9 pixels NaN or infinite, 1 of them NaN, in 2 regions"


def test_no_nan_passes_for_whole_numbers_and_declared_nodata():
    assert any_cut(NoNan(), np.ones((1, 3, 3), np.uint8))[0].passed
    values = np.array([[[1.0, math.nan]]])
    assert any_cut(NoNan(), values, nodata=math.nan)[0].passed
    assert any_cut(NoNan(), values, valid=[[[True, False]]])[0].passed
    two = np.stack([values[0], np.ones((1, 2))])
    assert any_cut(NoNan(band=2), two)[0].passed
    assert not any_cut(NoNan(band=1), two)[0].passed


def test_no_nan_of_complex_pixels():
    values = np.array([[[1 + 1j, complex(0, math.nan)]]])
    assert any_cut(NoNan(), values)[0].violations == 1


@given(pixel_arrays())
@settings(max_examples=25, deadline=None)
def test_no_nan_is_isfinite_on_the_whole_array(values):
    result, violations = any_cut(NoNan(), values)
    bad = np.array([not math.isfinite(v) for v in values.ravel().tolist()]).reshape(values.shape)
    assert result.violations == np.count_nonzero(bad)
    assert len(violations) == sum(len(flood(b)) for b in bad)
