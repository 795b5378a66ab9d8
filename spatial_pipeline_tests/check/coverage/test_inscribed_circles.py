from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage import inscribed_circles
from spatial_pipeline.check.coverage.inscribed_circles import in_circles
from spatial_pipeline_tests.check.coverage.coverages import boxes_around, damaged_coverages


def test_boxes_well_within_a_polygon_are_known_without_a_look_at_it():
    pierced = shapely.box(0, 0, 9, 9) - shapely.box(6, 6, 7, 7)
    boxes = np.array([[3, 3, 4, 4], [6.2, 6.2, 6.4, 6.4], [8, 8, 12, 12], [np.nan] * 4])
    held = in_circles(boxes, np.array([pierced], dtype=object))
    assert held.tolist() == [True, False, False, False]


@settings(max_examples=100, deadline=None)
@given(damaged_coverages(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e6]))
def test_a_box_in_a_circle_is_covered(covers, seed, shift):
    areas, bounds = boxes_around(covers, seed, shift, [0, 0.01, 0.3])
    held = in_circles(bounds, areas)
    for box in shapely.box(*bounds[held].T):
        assert any(a.covers(shapely.Point(box.bounds[:2]) if not box.area else box) for a in areas)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, -3.0, 2.5, 180.0, 4e5, 1e300])] * 2)),
    st.sampled_from([0.0, 1e-9, 1.0, 360.0, 1e6, 1e308]),
    st.integers(1, 4),
    st.sampled_from([(1, 0), (3, 1), (128, 4)]),
)
def test_boxes_of_any_size_in_few_or_equal_covers_are_told_rightly(places, size, equal, grid):
    covers = [shapely.box(-180, -90, 180, 90)] * equal + [shapely.Point(4e5, 0).buffer(1e5)]
    low = np.array([*places, *[(0.0, 0.0)] * 9])
    with np.errstate(over="ignore"):
        bounds = np.concatenate([low, low + size], axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inscribed_circles, "GRID", grid[0])
        patch.setattr(inscribed_circles, "DRAWN", grid[1])
        held = in_circles(bounds, np.array(covers, dtype=object))
    assert not held[~np.isfinite(bounds).all(axis=1)].any()
    for box in bounds[held]:
        assert any(c.covers(shapely.box(*box) if size else shapely.Point(box[:2])) for c in covers)
    if size <= 1 and not places:
        assert held.all()
