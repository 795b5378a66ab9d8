from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry import intersecting_pairs as module
from spatial_pipeline.check.geometry.intersecting_pairs import meeting

number = st.integers(0, 6)
shapes = st.one_of(
    st.none(),
    st.just(shapely.Polygon()),
    st.builds(shapely.Point, number, number),
    st.builds(lambda a, b: shapely.LineString([a, b]), *[st.tuples(number, number)] * 2),
    st.builds(lambda x, y, w, h: shapely.box(x, y, x + w, y + h), number, number,
              st.integers(1, 5), st.integers(1, 5)),
)  # fmt: skip
layers = st.lists(shapes, max_size=12)


def layer(values: list[shapely.Geometry | None]) -> np.ndarray:
    out = np.full(len(values), None, dtype=object)
    out[:] = values
    return out


@settings(deadline=None, max_examples=80)
@given(layers, layers, st.sampled_from(["intersects", "covers"]))
def test_the_pairs_of_all_pairs(several: list, asking: list, predicate: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", 3)
        patch.setattr(module, "PAIRS", 2)
        i, j = meeting(layer(several), layer(asking), predicate)
    holds = getattr(shapely, predicate)
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [
        (a, b)
        for a, one in enumerate(asking)
        for b, other in enumerate(several)
        if one is not None and other is not None and holds(one, other)
    ]
    assert (np.diff(i) >= 0).all()
    assert i.dtype == j.dtype == np.int64


def test_as_the_tree_says_it() -> None:
    x = np.arange(2000.0)
    several = shapely.box(x, 0, x + 1, 1)
    asking = shapely.box(x - 0.5, 0, x + 2, 1)
    for predicate in ("intersects", "covers"):
        expected = shapely.STRtree(several).query(asking, predicate=predicate)
        assert np.array_equal(meeting(several, asking, predicate), expected)
