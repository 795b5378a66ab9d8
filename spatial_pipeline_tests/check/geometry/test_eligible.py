from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.base import Context
from spatial_pipeline.check.geometry import eligible as module
from spatial_pipeline.check.geometry.eligible import (
    LINE,
    POINT,
    POLYGON,
    Excluded,
    judged,
    notes,
    of_dimension,
)
from spatial_pipeline_tests.check.coverage.coverages import damaged_coverages
from spatial_pipeline_tests.support import memory_vector


def _array(*geometries):
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


BOX = shapely.box(0, 0, 1, 1)
LINE_STRING = shapely.LineString([(0, 0), (5, 5)])
MIXED = shapely.GeometryCollection(
    [
        shapely.GeometryCollection([BOX, shapely.MultiPolygon([shapely.box(3, 3, 4, 4)])]),
        LINE_STRING,
        shapely.MultiPoint([(0, 0), (1, 1)]),
        shapely.Polygon(),
    ]
)


def test_parts_of_a_dimension_come_out_of_nested_collections():
    everything = _array(BOX, MIXED, None, shapely.Polygon(), LINE_STRING)
    areas = of_dimension(everything, POLYGON)
    assert areas[0] is BOX
    assert areas[1].equals(shapely.MultiPolygon([BOX, shapely.box(3, 3, 4, 4)]))
    assert areas[2] is None
    assert areas[3] is None
    assert areas[4] is None
    lines = of_dimension(everything, LINE)
    assert lines[0] is None
    assert lines[1].equals(LINE_STRING)
    assert lines[4] is LINE_STRING
    assert of_dimension(everything, POINT)[1].equals(shapely.MultiPoint([(0, 0), (1, 1)]))


def test_polygons_of_one_collection_that_overlap_become_one():
    both = shapely.GeometryCollection([BOX, shapely.box(0.5, 0, 2, 1)])
    more = shapely.GeometryCollection([shapely.box(5, 0, 7, 1), shapely.box(6, 0, 8, 1)])
    one, other = of_dimension(_array(both, more), POLYGON)
    assert one.equals(shapely.box(0, 0, 2, 1))
    assert other.equals(shapely.box(5, 0, 8, 1))


def test_a_collection_without_such_parts_has_none():
    assert of_dimension(_array(shapely.GeometryCollection([shapely.Point(0, 0)])), LINE)[0] is None
    assert of_dimension(_array(shapely.GeometryCollection()), LINE)[0] is None
    assert len(of_dimension(_array(), LINE)) == 0


def test_layers_keep_the_order_of_the_features_and_the_rest_is_left_out():
    data = memory_vector([MIXED, BOX, None, LINE_STRING, shapely.Point(1, 1), shapely.Polygon()])
    batch = data.batch(0, ())
    (areas, lines), left_out = judged(batch, data.profile, (POLYGON, LINE))
    assert areas.index.tolist() == [0, 1]
    assert lines.index.tolist() == [0, 3]
    assert notes(Context(data), left_out) == (
        "1 null geometry left out (row 2)",
        "1 empty geometry left out (row 5)",
        "1 point feature not judged (row 4)",
        "1 geometry collection judged by parts (row 0)",
    )
    (areas,), left_out = judged(batch, data.profile, (POLYGON,), owned=1)
    assert areas.index.tolist() == [0, 1]
    assert left_out.rows.tolist() == [0]


def test_only_the_first_features_are_named_each_once():
    some = Excluded(np.arange(7), np.full(7, 2, dtype=np.int8))
    data = memory_vector([BOX] * 7, {"a": list("tuvwxyz"), "b": list(range(7))})
    assert Excluded.concat([some, some]).rows.tolist() == list(range(7))
    assert notes(Context(data), some) == ("7 invalid geometries left out (rows 0, 1, 2, 3, 4, …)",)
    assert notes(Context(data, key=("a", "b")), some) == (
        "7 invalid geometries left out (t/0, u/1, v/2, w/3, x/4, …)",
    )
    assert notes(Context(data, key=("a",)), some, " of the other") == (
        "7 invalid geometries of the other left out (rows 0, 1, 2, 3, 4, …)",
    )
    assert notes(Context(data), Excluded.concat([])) == ()


@settings(max_examples=60, deadline=None)
@given(damaged_coverages(), st.integers(1, 5))
def test_what_is_known_at_a_glance_is_what_geos_says(features, at_once):
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    data = memory_vector([*features, bow_tie, None, MIXED, *[BOX] * 8])
    batch = data.everything.take(np.arange(len(data.everything)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_ONCE", at_once)
        judged(batch, data.profile, (POLYGON,))
    assert batch.valid.tolist() == shapely.is_valid(batch.geometry).tolist()
