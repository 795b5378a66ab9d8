from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, translate

from spatial_pipeline.check.coverage.voids import Bounds, not_accepted, widths, within_bounds


def _array(*geometries):
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def _plus(width, *arms):
    """Four arms of one width around the origin; half the diagonal of the middle is the radius."""
    east, north, west, south = arms
    half = width / 2
    return shapely.union_all(
        [shapely.box(-west, -half, east, half), shapely.box(-half, -south, half, north)]
    )


@settings(max_examples=40, deadline=None)
@example(0.01171875, (19.0, 20.0, 23.0, 29.0), 0.0, (0, 0))
@given(
    st.floats(0.01, 2),
    st.tuples(*[st.floats(2, 30)] * 4),
    st.floats(0, 90),
    st.sampled_from([(0, 0), (400_000, 5_000_000)]),
)
def test_widths_are_right_to_a_thousandth(width, arms, angle, shift):
    polygon = translate(rotate(_plus(width, *arms), angle, origin=(0, 0)), *shift)
    assert widths(_array(polygon)) == pytest.approx([width * np.sqrt(2)], rel=2e-3)


def test_a_ring_is_as_wide_as_it_is_thick():
    ring = shapely.box(0, 0, 10, 10) - shapely.box(1, 1, 9, 9)
    corner = 2 * np.sqrt(2) / (1 + np.sqrt(2))
    assert widths(_array(ring)) == pytest.approx([corner], rel=2e-3)
    assert len(widths(_array())) == 0


def test_bounds_hold_their_ends_and_none_is_no_bound():
    voids = _array(shapely.box(0, 0, 1, 1), shapely.box(0, 0, 2, 2))
    assert within_bounds(voids, Bounds()).tolist() == [True, True]
    assert within_bounds(voids, Bounds(min_area=1, max_area=1)).tolist() == [True, False]
    assert within_bounds(voids, Bounds(min_area=4)).tolist() == [False, True]
    assert within_bounds(voids, Bounds(min_width=1.5)).tolist() == [False, True]
    assert within_bounds(voids, Bounds(max_width=1.5)).tolist() == [True, False]
    assert Bounds(min_width=0).given
    assert not Bounds().given


def test_transformed_known_gaps_may_differ_by_their_rounding():
    void = shapely.box(400_000, 5_000_000, 400_010, 5_000_010)
    for by, accepted in ((0, True), (1e-7, True), (1e-3, False)):
        known = _array(translate(void, by, 0))
        assert not_accepted(_array(void), known, True).tolist() == [not accepted]
    assert not_accepted(_array(void), _array(void), False).tolist() == [False]
    assert not_accepted(_array(void), _array(translate(void, 1e-7, 0)), False).tolist() == [True]
