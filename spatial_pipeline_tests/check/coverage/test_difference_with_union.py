"""Lines beside polygons and lines that cover them, judged in exact numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage.difference_with_union import uncovered
from spatial_pipeline.check.geometry.eligible import LINE

Place = tuple[int, int]
Interval = tuple[Fraction, Fraction]
PLACES = st.tuples(st.integers(0, 6), st.integers(0, 6))
SEGMENTS = st.tuples(PLACES, PLACES).filter(lambda s: s[0] != s[1])


def cross(a: Place, b: Place, c: Place) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


TRIANGLES = st.tuples(PLACES, PLACES, PLACES).filter(lambda t: cross(*t) != 0)


def along(segment: tuple[Place, Place], place: Place) -> Fraction:
    """Position of a point along the line of a segment: 0 at its start, 1 at its end."""
    axis = int(segment[0][0] == segment[1][0])
    start, end = segment[0][axis], segment[1][axis]
    return Fraction(place[axis] - start, end - start)


def beside(segment: tuple[Place, Place], other: tuple[Place, Place]) -> Interval | None:
    """Part of a segment that a collinear segment covers; None for one that is not collinear."""
    if any(cross(*segment, place) for place in other):
        return None
    low, high = sorted(along(segment, place) for place in other)
    return max(low, Fraction(0)), min(high, Fraction(1))


def inside(segment: tuple[Place, Place], triangle: tuple[Place, Place, Place]) -> Interval | None:
    """Part of a segment inside a triangle, clipped by the half-plane of each side."""
    low, high = Fraction(0), Fraction(1)
    turn = 1 if cross(*triangle) > 0 else -1
    for one, two in zip(triangle, (*triangle[1:], triangle[0]), strict=True):
        start, end = (turn * cross(one, two, place) for place in segment)
        if start < 0 and end < 0:
            return None
        if start < 0 or end < 0:
            at = Fraction(start, start - end)
            low, high = (max(low, at), high) if start < 0 else (low, min(high, at))
    return low, high


def left(intervals: list[Interval]) -> Fraction:
    """Length of the part of [0, 1] that no interval covers."""
    at, open_ = Fraction(0), Fraction(0)
    for low, high in sorted(i for i in intervals if i[0] <= i[1]):
        open_ += max(low - at, Fraction(0))
        at = max(at, high)
    return open_ + 1 - at


@given(SEGMENTS, st.lists(TRIANGLES, max_size=3), st.lists(SEGMENTS, max_size=3))
@settings(max_examples=200)
def test_a_line_is_covered_where_polygons_and_lines_cover_it(segment, triangles, lines):
    covers = [beside(segment, line) for line in lines] + [inside(segment, t) for t in triangles]
    expected = left([c for c in covers if c is not None])
    # A rest as short as rounding is none.
    assume(expected == 0 or expected > Fraction(1, 10**9))
    parts, length = uncovered(
        np.array([shapely.LineString(segment)], dtype=object),
        [
            np.array([shapely.Polygon(t) for t in triangles], dtype=object),
            np.array([shapely.LineString(line) for line in lines], dtype=object),
        ],
        LINE,
        0.0,
    )
    if expected == 0:
        assert parts[0] is None
    else:
        whole = shapely.LineString(segment).length
        assert length[0] == pytest.approx(float(expected) * whole, rel=1e-9)
