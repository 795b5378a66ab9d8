from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.vector_pieces import Cut, Surroundings, near_boxes, selected
from spatial_pipeline_tests.support import memory_vector

number = st.integers(-20, 20)
boxes = st.lists(st.tuples(number, number, st.integers(0, 9), st.integers(0, 9)), max_size=25)


def as_bounds(values: list[tuple[int, int, int, int]]) -> np.ndarray:
    array = np.array(values, dtype=float).reshape(-1, 4)
    array[:, 2:] += array[:, :2]
    return array


@settings(deadline=None, max_examples=80)
@given(boxes, boxes, st.sampled_from([0.0, 1.0, 2.5]))
def test_near_boxes_equals_all_pairs(
    first: list[tuple[int, int, int, int]], second: list[tuple[int, int, int, int]], halo: float
) -> None:
    a, b = as_bounds(first), as_bounds(second)
    expected = [
        i
        for i, p in enumerate(a)
        if any(
            p[0] <= q[2] + halo
            and p[2] >= q[0] - halo
            and p[1] <= q[3] + halo
            and p[3] >= q[1] - halo
            for q in b
        )
    ]
    assert near_boxes(a, b, halo).tolist() == expected


def test_null_bounds_are_near_nothing() -> None:
    nan = np.full((2, 4), np.nan)
    one = np.array([[0.0, 0.0, 1.0, 1.0]])
    assert near_boxes(nan, one, 1.0).tolist() == []
    assert near_boxes(one, nan, 1.0).tolist() == []


def test_a_tile_holds_its_features_first_and_the_halo_after() -> None:
    data = memory_vector([shapely.box(i, 0, i + 1, 1) for i in range(10)], {"id": list(range(10))})
    cut = Cut(data, 3)
    assert len(cut) == 4
    tile = cut.tile(cut.owned(1, ["id"]), 0.0, ["id"])
    assert tile.owned == 3
    assert tile.features.positions.tolist() == [3, 4, 5, 2, 6]
    assert tile.features.table.column("id").to_pylist() == [3, 4, 5, 2, 6]
    assert shapely.bounds(tile.features.geometry)[:, 0].tolist() == [3, 4, 5, 2, 6]
    odd = selected(tile, "id % 2 = 1")
    assert odd.owned == 2
    assert odd.features.rows.tolist() == [3, 5]


def test_surroundings_in_another_crs() -> None:
    here = memory_vector([shapely.Point(500000, 4649776)], crs="EPSG:32633")
    there = memory_vector(
        [shapely.box(14.9, 41.9, 15.1, 42.1), shapely.box(20, 50, 21, 51)], crs="EPSG:4326"
    )
    around = Surroundings(there, here.profile.pyproj_crs)
    near = around.near(here.batch(0, []), 0.0, [])
    assert near.rows.tolist() == [0]
    assert shapely.intersects(near.geometry[0], shapely.Point(500000, 4649776))
