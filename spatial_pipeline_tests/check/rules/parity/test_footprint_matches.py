import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.raster_parity import FootprintMatches
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.raster.test_regions import flood, pixels
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut
from spatial_pipeline_tests.support import memory_vector

OTHER = OtherSource(uri="item.json")
VALUES = np.ones((1, 4, 6), dtype=np.int16)
VALUES[0, :, 4:] = 0
WIDE = memory_vector([shapely.box(0, -4, 6, 0)])


def test_footprint_matches_outlines_what_either_lacks():
    result, violations = any_cut(FootprintMatches(other=OTHER, tolerance=0), VALUES, WIDE, nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 1, 24)
    assert violations.reasons.tolist() == ["declared, without data"]
    assert violations.geometry[0].equals(shapely.box(4, -4, 6, 0))
    assert violations.measure.tolist() == [8]
    narrow = memory_vector([shapely.box(0, -4, 3, 0)])
    _, violations = any_cut(FootprintMatches(other=OTHER, tolerance=0), VALUES, narrow, nodata=0)
    assert violations.reasons.tolist() == ["data outside of the footprint"]
    assert any_cut(FootprintMatches(other=OTHER, tolerance=2), VALUES, WIDE, nodata=0)[0].passed


def test_footprint_matches_by_ratio():
    assert any_cut(FootprintMatches(other=OTHER, min_iou=2 / 3), VALUES, WIDE, nodata=0)[0].passed
    result, violations = any_cut(FootprintMatches(other=OTHER, min_iou=0.7), VALUES, WIDE, nodata=0)
    assert violations.reasons.tolist() == ["intersection over union is 0.6666667, less than 0.7"]
    assert result.message == "intersection over union is 0.6666667; 1 differences"
    nothing = any_cut(FootprintMatches(other=OTHER, min_iou=0.1), VALUES * 0, WIDE, nodata=0)
    assert nothing[0].status is Status.FAILED


@given(st.integers(0, 2**20 - 1), st.integers(1, 2**20 - 1))
@settings(max_examples=60, deadline=None)
def test_footprint_matches_is_the_difference_of_masks(one, other):
    masks = [np.array([n >> i & 1 for i in range(20)], bool).reshape(1, 4, 5) for n in (one, other)]
    declared = memory_vector([pixels(r) for r in flood(masks[1][0])])
    rule = FootprintMatches(other=OTHER, tolerance=0)
    _, violations = any_cut(rule, np.ones((1, 4, 5)), declared, valid=masks[0])
    assert round(violations.measure.sum()) == np.count_nonzero(masks[0] ^ masks[1])
