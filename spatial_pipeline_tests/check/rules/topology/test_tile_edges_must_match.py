import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_topology import TileEdgesMustMatch
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut
from spatial_pipeline_tests.support import memory_raster

RULE = TileEdgesMustMatch(others=("b",), max_difference=2)
VALUES = np.zeros((1, 3, 4))


def beside(values, x=4, y=0, **options):
    return memory_raster(values, transform=(1, 0, x, 0, -1, y), **options)


def test_tile_edges_must_match_outlines_where_the_seam_jumps():
    there = np.array([[[2, 0], [3, 9], [7, 9]]], float)
    result, violations = any_cut(RULE, VALUES, beside(there))
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 2, 3)
    assert violations.reasons.tolist() == ["band 1: jumps by 3 to 7"]
    assert violations.geometry[0].equals(shapely.box(3, -3, 4, -1))
    assert result.message == "2 of 3 pixels at seams jump by more than 2"
    wide = TileEdgesMustMatch(others=("b",), max_difference=7)
    assert any_cut(wide, VALUES, beside(there))[0].passed


def test_tile_edges_must_match_of_every_side_and_not_of_nodata():
    four = [beside(np.full((1, 3, 4), 5.0), x, y) for x, y in ((4, 0), (-4, 0), (0, 3), (0, -3))]
    result, _ = any_cut(RULE, VALUES, *four)
    assert (result.violations, result.checked) == (10, 10)
    assert any_cut(RULE, VALUES, beside(np.full((1, 3, 2), 9.0), nodata=9))[0].passed
    far, _ = any_cut(RULE, VALUES, beside(VALUES, 9))
    assert "no other tile adjoins" in far.message


def test_tile_edges_must_match_needs_one_grid():
    result, _ = any_cut(RULE, VALUES, beside(VALUES, 4.5))
    assert (result.status, "one grid" in result.message) == (Status.ERROR, True)
    result, _ = any_cut(RULE, np.zeros((2, 3, 4)), beside(VALUES))
    assert (result.status, "needs band 2" in result.message) == (Status.ERROR, True)


@given(st.integers(-3, 5), st.lists(st.integers(0, 5), min_size=12, max_size=12))
@settings(max_examples=60, deadline=None)
def test_tile_edges_must_match_is_every_pair_over_the_seam(shift, cells):
    there = np.array(cells, float).reshape(1, 6, 2)
    result, _ = any_cut(RULE, VALUES, beside(there, 4, shift))
    rows = [r for r in range(3) if 0 <= r + shift < 6]
    wrong = [r for r in rows if there[0, r + shift, 0] > 2]
    assert (result.violations, result.checked) == (len(wrong), len(rows))
