"""Where row groups are cut: within bounds, and at the same places from one version to the next."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spatial_pipeline.ingest import geoparquet_writer
from spatial_pipeline.model.readers import BatchDigest
from spatial_pipeline.store.staged import StagedVector
from spatial_pipeline_tests.ingest.sources import stage

ROWS, BYTES = 8, 100


@given(st.lists(st.integers(0, 150), max_size=80), st.booleans())
def test_groups_keep_to_their_bounds(sizes: list[int], marked: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(geoparquet_writer, "ROW_GROUP_ROWS", ROWS)
        patch.setattr(geoparquet_writer, "ROW_GROUP_BYTES", BYTES)
        marks = np.random.default_rng(len(sizes)).integers(0, 9, len(sizes)).astype(np.uint64)
        found = geoparquet_writer.row_group_starts(
            np.array(sizes, np.int64), marks if marked else None
        )
    assert found[0] == 0
    assert found[-1] == len(sizes)
    for begin, end in pairwise(found.tolist()):
        group = sizes[begin:end]
        assert 1 <= len(group) <= ROWS
        assert sum(group) <= BYTES or len(group) == 1
        # As large as the bounds allow, but for a quarter where marks say so.
        if end < len(sizes):
            longer = sizes[begin : end + max(len(group) // 3, 1) + 1]
            assert len(longer) > ROWS or sum(longer) > BYTES


def test_what_comes_or_goes_moves_the_cuts_nearby_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geoparquet_writer, "ROW_GROUP_ROWS", 64)
    marks = np.random.default_rng(1).integers(0, 1 << 60, 9000).astype(np.uint64)
    sizes = np.ones(9000, np.int64)

    def groups(marks: NDArray[np.uint64]) -> set[bytes]:
        starts = geoparquet_writer.row_group_starts(sizes[: len(marks)], marks)
        return {marks[one:other].tobytes() for one, other in pairwise(starts.tolist())}

    before = groups(marks)
    for edited in (np.delete(marks, 2000), np.insert(marks[:-3], 2000, [5, 6, 7])):
        assert len(groups(edited) & before) > 0.9 * len(before)


def test_a_row_group_that_did_not_change_is_known_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geoparquet_writer, "ROW_GROUP_ROWS", 16)
    cells = [shapely.box(i % 30, i // 30, i % 30 + 1, i // 30 + 1) for i in range(900)]

    def digests(name: str, cells: list[shapely.Polygon], text: str = "a") -> list[BatchDigest]:
        texts = [*["a"] * (len(cells) - 1), text]
        frame = geopandas.GeoDataFrame({"text": texts}, geometry=cells, crs="EPSG:32633")
        frame.to_parquet(tmp_path / f"{name}.parquet")
        profile = stage("vector", tmp_path / f"{name}.parquet", tmp_path / name)
        data = StagedVector(tmp_path / name / "staged/data.parquet", profile, name)
        return [data.batch_digest(i) for i in range(data.batch_count())]

    before = digests("before", cells)
    assert len(set(before)) == len(before) > 50
    assert digests("again", cells) == before
    moved = [*cells[:450], shapely.box(0, 15, 0.9, 16), *cells[451:]]
    assert 1 <= len(set(digests("geometry", moved)) - set(before)) <= 3
    assert len(set(digests("attribute", cells, "b")) - set(before)) == 1
    # One less at the beginning of the source: all rows have other numbers, and hold the same.
    less = digests("less", cells[1:])
    assert len({d.values for d in less} - {d.values for d in before}) <= 3
    assert not {d.whole for d in less} & {d.whole for d in before}
    # One more at the end of the source: row numbers stay, cuts move nearby only.
    more = digests("more", [*cells, shapely.box(15, 15, 15.5, 15.5)])
    assert 1 <= len(set(more) - set(before)) <= 3
