from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage import winding_grid
from spatial_pipeline.check.coverage.winding_grid import in_union
from spatial_pipeline_tests.check.coverage.coverages import boxes_around, damaged_coverages, squares


@pytest.fixture(autouse=True)
def _all_is_worth_it(monkeypatch):
    monkeypatch.setattr(winding_grid, "WORTH", 1)
    monkeypatch.setattr(winding_grid, "ALONE", 1)


def test_boxes_well_within_a_polygon_are_known_without_a_look_at_it():
    pierced = shapely.box(0, 0, 9, 9) - shapely.box(6, 6, 7, 7)
    boxes = np.array([[3, 3, 4, 4], [6.2, 6.2, 6.4, 6.4], [8, 8, 12, 12], [np.nan] * 4])
    held = in_union(boxes, np.array([pierced], dtype=object))
    assert held.tolist() == [True, False, False, False]


@settings(max_examples=100, deadline=None)
@given(
    damaged_coverages(),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 1e6]),
    st.sampled_from([(2, 2), (5, 9), (40, 40), (128, 512)]),
)
def test_a_box_over_covered_cells_is_covered(covers, seed, shift, sides):
    areas, bounds = boxes_around(covers, seed, shift, [0.001, 0.01, 0.3])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winding_grid, "SIDES", sides)
        held = in_union(bounds, areas)
    every = shapely.union_all(areas)
    for box in shapely.box(*bounds[held].T):
        assert every.buffer(1e-9).covers(box)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, -3.0, 2.5, 180.0, 4e5, 1e300])] * 2)),
    st.sampled_from([0.0, 1e-9, 1.0, 360.0, 1e6, 1e308]),
    st.integers(1, 4),
    st.sampled_from([((1, 1), 99), ((3, 7), 3), ((8, 128), 500), ((128, 512), 1 << 21)]),
)
def test_boxes_of_any_size_in_few_or_equal_covers_are_told_rightly(places, size, equal, grid):
    covers = [shapely.box(-180, -90, 180, 90)] * equal + [shapely.Point(4e5, 0).buffer(1e5)]
    low = np.array([*places, *[(0.0, 0.0)] * 9])
    with np.errstate(over="ignore"):
        bounds = np.concatenate([low, low + size], axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winding_grid, "SIDES", grid[0])
        patch.setattr(winding_grid, "CROSSINGS", grid[1])
        held = in_union(bounds, np.array(covers, dtype=object))
    assert not held[~np.isfinite(bounds).all(axis=1)].any()
    for box in bounds[held]:
        assert any(c.covers(shapely.box(*box) if size else shapely.Point(box[:2])) for c in covers)
    if 0 < size <= 1 and not places:
        assert held.all()


def test_boxes_across_edges_that_two_polygons_share_are_known():
    cells = np.array(squares(6, 6), dtype=object)
    low = np.stack(np.meshgrid(np.arange(0.25, 5), np.arange(0.25, 5)), axis=-1).reshape(-1, 2)
    boxes = np.concatenate([low, low + 1.5], axis=1)
    assert in_union(boxes[(boxes < 5.7).all(axis=1)], cells).all()
    without = np.delete(cells, 14)
    gap = shapely.box(*shapely.bounds(cells[14]))
    held = in_union(boxes, without)
    assert held.any()
    assert not (held & shapely.intersects(shapely.box(*boxes.T), gap)).any()


def test_a_box_of_one_dimension_on_an_edge_is_not_known():
    boxes = np.array([[2, 0.2, 2, 0.8], [0.2, 0, 0.8, 0], [0.5, 0.5, 0.5, 0.5], [1, 0.2, 1, 0.8]])
    assert in_union(boxes, np.array(squares(2, 1), dtype=object)).tolist() == [
        False, False, False, True,
    ]  # fmt: skip


def test_nothing_asked_or_nothing_there():
    assert in_union(np.empty((0, 4)), np.array(squares(1, 1), dtype=object)).tolist() == []
    assert in_union(np.array([[0.0, 0, 1, 1]]), np.empty(0, dtype=object)).tolist() == [False]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(*[st.integers(-3, 19)] * 2), min_size=3, max_size=7),
        min_size=1,
        max_size=4,
    )
)
def test_vertices_and_edges_on_the_middles_and_borders_of_cells(shapes):
    """Covers on a grid of half a cell: what is run through must be counted once at each vertex."""
    hulls = shapely.convex_hull([shapely.MultiPoint(np.array(s) / 2) for s in shapes])
    covers = hulls[shapely.get_dimensions(hulls) == 2]
    low = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), axis=-1).reshape(-1, 2)
    boxes = np.concatenate([low, low + 1], axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winding_grid, "SIDES", (8, 8))
        held = in_union(boxes, covers)
    surely = shapely.covers(shapely.union_all(covers), shapely.box(*boxes.T))
    assert not (held & ~surely).any()
    far = shapely.box(*(boxes + np.array([-2, -2, 2, 2])).T)
    assert held[shapely.contains_properly(shapely.union_all(covers), far)].all() or len(covers) > 1
