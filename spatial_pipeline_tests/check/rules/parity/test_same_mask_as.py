import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.raster_parity import SameMaskAs
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.raster.test_regions import flood
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut
from spatial_pipeline_tests.support import memory_raster

RULE = SameMaskAs(other=OtherSource(uri="b.tif"))
HERE = np.array([[[1, 1, 0], [1, 0, 0]]], dtype=np.int16)


def test_same_mask_as_outlines_data_on_one_side():
    there = memory_raster([[[5, 0, 0], [5, 0, 7]]], nodata=0)
    result, violations = any_cut(RULE, HERE, there, nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 2, 6)
    assert violations.reasons.tolist() == [
        "band 1: data here only",
        "band 1: data in the other raster only",
    ]
    assert violations.geometry[0].equals(shapely.box(1, -1, 2, 0))
    assert violations.geometry[1].equals(shapely.box(2, -2, 3, -1))
    assert any_cut(RULE, HERE, memory_raster(HERE * 7, nodata=0), nodata=0)[0].passed


def test_same_mask_as_needs_the_same_grid_and_bands():
    moved = memory_raster(HERE, nodata=0, transform=(1, 0, 9, 0, -1, 0))
    result, _ = any_cut(RULE, HERE, moved, nodata=0)
    assert (result.status, "grid" in result.message) == (Status.FAILED, True)
    result, _ = any_cut(RULE, np.ones((2, 1, 1)), memory_raster(np.ones((1, 1, 1))))
    assert (result.status, "needs band 2" in result.message) == (Status.ERROR, True)


@given(st.integers(0, 2**24 - 1), st.integers(0, 2**24 - 1))
@settings(max_examples=60, deadline=None)
def test_same_mask_as_is_xor(one, other):
    masks = [np.array([n >> i & 1 for i in range(24)], bool).reshape(2, 3, 4) for n in (one, other)]
    values = np.ones((2, 3, 4))
    result, violations = any_cut(
        RULE, values, memory_raster(values, valid=masks[1]), valid=masks[0]
    )
    differs = masks[0] ^ masks[1]
    assert result.violations == np.count_nonzero(differs)
    assert len(violations) == sum(len(flood(d)) for d in differs)
