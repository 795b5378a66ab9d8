from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import GeometryCollection, LineString, MultiPoint, Point, Polygon, box

from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.drawing import MAX_DEFECTS, WIDTH, Frame, draw
from spatial_pipeline_tests.report.cases import PROFILE, SHAPES, checked, result, violations


def drawn(shapes: list[Any], **changes: Any) -> Any:
    return draw(checked(evaluations=((result(), violations(shapes)),), **changes))


def numbers(path: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", path)]


def test_every_defect_with_a_place_is_marked_inside_the_frame() -> None:
    drawing = drawn(SHAPES)
    assert len(drawing.defects) == 4
    assert drawing.omitted == 2
    assert drawing.legend == (("overlaps", 6),)
    assert [bool(d.path) for d in drawing.defects] == [False, True, True, True]
    assert [d.filled for d in drawing.defects] == [False, False, True, True]
    for defect in drawing.defects:
        assert 0 < defect.x < drawing.frame.width
        assert 0 < defect.y < drawing.frame.height
    assert drawing.defects[0].label == "Überlappung <b>: key 0/0, None"


def test_north_is_up_and_distances_keep_their_proportions() -> None:
    frame = Frame.around((0, 0, 10, 5), geographic=False)
    low, high = frame.pixels(np.array([[0.0, 0.0], [10.0, 5.0]]))
    assert low[1] > high[1]
    assert high[0] - low[0] == pytest.approx(2 * (low[1] - high[1]), abs=0.2)
    assert frame.width == WIDTH


def test_degrees_are_shorter_in_the_north() -> None:
    frame = Frame.around((10, 59, 14, 61), geographic=True)
    assert frame.per_x / frame.per_y == pytest.approx(0.5)


def test_a_polygon_with_a_hole_is_one_path_of_two_rings() -> None:
    ring = Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (1, 2), (2, 2), (2, 1)]])
    (defect,) = drawn([ring]).defects
    assert defect.path.count("M") == 2


def test_context_and_extent_are_drawn_below() -> None:
    context = np.array([box(0, 0, 1, 1), None, Point(2, 2), MultiPoint([(3, 3), (1, 2)])], object)
    drawing = drawn([Point(1, 1)], context=context)
    assert drawing.context.count("M") == 4
    assert drawing.extent.count("M") == 1


def test_there_is_no_map_of_what_has_no_place() -> None:
    nowhere = PROFILE.__class__("x")
    assert drawn([None, Point()], profile=nowhere) is None
    assert drawn([Point(1, 1)], profile=None) is not None
    assert drawn([Point(1, 1)], profile=nowhere).frame.height > 0


def test_many_violations_are_cut_and_said() -> None:
    drawing = drawn([Point(i, i) for i in range(MAX_DEFECTS + 5)])
    assert len(drawing.defects) == MAX_DEFECTS
    assert drawing.omitted == 5


COORDINATES = st.tuples(*[st.floats(allow_nan=True, allow_infinity=True, width=32)] * 2)


def quietly(make: Any) -> Any:
    """A maker of geometries that numpy says nothing about."""

    def made(coordinates: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return make(coordinates)

    return made


GEOMETRIES = st.one_of(
    st.none(),
    COORDINATES.map(Point),
    st.lists(COORDINATES, min_size=2, max_size=5).map(quietly(LineString)),
    st.lists(COORDINATES, min_size=2, max_size=5).map(
        quietly(lambda c: Polygon([(0, 0), *c, (0, 0)]))
    ),
    st.lists(COORDINATES, min_size=2, max_size=4).map(
        quietly(lambda c: GeometryCollection([Point(c[0]), LineString(c), MultiPoint(c)]))
    ),
)


@given(st.lists(GEOMETRIES, max_size=6))
@settings(max_examples=60, deadline=None)
def test_whatever_is_found_can_be_drawn(shapes: list[Any]) -> None:
    drawing = drawn(shapes, context=np.array([*shapes, None], dtype=object))
    placed = int(np.isfinite(shapely.bounds(np.array([*shapes, None], object))).all(axis=1).sum())
    assert len(drawing.defects) == placed
    assert len(drawing.defects) + drawing.omitted == len(shapes)
    for defect in drawing.defects:
        assert np.isfinite([defect.x, defect.y, *numbers(defect.path)]).all()
        assert "nan" not in defect.path
        assert "inf" not in defect.path


def test_an_extent_alone_is_no_map() -> None:
    nothing = ((result(), Violations.none()),)
    assert draw(checked(evaluations=nothing)) is None
    drawing = draw(checked(evaluations=nothing, context=np.array([box(0, 0, 1, 1)])))
    assert drawing is not None
    assert drawing.defects == ()
    assert drawing.extent
    assert drawing.context
