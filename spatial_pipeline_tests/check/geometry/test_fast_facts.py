from __future__ import annotations

import struct

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry import fast_facts as module
from spatial_pipeline.check.geometry.fast_facts import plain
from spatial_pipeline_tests.check.coverage.coverages import damaged_coverages
from spatial_pipeline_tests.support import memory_vector


def _ring(*coordinates):
    """The WKB of a polygon that Shapely would not make without a warning."""
    count = len(coordinates) // 2
    return struct.pack(f"<BIII{2 * count}d", 1, 3, 1, count, *coordinates)


HOLED = shapely.box(0, 0, 9, 9) - shapely.box(1, 1, 2, 2)
SHAPES = [
    shapely.Point(3, 4),
    shapely.Point(-0.0, 1e300),
    shapely.Point(),
    shapely.Point(1, 2, 3),
    shapely.Point(np.inf, 1),
    shapely.MultiPoint([(0, 0), (5, 6)]),
    shapely.box(0, 0, 1, 2),
    shapely.from_wkt("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"),
    shapely.from_wkt("POLYGON ((0 0, 4 0, 4 1, 1 1, 1 4, 0 4, 0 0))"),
    _ring(0, 0, 1, 0, 1, np.nan, 0, 0),
    _ring(0, 0, 1, 0, 1, np.inf, 0, 0),
    HOLED,
    shapely.MultiPolygon([HOLED]),
    shapely.Polygon(),
    shapely.LineString([(0, 0), (7, -3)]),
    shapely.GeometryCollection([shapely.Point(9, 9)]),
    shapely.to_wkb(shapely.Point(5, 6), byte_order=0),
    shapely.to_wkb(shapely.box(5, 6, 7, 8), byte_order=0),
    b"broken",
    None,
]


def _agrees(shapes, batch_size=1000):
    data = memory_vector(shapes, batch_size=batch_size)
    for i in range(data.batch_count()):
        batch, again = data.batch(i, []), data.batch(i, [])
        known = plain(batch)
        with np.errstate(all="ignore"):
            expected = shapely.bounds(again.geometry).reshape(-1, 4)
        assert np.array_equal(known.bounds, expected, equal_nan=True)
        sure = again.geometry[known.sure]
        assert shapely.is_valid(sure).all()
        assert not shapely.is_empty(sure).any()
        assert not shapely.has_z(sure).any()
        assert set(shapely.get_type_id(sure)) <= {0, 3}
        assert plain(batch) is known
        yield again, known


@settings(max_examples=200, deadline=None)
@given(
    shapes=st.lists(st.integers(0, len(SHAPES) - 1), max_size=30),
    at_once=st.integers(1, 9),
    many=st.sampled_from([0, 2, 8]),
)
def test_boxes_are_those_of_shapely_and_who_is_sure_is_valid(shapes, at_once, many):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_ONCE", at_once)
        patch.setattr(module, "MANY", many)
        for _ in _agrees([SHAPES[i] for i in shapes], batch_size=7):
            pass


@settings(max_examples=30, deadline=None)
@given(damaged_coverages())
def test_polygons_of_a_coverage(features):
    for _ in _agrees(features):
        pass


def test_points_and_simple_polygons_are_sure_without_an_object():
    points = memory_vector(list(shapely.points(np.random.default_rng(0).random((50, 2)))))
    squares = memory_vector([shapely.box(i, 0, i + 1, 1) for i in range(50)])
    for data in (points, squares):
        batch = data.batch(0, [])
        assert plain(batch).sure.all()
        assert "geometry" not in batch.__dict__
