"""What is left of edges after an edit, from what was left before."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage import coverage_delta
from spatial_pipeline.check.coverage.arrangement import EdgeChain, cancelled, directed_edges
from spatial_pipeline.check.coverage.coverage_delta import (
    Former,
    inside,
    inside_near,
    outside,
    remembered,
)
from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.check.incremental.feature_cache import Facts

Box = tuple[int, int, int, int]
boxes = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5)),
    max_size=12,
)


def rectangles(of: list[Box]) -> np.ndarray:
    return np.array([shapely.box(x, y, x + w, y + h) for x, y, w, h in of], dtype=object)


def corners(of: list[Box]) -> np.ndarray:
    return shapely.bounds(rectangles(of)).reshape(-1, 4)


def left(polygons: np.ndarray) -> dict[tuple[float, ...], int]:
    chain, _, _ = cancelled(directed_edges(polygons))
    whole = EdgeChain.sum([chain])
    return dict(zip(map(tuple, whole.edges.tolist()), whole.net.tolist(), strict=True))


def lies(edge: tuple[float, ...], box: np.ndarray) -> bool:
    return bool(
        min(edge[0], edge[2]) >= box[0]
        and max(edge[0], edge[2]) <= box[2]
        and min(edge[1], edge[3]) >= box[1]
        and max(edge[1], edge[3]) <= box[3]
    )


@settings(deadline=None, max_examples=60)
@given(boxes, boxes)
def test_inside_equals_all_pairs(polygons: list[Box], places: list[Box]) -> None:
    chain, owner, _ = cancelled(directed_edges(rectangles(polygons)))
    owner = directed_edges(rectangles(polygons)).polygon[owner]
    expected = [any(lies(e, b) for b in corners(places)) for e in map(tuple, chain.edges.tolist())]
    around = Boxes(corners(places))
    assert inside(chain.edges, around).tolist() == expected
    assert inside_near(chain.edges, owner, corners(polygons), around).tolist() == expected
    assert len(outside(chain, around)) == expected.count(False)


@settings(deadline=None, max_examples=60)
@given(boxes, boxes, boxes)
def test_what_is_left_after_an_edit_comes_from_what_was_left_before_it(
    stay: list[Box], gone: list[Box], new: list[Box]
) -> None:
    before = left(rectangles(stay + gone))
    after = rectangles(stay + new)
    changed = Boxes(corners(gone + new))
    near = np.array(
        [any(shapely.box(*b).intersects(p) for b in changed.bounds) for p in after], dtype=bool
    )
    chain, _, _ = cancelled(directed_edges(after[near]))
    kept = inside(chain.edges, changed)
    former = EdgeChain(
        np.array(list(before), dtype=float).reshape(-1, 4), np.array(list(before.values()), int)
    )
    whole = EdgeChain.sum([outside(former, changed), EdgeChain(chain.edges[kept], chain.net[kept])])
    found = dict(zip(map(tuple, whole.edges.tolist()), whole.net.tolist(), strict=True))
    assert found == left(after)


def test_what_was_left_is_remembered_unless_it_is_too_much():
    chain = EdgeChain(np.arange(4.0 * 9).reshape(9, 4), np.ones(9, int))
    extras = remembered(chain, 9)
    assert extras is not None
    former = Former.of(Facts(np.ones(9, np.uint8), extras=extras))
    assert former is not None
    assert former.chain.edges.tolist() == chain.edges.tolist()
    assert former.now([]).net.tolist() == chain.net.tolist()
    assert len(former.now([], np.array([[0.0, 0.0, 8.0, 8.0]]))) == 7
    assert remembered(chain, 9 // coverage_delta.MOST) is None
    assert remembered(None, 9) is None
    assert Former.of(Facts(np.ones(9, np.uint8))) is None
