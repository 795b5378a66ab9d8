"""Wholes and their parts."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, box

from spatial_pipeline.check.join.split_merge import SHARE, SplitMerge, families


def array(*geometries):
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


@pytest.mark.parametrize(
    ("wholes", "parts", "expected"),
    [
        ([box(0, 0, 4, 2)], [box(0, 0, 2, 2), box(2, 0, 4, 2)], [SplitMerge(0, (0, 1))]),
        # The neighbour that was moved a little is no part.
        (
            [box(0, 0, 4, 2)],
            [box(0, 0, 2, 2), box(2, 0, 4, 2), box(3.9, 0, 8, 2)],
            [SplitMerge(0, (0, 1))],
        ),
        # One part is no split, half of the whole neither.
        ([box(0, 0, 4, 2)], [box(0, 0, 4, 2)], []),
        ([box(0, 0, 4, 2)], [box(0, 0, 1, 2), box(1, 0, 2, 2)], []),
        # Parts that stick out belong to something else.
        ([box(0, 0, 4, 2)], [box(0, 0, 2, 4), box(2, 0, 4, 4)], []),
        # Two equal wholes: the first one keeps the parts.
        ([box(0, 0, 4, 2)] * 2, [box(0, 0, 2, 2), box(2, 0, 4, 2)], [SplitMerge(0, (0, 1))]),
        # Lines by their length; polygons do not split lines.
        (
            [LineString([(0, 0), (4, 0)])],
            [LineString([(0, 0), (1, 0)]), LineString([(1, 0), (4, 0)]), box(0, 0, 4, 1)],
            [SplitMerge(0, (0, 1))],
        ),
        ([shapely.Point(0, 0)], [shapely.Point(0, 0), shapely.Point(0, 0)], []),
        ([None, shapely.Polygon()], [None, box(0, 0, 1, 1)], []),
        ([], [], []),
        # An invalid whole has no area to speak of.
        (
            [shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])],
            [box(0, 0, 2, 4), box(2, 0, 4, 4)],
            [],
        ),
    ],
)
def test_cases(wholes, parts, expected):
    assert families(array(*wholes), array(*parts)) == expected


def slow(wholes, parts):
    taken, found = set(), []
    for i, whole in enumerate(wholes):
        inside = [
            j for j, part in enumerate(parts) if whole.intersection(part).area >= SHARE * part.area
        ]
        covered = sum(whole.intersection(parts[j]).area for j in inside)
        if len(inside) > 1 and covered >= SHARE * whole.area and not taken & set(inside):
            taken |= set(inside)
            found.append(SplitMerge(i, tuple(inside)))
    return found


boxes = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 3), st.integers(1, 2)).map(
    lambda b: box(b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=8))
def test_against_every_pair(wholes, parts):
    assert families(array(*wholes), array(*parts)) == slow(wholes, parts)
