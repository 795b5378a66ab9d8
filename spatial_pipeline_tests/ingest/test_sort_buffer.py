"""Batches given back in any order, from memory and from disk."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest import sort_buffer as module
from spatial_pipeline.ingest.sort_buffer import ExternalSortBuffer, bucket_starts

SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string())])


def batch(start: int, stop: int) -> pa.RecordBatch:
    ids = list(range(start, stop))
    texts = [None if i % 5 == 0 else f"{i}" * (i % 7) for i in ids]
    return pa.record_batch([pa.array(ids, pa.int64()), pa.array(texts)], schema=SCHEMA)


def shuffled(
    folder: Path, sizes: list[int], order: Any, groups: Any, memory: int, bucket: int
) -> list[list[int]]:
    with ExternalSortBuffer(SCHEMA, folder, memory, bucket) as spool:
        at = 0
        for size in sizes:
            spool.append(batch(at, at + size))
            at += size
        tables = list(
            spool.ordered(np.asarray(order, dtype=np.int64), np.asarray(groups), np.diff(groups))
        )
    assert list(folder.iterdir()) == []
    for table in tables:
        expected = [batch(i, i + 1).column("text")[0].as_py() for i in table["id"].to_pylist()]
        assert table["text"].to_pylist() == expected
    return [t["id"].to_pylist() for t in tables]


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_any_order_from_memory_and_from_disk(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(st.integers(0, 20), max_size=6))
    n = sum(sizes)
    order = data.draw(st.permutations(range(n)))
    cuts = data.draw(st.lists(st.integers(0, n), max_size=5))
    groups = sorted({0, n, *cuts})
    expected = [order[a:b] for a, b in itertools.pairwise(groups)]
    for memory, bucket in ((1 << 30, 1 << 30), (0, 1 << 30), (0, 7), (50, 1)):
        folder = tmp_path_factory.mktemp("spool")
        assert shuffled(folder, sizes, order, groups, memory, bucket) == expected


def test_the_number_of_open_files_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUCKETS", 3)
    opened: list[Any] = []
    real = module._Sink

    def counting(path: Path, schema: pa.Schema) -> Any:
        opened.append(path.name)
        return real(path, schema)

    monkeypatch.setattr(module, "_Sink", counting)
    n = 100
    groups = list(range(0, n + 1, 2))
    assert len(shuffled(tmp_path, [n], list(range(n))[::-1], groups, 0, 1)) == 50
    assert len(opened) <= 1 + 4


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_nothing_is_left_when_something_fails(tmp_path: Path, memory: int) -> None:
    def fail() -> None:
        with ExternalSortBuffer(SCHEMA, tmp_path, memory) as spool:
            spool.append(batch(0, 100))
            spool.append(batch(100, 200))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_reading_stops_halfway(tmp_path: Path) -> None:
    with ExternalSortBuffer(SCHEMA, tmp_path, 0, 1) as spool:
        spool.append(batch(0, 10))
        groups = np.arange(11)
        tables = spool.ordered(np.arange(10), groups, np.diff(groups))
        assert next(tables)["id"].to_pylist() == [0]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, batch: pa.RecordBatch) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module._Sink, "write", full)
    with (
        pytest.raises(OSError, match="No space left"),
        ExternalSortBuffer(SCHEMA, tmp_path, 0) as spool,
    ):
        spool.append(batch(0, 10))
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 100))
@settings(deadline=None, max_examples=60)
def test_runs_stay_within_the_limit_where_they_can(sizes: list[int], limit: int) -> None:
    starts = bucket_starts(sizes, limit)
    edges = [*starts, len(sizes)]
    runs = [sizes[a:b] for a, b in itertools.pairwise(edges)]
    assert sum(runs, []) == sizes  # noqa: RUF017
    assert all(run and (sum(run) <= limit or len(run) == 1) for run in runs)
    for run, after in itertools.pairwise(runs):
        assert sum(run) + after[0] > limit
