import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage.line_difference import lines_without

GRID = st.integers(0, 4)
FREE = st.integers(0, 400).map(lambda n: n / 97)


def lines(number):
    path = st.lists(st.tuples(number, number), min_size=2, max_size=6).map(shapely.LineString)
    several = st.lists(path, min_size=1, max_size=2).map(shapely.MultiLineString)
    return st.lists((path | several).filter(lambda line: line.is_valid), max_size=6)


def array(shapes):
    out = np.empty(len(shapes), dtype=object)
    out[:] = shapes
    return out


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([GRID, FREE]).flatmap(lambda n: st.tuples(lines(n), lines(n))))
def test_it_is_the_difference_with_the_union(drawn):
    own, other = drawn
    # Some stretches are common, in either direction.
    other = [*other, *(line.reverse() for line in own[::2] if len(own) % 2)]
    rest = lines_without(array(own), array(other))
    union = shapely.union_all(array(other))
    for line, left in zip(own, rest, strict=True):
        # A line that meets none stays as it is, even where it runs over itself.
        expected = line.difference(union) if line.intersects(union) else line
        found = shapely.GeometryCollection() if left is None else left
        # Rounding at crossings can leave pieces of a covered line: a thin buffer leaves none.
        thick = line.difference(union.buffer(1e-9)) if line.intersects(union) else line
        assert any(
            found.length == pytest.approx(right.length, abs=1e-6)
            and (right.length < 1e-6 or shapely.hausdorff_distance(found, right) < 1e-6)
            for right in (expected, thick)
        )


def test_lines_that_meet_none_stay_as_they_are():
    own = array([shapely.LineString([(0, 0), (2, 2), (2, 0), (0, 2)])])
    for other in (array([]), array([shapely.LineString([(1.2, 0.1), (1.3, 0.1)])])):
        assert lines_without(own, other)[0] is own[0]


def test_more_lines_than_are_cut_at_once(monkeypatch):
    monkeypatch.setattr("spatial_pipeline.check.coverage.line_difference.AT_ONCE", 2)
    own = array([shapely.LineString([(i, 0), (i, 2)]) for i in range(7)])
    rest = lines_without(own, array([shapely.LineString([(i, 0), (i, 1)]) for i in range(6)]))
    assert shapely.length(rest).tolist() == [1] * 6 + [2]
