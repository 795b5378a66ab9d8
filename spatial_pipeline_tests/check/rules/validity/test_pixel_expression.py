import math

import numpy as np
import shapely
from hypothesis import given, settings

from spatial_pipeline.contract.rules.pixels import PixelExpression
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.raster.test_regions import flood
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut, example, pixel_arrays
from spatial_pipeline_tests.support import memory_raster, run_rule

LOW_HIGH = {"low": 1, "high": 2}


def test_pixel_expression_outlines_where_it_is_not_true():
    values = np.array([[[1, 5, 5], [1, 5, 0]], [[2, 2, 9], [2, 2, 9]]], dtype=np.int16)
    rule = PixelExpression(bands=LOW_HIGH, expression="low <= high")
    result, violations = any_cut(rule, values, nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 2, 5)
    assert violations.reasons.tolist() == ["not true: low <= high"]
    assert violations.geometry[0].equals(shapely.box(1, -2, 2, 0))
    assert violations.measure.tolist() == [2]
    assert result.message == "2 of 5 pixels do not satisfy low <= high"
    right = PixelExpression(bands=LOW_HIGH, expression="low - high < 4")
    assert any_cut(right, values, nodata=0)[0].passed


def test_pixel_expression_null_is_not_true_and_nan_is_a_number():
    values = np.array([[[1.0, math.nan, -1.0]]])
    result, _ = any_cut(PixelExpression(bands={"a": 1}, expression="nullif(a, 1) < 0"), values)
    assert result.violations == 2
    assert any_cut(PixelExpression(bands={"a": 1}, expression="isnan(a) OR a < 2"), values)[
        0
    ].passed


def test_pixel_expression_reads_bands_of_other_rasters_on_the_grid():
    here = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    rule = PixelExpression(bands={"now": 1, "before": "b.tif"}, expression="now = before")
    there = memory_raster(here.astype(np.float32) + (here == 5))
    result, violations = any_cut(rule, here, there)
    assert violations.geometry[0].equals(shapely.box(1, -2, 2, -1))
    moved = memory_raster(here, transform=(1, 0, 5, 0, -1, 0))
    result, _ = any_cut(rule, here, moved)
    assert (result.status, "needs one grid" in result.message) == (Status.ERROR, True)


def test_pixel_expression_that_is_none_is_an_error():
    data = memory_raster(np.ones((1, 2, 2)))
    for expression, said in (("a <", "expression: "), ("b = 1", "b"), ("(SELECT 1) = 2", "")):
        result, _ = run_rule(PixelExpression(bands={"a": 1}, expression=expression), data)
        assert result.status is not Status.PASSED
        assert said in result.message
    result, _ = run_rule(PixelExpression(bands={"a": 7}, expression="a = 1"), data)
    assert (result.status, "needs band 7" in result.message) == (Status.ERROR, True)


@given(pixel_arrays())
@settings(max_examples=15, deadline=None)
def test_pixel_expression_is_python_on_every_pixel(values):
    rule = PixelExpression(bands={"a": 1, "z": len(values)}, expression="a + 1 > z AND a <> 4")
    values = values.astype(np.float64)
    result, violations = any_cut(rule, values, nodata=3)
    bad = np.zeros(values.shape[1:], dtype=bool)
    for place in np.ndindex(bad.shape):
        a, z = values[0][place].item(), values[-1][place].item()
        if 3 not in (a, z):
            # DuckDB orders NaN above every number, and equal to itself.
            greater = not math.isnan(z) if math.isnan(a) else not math.isnan(z) and a + 1 > z
            bad[place] = not (greater and a != 4)
    assert result.violations == np.count_nonzero(bad)
    assert len(violations) == len(flood(bad))


def test_real_colours():
    data = example("rmnp-rgb.tif", block=256)
    rule = PixelExpression(bands={"r": 1, "g": 2}, expression="r >= g - 60")
    result, _ = run_rule(rule, data, jobs=2)
    wrong = data.values[0].astype(int) < data.values[1].astype(int) - 60
    assert result.violations == np.count_nonzero(wrong & data.valid[:2].all(axis=0))
