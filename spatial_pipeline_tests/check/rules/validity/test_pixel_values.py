import math

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.pixels import PixelValues
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.raster.test_regions import flood, pixels
from spatial_pipeline_tests.check.rules.validity.rasters import (
    _strips,  # noqa: F401 - autouse
    any_cut,
    example,
    pixel_arrays,
)
from spatial_pipeline_tests.support import memory_raster, run_rule


def test_pixel_values_outlines_codes_that_are_not_in_the_list():
    values = np.array([[[1, 1, 7], [2, 9, 7], [2, 2, 1]]], dtype=np.uint8)
    result, violations = any_cut(PixelValues(values=(1, 2)), values)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 3, 9)
    assert violations.reasons.tolist() == ["band 1: 7 to 9 not in the list"]
    assert violations.measure.tolist() == [3]
    corner = shapely.union(shapely.box(2, -2, 3, 0), shapely.box(1, -2, 2, -1))
    assert violations.geometry[0].equals(corner)
    assert result.message == "3 of 9 pixels not in the list, in 1 region"


def test_pixel_values_passes_and_leaves_out_nodata_and_other_bands():
    values = np.array([[[1, 2], [2, 0]], [[5, 5], [5, 5]]], dtype=np.uint8)
    assert run_rule(PixelValues(values=(1, 2), band=1), memory_raster(values, nodata=0))[0].passed
    result, violations = any_cut(PixelValues(values=(1, 2)), values, nodata=0)
    assert result.violations == 4
    assert violations.reasons.tolist() == ["band 2: 5 not in the list"]


def test_pixel_values_compares_as_the_pixels_are_stored():
    stored = np.array([[[0.1, 0.5]]], dtype=np.float32)
    assert run_rule(PixelValues(values=(0.1, 0.5)), memory_raster(stored))[0].passed
    big = np.array([[[2**63 - 1, 2**53 + 1]]])
    assert any_cut(PixelValues(values=(2**53, 2**63)), big)[0].violations == 2
    assert run_rule(PixelValues(values=(2**53 + 1, 2**63 - 1)), memory_raster(big))[0].passed
    assert any_cut(PixelValues(values=(1.5, 300, -1)), np.ones((1, 2, 2), np.uint8))[0].violations
    odd = np.array([[[math.nan, 1.0]]])
    result, violations = any_cut(PixelValues(values=(1,)), odd)
    assert violations.reasons.tolist() == ["band 1: NaN"]
    assert "1 of them NaN" in result.message


@given(pixel_arrays(), st.sets(st.integers(-5, 9), min_size=1), st.sampled_from([None, 3]))
@settings(max_examples=25, deadline=None)
def test_pixel_values_is_membership_on_the_whole_array(values, codes, nodata):
    result, violations = any_cut(PixelValues(values=tuple(codes)), values, nodata=nodata)
    bad = np.zeros(values.shape, dtype=bool)
    for place in np.ndindex(values.shape):
        v = values[place].item()
        bad[place] = v != nodata and v not in codes
    assert result.violations == np.count_nonzero(bad)
    shapes = [pixels(r) for b in bad for r in flood(b)]
    assert len(violations) == len(shapes)
    assert all(any(g.equals(s) for s in shapes) for g in violations.geometry)


def test_real_land_cover_codes():
    data = example("rmnp-rgb.tif", block=64)
    seen = tuple(np.unique(data.values).tolist())
    assert run_rule(PixelValues(values=seen), data)[0].passed
    result, _ = run_rule(PixelValues(values=seen[:-1]), data, jobs=2)
    assert result.violations == np.count_nonzero((data.values == seen[-1]) & data.valid)
