"""A summary of batches of geometries says what a loop over all of them says."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.pipeline.geometry_summary import GeometrySummary
from spatial_pipeline_tests.check.geometry.shapes import geometries
from spatial_pipeline_tests.support import memory_vector


def summed(shapes: list[shapely.Geometry | None], size: int) -> GeometrySummary:
    data = memory_vector(shapes, batch_size=size)
    summary = GeometrySummary()
    for i in range(data.batch_count()):
        summary.add(data.batch(i, ()))
    return summary


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | geometries(), max_size=6), st.integers(1, 4))
def test_types_sizes_and_numbers(shapes: list[shapely.Geometry | None], size: int) -> None:
    summary = summed(shapes, size)
    there = [s for s in shapes if s is not None]
    filled = [s for s in there if not s.is_empty]
    assert summary.types == {t: sum(s.geom_type == t for s in there) for t in
                             {s.geom_type for s in there}}  # fmt: skip
    assert summary.missing == len(shapes) - len(filled)
    vertices = summary.span("vertices")
    assert vertices.found == bool(filled)
    if filled:
        counts = [shapely.get_num_coordinates(s) for s in filled]
        assert (vertices.least, vertices.most) == (min(counts), max(counts))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-999, 999), st.integers(-999, 999)), min_size=1, max_size=6),
    st.integers(0, 3),
    st.sampled_from([1, 5, 25]),
)
def test_decimals_and_grid(places: list[tuple[int, int]], digits: int, step: int) -> None:
    numbers = np.array(places) * step
    shapes = [shapely.Point(x / 10**digits, y / 10**digits) for x, y in numbers.tolist()]
    summary = summed(shapes, 2)
    assert summary.decimals is not None
    unit = 10.0**-summary.decimals
    assert summary.decimals <= digits
    every = shapely.get_coordinates(shapes)
    np.testing.assert_allclose(every, np.round(every, summary.decimals), atol=1e-12)
    if summary.step:
        grid = summary.step * unit
        np.testing.assert_allclose(every, np.rint(every / grid) * grid, atol=1e-9)
        assert grid >= step / 10**digits * (1 - 1e-9)


def test_neighbours() -> None:
    cells = [shapely.box(x, 0, x + 1, 1) for x in range(30)]
    assert summed(list(cells), 30).neighbours
    assert not summed(list(cells[::3]), 30).neighbours


def test_strays_are_named_by_their_first_rows() -> None:
    shapes = [shapely.Point(i, i) for i in range(8)]
    shapes[5] = shapely.LineString([(0, 0), (1, 1)])
    summary = summed(list(shapes), 3)
    assert summary.rows["LineString"] == [5]
    assert summary.single == ["Point", "LineString"]
    assert summary.span("length").most == pytest.approx(2**0.5)
