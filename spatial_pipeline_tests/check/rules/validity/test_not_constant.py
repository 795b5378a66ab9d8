import math

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.pixels import NotConstant
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut, example, pixel_arrays
from spatial_pipeline_tests.support import memory_raster, run_rule


def test_not_constant_names_a_dead_band():
    values = np.array([[[4, 4], [4, 0]], [[1, 2], [3, 0]]], dtype=np.int16)
    result, violations = any_cut(NotConstant(), values, nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 1, 2)
    assert violations.reasons.tolist() == ["band 1: all pixels of the value 4"]
    assert violations.measure.tolist() == [3]
    assert violations.geometry[0].equals(shapely.box(0, -2, 2, 0))
    assert result.message == "1 of 2 bands are constant"
    assert any_cut(NotConstant(band=2), values, nodata=0)[0].passed


def test_not_constant_names_each_dead_block_of_any_windows():
    values = np.arange(36, dtype=np.int16).reshape(1, 6, 6)
    values[0, :4, 4:] = 7
    values[0, 5, 5] = 7
    result, violations = any_cut(NotConstant(per_block=True, block_size=4), values)
    assert (result.violations, result.checked) == (1, 4)
    assert violations.geometry[0].equals(shapely.box(4, -4, 6, 0))
    assert violations.reasons.tolist() == ["band 1: block of the value 7"]
    assert violations.measure.tolist() == [8]
    blocks = any_cut(NotConstant(per_block=True), values, block_shapes=((4, 4),))
    assert blocks[0].message == result.message == "1 of 4 blocks are constant"


def test_not_constant_says_what_was_not_judged():
    values = np.array([[[4, 0], [0, 0]]], dtype=np.int16)
    result, _ = any_cut(NotConstant(), values, nodata=0)
    assert result.passed
    assert "1 bands of one valid pixel were not judged" in result.message
    assert "no band has data" in any_cut(NotConstant(), values * 0, nodata=0)[0].message
    nan = np.array([[[math.nan, 4.0, 4.0]]])
    assert any_cut(NotConstant(), nan)[0].violations == 1
    result, _ = run_rule(NotConstant(), memory_raster(np.ones((1, 2, 2), complex)))
    assert (result.status, "complex" in result.message) == (Status.ERROR, True)


@given(pixel_arrays(), st.integers(1, 4), st.sampled_from([None, 3]))
@settings(max_examples=25, deadline=None)
def test_not_constant_is_the_range_of_every_block(values, size, nodata):
    result, violations = any_cut(
        NotConstant(per_block=True, block_size=size), values, nodata=nodata
    )
    expected = []
    for band, row, column in np.ndindex(*values.shape):
        if row % size or column % size:
            continue
        cells = values[band, row : row + size, column : column + size].ravel().tolist()
        kept = [v for v in cells if v != nodata and not math.isnan(v)]
        if len(kept) > 1 and len(set(kept)) == 1:
            expected.append((band + 1, len(kept)))
    found = [
        (int(r.split(":")[0][5:]), int(m))
        for r, m in zip(violations.reasons, violations.measure, strict=True)
    ]
    assert sorted(found) == sorted(expected)
    assert result.passed is not bool(expected)


def test_real_elevations_vary():
    assert run_rule(NotConstant(per_block=True), example("rmnp-dem.tif", block=64), jobs=2)[
        0
    ].passed
