"""Features whose boxes meet, found like all pairs say it."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage import neighbours
from spatial_pipeline.check.coverage.neighbours import Neighbours
from spatial_pipeline.check.coverage.overlap_pairs import AREA, STRETCH
from spatial_pipeline_tests.support import memory_vector

Place = tuple[int, int, int, int]
layers = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5)),
    min_size=1,
    max_size=12,
)


def boxes(of: list[Place]) -> list[shapely.Polygon]:
    return [shapely.box(x, y, x + w, y + h) for x, y, w, h in of]


@settings(max_examples=60, deadline=None)
@given(layers, st.randoms(use_true_random=False), st.sampled_from([AREA, STRETCH]))
def test_pairs_are_those_of_all_that_are_looked_up(places, random, pattern):
    polygons = boxes(places)
    some = np.array([i for i in range(len(places)) if random.random() < 0.7], dtype=np.int64)
    mine = some[some < len(places) // 2]
    familiar = np.array([random.random() < 0.5 for _ in mine], dtype=bool)
    data = memory_vector(polygons)
    batch = data.take(mine, ())
    meet = shapely.overlaps if pattern == AREA else shapely.intersects
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "QUERIED", 3)
        (one, other), across = Neighbours(data, some).pairs(
            batch, np.arange(len(mine)), pattern, familiar, lambda: None
        )

    def met(i: int, j: int) -> bool:
        a, b = polygons[i], polygons[j]
        return a.equals(b) or a.contains(b) or b.contains(a) or bool(meet(a, b))

    known = dict(zip(mine.tolist(), familiar.tolist(), strict=True))
    assert sorted(zip(mine[one].tolist(), mine[other].tolist(), strict=True)) == [
        (i, j)
        for i in mine.tolist()
        for j in mine.tolist()
        if i < j and met(i, j) and not (known[i] and known[j])
    ]
    assert sorted(map(tuple, across.tolist())) == [
        (i, j)
        for i in mine.tolist()
        for j in some.tolist()
        if j not in known and not known[i] and met(i, j)
    ]


def test_all_are_looked_up_unless_some_are_named():
    data = memory_vector(boxes([(0, 0, 2, 2), (1, 1, 2, 2), (8, 8, 1, 1), (1, 0, 1, 1)]))
    bounds = np.array([[1.5, 1.5, 1.6, 1.6], [0.5, 0.5, 1.5, 1.5]])
    assert Neighbours(data).near(bounds).tolist() == [0, 1, 3]
    assert Neighbours(data, np.array([1, 2])).near(bounds).tolist() == [1]
    assert Neighbours(data).near(np.empty((0, 4))).tolist() == []
