import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.pixels import MinPatchSize
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.raster.test_regions import flood, pixels
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut
from spatial_pipeline_tests.support import memory_raster, run_rule

VALUES = np.array(
    [[[1, 1, 1, 2], [1, 3, 1, 2], [1, 1, 1, 3], [2, 2, 0, 3]]], dtype=np.uint8
)  # fmt: skip


def test_min_patch_size_outlines_each_small_patch_of_any_windows():
    result, violations = any_cut(MinPatchSize(pixels=2), VALUES, nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 1, 15)
    assert violations.reasons.tolist() == ["band 1: patch of 3"]
    assert violations.measure.tolist() == [1]
    assert violations.geometry[0].equals(shapely.box(1, -2, 2, -1))
    assert result.message == "1 patches are smaller than 2 px"
    assert any_cut(MinPatchSize(pixels=3), VALUES, nodata=0)[0].violations == 4
    assert any_cut(MinPatchSize(pixels=3, values=(2,)), VALUES, nodata=0)[0].violations == 2
    edge = MinPatchSize(pixels=3, except_at_border=True)
    assert any_cut(edge, VALUES, nodata=0)[0].violations == 1


def test_min_patch_size_by_area_and_by_corners():
    grid = (2, 0, 0, 0, -2, 0)
    assert any_cut(MinPatchSize(area=4), VALUES, nodata=0, transform=grid)[0].passed
    assert any_cut(MinPatchSize(area=8), VALUES, nodata=0, transform=grid)[0].violations == 1
    corners = np.array([[[1, 0], [0, 1]]], dtype=np.uint8)
    assert any_cut(MinPatchSize(pixels=2), corners, nodata=0)[0].violations == 2
    assert any_cut(MinPatchSize(pixels=2, connectivity=8), corners, nodata=0)[0].passed
    _, violations = any_cut(MinPatchSize(pixels=3, connectivity=8), corners, nodata=0)
    assert violations.geometry[0].equals(
        shapely.union(shapely.box(0, -1, 1, 0), shapely.box(1, -2, 2, -1))
    )
    result, _ = run_rule(MinPatchSize(pixels=2), memory_raster(np.ones((1, 2, 2), complex)))
    assert result.status is Status.ERROR


@given(st.integers(1, 7), st.integers(1, 7), st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_min_patch_size_is_flood_fill_of_every_value(height, width, random, least):
    cells = [[random.randint(0, 2) for _ in range(width)] for _ in range(height)]
    values = np.array([cells], dtype=np.int16)
    _, violations = any_cut(MinPatchSize(pixels=least), values, nodata=0)
    small = [r for v in (1, 2) for r in flood(values[0] == v) if len(r) < least]
    assert sorted(violations.measure) == sorted(map(len, small))
    shapes = [pixels(r) for r in small]
    assert all(any(g.equals(s) for s in shapes) for g in violations.geometry)
