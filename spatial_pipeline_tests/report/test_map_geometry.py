from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import GeometryCollection, LineString, MultiPoint, Point, Polygon, box

from spatial_pipeline.report.map_geometry import FINENESS, MAX_VERTICES, encoded, places, simplified
from spatial_pipeline_tests.report.cases import SHAPES


def array(*shapes: Any) -> Any:
    out = np.empty(len(shapes), dtype=object)
    out[:] = shapes
    return out


def test_every_kind_is_written_by_its_dimension() -> None:
    hole = Polygon([(0, 0), (4, 0), (4, 4)], [[(1, 0.5), (2, 0.5), (2, 1)]])
    many = GeometryCollection(
        [Point(1, 2), MultiPoint([(3, 4), (5, 6)]), LineString([(7, 8), (9, 10)])]
    )
    assert encoded(array(hole, many, None, Point(), Point(1, 2))) == [
        {"a": [[0, 0, 4, 0, 4, 4, 0, 0], [1, 0.5, 2, 0.5, 2, 1, 1, 0.5]]},
        {"p": [1, 2, 3, 4, 5, 6], "l": [[7, 8, 9, 10]]},
        None,
        None,
        {"p": [1, 2]},
    ]


FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@settings(deadline=None)
@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=2, max_size=8))
def test_finite_coordinates_keep_every_digit(line: list[tuple[float, float]]) -> None:
    with np.errstate(invalid="ignore"):
        (found,) = encoded(array(LineString(line)))
    kept = [n for xy in line for n in xy if np.isfinite(xy).all()]
    assert found == ({"l": [kept]} if kept else None)


def test_a_place_lies_inside_and_is_missing_where_there_is_none() -> None:
    found = places(array(*SHAPES))
    assert np.isnan(found[[1, 4]]).all()
    assert found[0].tolist() == [1, 2]
    assert shapely.intersects_xy(SHAPES[3], *found[3])
    assert shapely.intersects_xy(SHAPES[5], *found[5])
    with np.errstate(invalid="ignore"):
        broken = array(
            Point(np.nan, 1), Point(np.inf, 2), LineString([(4, 4), (np.nan, 1), (6, 6)])
        )
    odd = places(broken)
    assert np.isnan(odd[:2]).all()
    assert odd[2].tolist() == [5, 3.5]


def test_only_the_large_are_simplified_and_that_by_little() -> None:
    circle = Point(0, 0).buffer(1000, quad_segs=MAX_VERTICES)
    out, cut = simplified(array(circle, box(0, 0, 1, 1)))
    assert cut.tolist() == [True, False]
    assert shapely.get_num_coordinates(out[0]) < MAX_VERTICES
    assert shapely.hausdorff_distance(out[0].exterior, circle.exterior) <= 2000 / FINENESS
    assert out[1] == box(0, 0, 1, 1)
