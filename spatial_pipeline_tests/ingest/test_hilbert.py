"""The Hilbert order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spatial_pipeline.ingest import hilbert
from spatial_pipeline.ingest.hilbert import LEVEL, hilbert_index, hilbert_order


def slow_index(x: int, y: int, level: int) -> int:
    """Distance along the curve by the recursive definition: four copies, two of them turned."""
    if level == 0:
        return 0
    half = 1 << (level - 1)
    quarter = half * half
    if x < half and y < half:
        return slow_index(y, x, level - 1)
    if x < half:
        return quarter + slow_index(x, y - half, level - 1)
    if y >= half:
        return 2 * quarter + slow_index(x - half, y - half, level - 1)
    return 3 * quarter + slow_index(half - 1 - y, 2 * half - 1 - x, level - 1)


@given(st.lists(st.tuples(*[st.integers(0, (1 << LEVEL) - 1)] * 2), min_size=1, max_size=50))
@settings(deadline=None, max_examples=40)
def test_it_is_the_curve_of_the_recursive_definition(cells: list[tuple[int, int]]) -> None:
    x, y = np.array(cells, dtype=np.uint32).T
    expected = [slow_index(a, b, LEVEL) for a, b in cells]
    assert hilbert_index(x, y).tolist() == expected


def test_neighbours_on_the_curve_are_neighbours_in_the_plane() -> None:
    y, x = np.mgrid[0:64, 0:64].astype(np.uint32).reshape(2, -1)
    order = np.argsort(hilbert_index(x, y))
    steps = np.abs(np.diff(x[order].astype(int))) + np.abs(np.diff(y[order].astype(int)))
    assert (steps == 1).all()


def boxes(n: int, seed: int = 0) -> np.ndarray:
    low = np.random.default_rng(seed).random((n, 2)) * 100
    return np.column_stack([low, low + 1])


def test_what_has_no_place_comes_last_in_its_own_order() -> None:
    bounds = boxes(10)
    bounds[[3, 0, 7]] = np.nan
    bounds[5, 2] = np.inf
    order = hilbert_order(bounds)
    assert order[-4:].tolist() == [0, 3, 5, 7]
    assert sorted(order.tolist()) == list(range(10))


def test_equal_boxes_keep_their_order() -> None:
    assert hilbert_order(np.ones((50, 4))).tolist() == list(range(50))


@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one(n: int) -> None:
    assert hilbert_order(boxes(n)).tolist() == list(range(n))


def test_threads_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = boxes(1000)
    bounds[::17] = np.nan
    expected = hilbert_order(bounds).tolist()
    monkeypatch.setattr(hilbert, "CHUNK", 7)
    assert hilbert_order(bounds, workers=3).tolist() == expected


@given(hnp.arrays(np.float64, (8, 4), elements=st.floats(allow_nan=True, allow_infinity=True)))
@settings(deadline=None, max_examples=60)
def test_any_coordinates_give_an_order(bounds: np.ndarray) -> None:
    with np.errstate(all="raise"):
        assert sorted(hilbert_order(bounds).tolist()) == list(range(8))


def test_sorted_boxes_make_small_groups() -> None:
    bounds = boxes(4000, seed=1)
    ordered = bounds[hilbert_order(bounds)].reshape(40, 100, 4)
    area = np.prod(ordered[:, :, 2:].max(axis=1) - ordered[:, :, :2].min(axis=1), axis=1)
    assert area.sum() < 4 * 100 * 100
