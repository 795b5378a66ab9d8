from __future__ import annotations

import shapely

from spatial_pipeline.check.engine.partitioning import Partitioning, selected
from spatial_pipeline_tests.support import memory_vector


def test_batches_are_cut_when_they_are_large() -> None:
    data = memory_vector([shapely.Point(i, i) for i in range(10)], batch_size=5)
    for size in (None, 5, 100):
        cut = Partitioning(data, size)
        assert [cut.owned(i, ()).positions.tolist() for i in range(len(cut))] == [
            [0, 1, 2, 3, 4],
            [5, 6, 7, 8, 9],
        ]
    small = Partitioning(data, 4)
    assert [small.owned(i, ()).positions.tolist() for i in range(len(small))] == [
        [0, 1],
        [2, 3, 4],
        [5, 6],
        [7, 8, 9],
    ]
    assert [(s.batch, s.skipped, len(s)) for s in small.spans] == [
        (0, 0, 2), (0, 2, 3), (1, 0, 2), (1, 2, 3)
    ]  # fmt: skip
    assert len(Partitioning(memory_vector([]), 4)) == 0


def test_a_tile_holds_its_features_first_and_the_halo_after() -> None:
    data = memory_vector([shapely.box(i, 0, i + 1, 1) for i in range(10)], {"id": list(range(10))})
    cut = Partitioning(data, 3)
    assert len(cut) == 4
    tile = cut.tile(cut.owned(1, ["id"]), 0.0, ["id"])
    assert tile.owned == 3
    assert tile.features.positions.tolist() == [2, 3, 4, 1, 5]
    assert tile.features.table.column("id").to_pylist() == [2, 3, 4, 1, 5]
    assert shapely.bounds(tile.features.geometry)[:, 0].tolist() == [2, 3, 4, 1, 5]
    odd = selected(tile, "id % 2 = 1")
    assert odd.owned == 1
    assert odd.features.rows.tolist() == [3, 1, 5]
