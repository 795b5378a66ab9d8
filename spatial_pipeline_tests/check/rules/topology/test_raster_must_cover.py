import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.raster_topology import RasterMustCover
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut
from spatial_pipeline_tests.support import memory_vector

RULE = RasterMustCover(other=OtherSource(uri="area.gpkg"))
VALUES = np.ones((1, 3, 4), dtype=np.int16)
VALUES[0, 1, 1:3] = 0


def test_raster_must_cover_outlines_what_is_missing_inside_and_outside():
    area = memory_vector([shapely.box(0, -3, 2, 0), shapely.box(3, -1, 6, 0)])
    result, violations = any_cut(RULE, VALUES, area, nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 2, 8)
    assert violations.reasons.tolist() == ["band 1: no data", "outside of the raster"]
    assert violations.geometry[0].equals(shapely.box(1, -2, 2, -1))
    assert violations.geometry[1].equals(shapely.box(4, -1, 6, 0))
    assert violations.measure.tolist() == [1, 2]
    assert result.message == "3 m² are not covered, in 2 places"
    assert any_cut(RULE, VALUES, memory_vector([shapely.box(0, -3, 1, 0)]), nodata=0)[0].passed
    result, _ = any_cut(RULE, VALUES, memory_vector([shapely.Point(0, 0)]), nodata=0)
    assert result.status is Status.ERROR


@given(st.integers(0, 2**15 - 1), st.tuples(*[st.integers(0, 8)] * 4))
@settings(max_examples=60, deadline=None)
def test_raster_must_cover_is_every_centre_in_the_area(bits, corner):
    a, b, c, d = corner
    box = shapely.box(min(a, c) / 2, -(max(b, d) + 1) / 2, (max(a, c) + 1) / 2, -min(b, d) / 2)
    valid = np.array([bits >> i & 1 for i in range(15)], bool).reshape(1, 3, 5)
    _, violations = any_cut(RULE, np.ones((1, 3, 5)), memory_vector([box]), valid=valid)
    missing = sum(
        not valid[0, row, column]
        and box.contains(shapely.Point(column + 0.5 + 1e-9, -row - 0.5 - 1e-9))
        for row, column in np.ndindex(3, 5)
    )
    outside = box.difference(shapely.box(0, -3, 5, 0)).area
    np.testing.assert_allclose(violations.measure.sum(), missing + outside)
