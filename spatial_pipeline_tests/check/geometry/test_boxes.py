from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry import boxes as module
from spatial_pipeline.check.geometry.boxes import Boxes, diagonals, meeting

number = st.integers(-20, 20)
values = st.lists(
    st.none() | st.tuples(number, number, st.integers(0, 9), st.integers(0, 9)), max_size=25
)
Values = list[tuple[int, int, int, int] | None]


@pytest.fixture(autouse=True, scope="module")
def small_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", 4)
        patch.setattr(module, "BLOCK", 2)
        patch.setattr(module, "COMPARED", 3)
        yield


def as_bounds(boxes: Values) -> np.ndarray:
    array = np.array([b or [np.nan] * 4 for b in boxes], dtype=float).reshape(-1, 4)
    array[:, 2:] += array[:, :2]
    return array


def meet(p: np.ndarray, q: np.ndarray, halo: float = 0.0) -> bool:
    return bool(
        p[0] <= q[2] + halo and p[2] >= q[0] - halo and p[1] <= q[3] + halo and p[3] >= q[1] - halo
    )


@settings(deadline=None, max_examples=80)
@given(values, values, st.sampled_from([0.0, 1.0, 2.5]), st.sets(st.integers(0, 24)))
def test_near_equals_all_pairs(first: Values, second: Values, halo: float, not_: set[int]) -> None:
    a, b = as_bounds(first), as_bounds(second)
    expected = [i for i, p in enumerate(a) if any(meet(p, q, halo) for q in b)]
    assert Boxes(a).near(b, halo).tolist() == expected
    besides = np.array(sorted(i for i in not_ if i < len(a)), dtype=np.int64)
    others = [i for i in expected if i not in not_]
    assert Boxes(a).near(b, halo, besides).tolist() == others


@settings(deadline=None, max_examples=80)
@given(values, values, st.sampled_from([0, 2, 99]))
def test_query_equals_all_pairs(first: Values, second: Values, few: int) -> None:
    a, b = as_bounds(first), as_bounds(second)
    expected = [(i, j) for i, q in enumerate(b) for j, p in enumerate(a) if meet(p, q)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEW", few)
        found = Boxes(a).query(diagonals(b))
    assert list(zip(*found.tolist(), strict=True)) == expected


@settings(deadline=None, max_examples=40)
@given(values, st.tuples(number, number, number, number))
def test_within_equals_every_box(first: Values, extent: tuple[int, int, int, int]) -> None:
    a = as_bounds(first)
    box = np.array(extent, dtype=float)
    assert Boxes(a).within(box).tolist() == [i for i, p in enumerate(a) if meet(p, box)]


def test_one_geometry_gets_the_boxes_alone() -> None:
    bounds = np.array([[i, 0, i, 1] for i in range(10)], dtype=float)
    assert Boxes(bounds).query(shapely.box(2.5, 0, 5, 1)).tolist() == [3, 4, 5]
    assert Boxes(np.empty((0, 4))).query(shapely.Point(0, 0)).tolist() == []


def test_trees_are_small_and_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    tree = shapely.STRtree

    def counted(geometries: np.ndarray) -> shapely.STRtree:
        made.append(len(geometries))
        return tree(geometries)

    monkeypatch.setattr(shapely, "STRtree", counted)
    boxes = Boxes(np.array([[i, 0, i, 1] for i in range(10)], dtype=float))
    assert boxes.query(shapely.box(5, 0, 6, 1)).tolist() == [5, 6]
    assert made == []
    monkeypatch.setattr(module, "FEW", 0)
    for _ in range(2):
        boxes.query(shapely.box(5, 0, 6, 1))
    assert made == [4]
    boxes.query(shapely.box(0, 0, 100, 1))
    assert made == [4, 4, 2]


@settings(deadline=None, max_examples=80)
@given(values, values, st.sampled_from([0.0, 1.0, 2.5]), st.sampled_from([1, 3, 1024]))
def test_meeting_equals_all_pairs(first: Values, second: Values, reach: float, grid: int) -> None:
    a, b = as_bounds(first), as_bounds(second)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GRID", grid)
        found = meeting(a, b, reach)
    assert found.tolist() == [any(meet(p, q, reach) for q in b) for p in a]


def test_trees_are_bounded_and_the_answers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW", 0)
    bounds = np.arange(200.0)[:, np.newaxis] + np.array([0, 0, 1, 1])
    wanted = diagonals(bounds)
    expected = Boxes(bounds).query(wanted)
    monkeypatch.setattr(module, "TREES", 3)
    boxes = Boxes(bounds)
    assert np.array_equal(boxes.query(wanted), expected)
    assert len(boxes._trees) == 3
