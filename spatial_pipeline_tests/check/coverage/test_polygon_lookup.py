from __future__ import annotations

import numpy as np
import pytest
import shapely

from spatial_pipeline.check.coverage import polygon_lookup
from spatial_pipeline.check.coverage.polygon_lookup import (
    PolygonLookup,
    all_polygons,
    shared_boxes,
    united,
)
from spatial_pipeline_tests.check.coverage.coverages import squares
from spatial_pipeline_tests.support import memory_vector


def _array(*geometries):
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def test_each_group_is_united_by_itself():
    boxes = _array(*squares(4, 1))
    unions = united(boxes, np.array([3, 0, 3, 0]), 5)
    assert unions[0].equals(shapely.union_all([boxes[1], boxes[3]]))
    assert unions[3].equals(shapely.union_all([boxes[0], boxes[2]]))
    assert [u is None for u in unions] == [False, True, True, False, True]
    assert united(_array(), np.empty(0, dtype=np.int64), 2).tolist() == [None, None]


def test_boxes_are_made_once_and_features_without_one_are_never_found():
    data = memory_vector([shapely.box(0, 0, 1, 1), None, shapely.Point(2, 2), shapely.Polygon()])
    found = shared_boxes(data)
    assert found.query(shapely.box(-9, -9, 9, 9)).tolist() == [0, 2]
    assert shared_boxes(data) is found


@pytest.mark.parametrize("chunk", [1, 3, 99])
def test_polygons_are_found_by_place_in_chunks_of_staged_order(monkeypatch, chunk):
    monkeypatch.setattr(polygon_lookup, "CHUNK", chunk)
    data = memory_vector(squares(4, 1), rows=[7, 5, 3, 1])
    calls = []
    polygons = PolygonLookup(data, np.ones(4, dtype=bool), lambda: calls.append(1))
    points = _array(shapely.Point(0.5, 0.5), shapely.Point(2.5, 0.5), shapely.Point(9, 9))
    found = [(close.tolist(), rows.tolist()) for close, rows, _ in polygons.near(points)]
    expected = [([0], [7]), ([1], [3])] if chunk == 1 else [([0, 1], [7, 3])]
    assert found == expected
    assert len(calls) == len(expected)
    second = PolygonLookup(data, np.arange(4) == 2, lambda: None)
    assert [rows.tolist() for _, rows, _ in second.near(points)] == [[3]]


def test_all_polygons_of_another_dataset_and_what_is_none():
    data = memory_vector([*squares(2, 1), shapely.Point(0, 0), None], batch_size=1)
    polygons, left_out, note = all_polygons(data, data.profile.pyproj_crs, lambda: None)
    assert len(polygons) == 2
    assert left_out.rows.tolist() == [3, 2]
    assert note == ""
    assert len(all_polygons(memory_vector([]), None, lambda: None)[0]) == 0
