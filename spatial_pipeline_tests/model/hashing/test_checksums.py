"""Checksums see every change and neither order nor cuts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.model.hashing import checksums

COLUMNS = {
    "bool": pa.array([True, None, False, True]),
    "int8": pa.array([1, None, -3, 0], pa.int8()),
    "uint64": pa.array([1, None, 2**64 - 1, 0], pa.uint64()),
    "half": pa.array(np.array([1, 2, 3, 4], np.float16)),
    "float": pa.array([1.5, None, float("nan"), -0.0], pa.float32()),
    "double": pa.array([1.5, None, float("inf"), -0.0]),
    "text": pa.array(["", None, "ä" * 9, "12345678"]),
    "large": pa.array(["", None, "ä" * 9, "12345678"], pa.large_string()),
    "bytes": pa.array([b"", None, b"\0", b"\0\0"]),
    "fixed": pa.array([b"abc", None, b"abd", b"\0\0\0"], pa.binary(3)),
    "date": pa.array([dt.date(2020, 1, 1), None, dt.date(1, 1, 1), dt.date(9999, 1, 1)]),
    "date64": pa.array([dt.date(2020, 1, 1), None, dt.date(1, 1, 1), None], pa.date64()),
    "seconds": pa.array([0, None, 5, -5], pa.timestamp("s", "UTC")),
    "nanoseconds": pa.array([0, None, 5, -5], pa.timestamp("ns")),
    "time": pa.array([0, None, 5, 6], pa.time32("s")),
    "duration": pa.array([0, None, 5, -5], pa.duration("us")),
    "decimal": pa.array([Decimal("1.20"), None, Decimal("-3.00"), Decimal("0.00")]),
    "list": pa.array([[1, None], None, [], [3]], pa.list_(pa.int32())),
    "texts": pa.array([["a", ""], None, [], [None]], pa.list_(pa.string())),
    "pair": pa.array([[1, 2], None, [0, 0], [3, 4]], pa.list_(pa.int32(), 2)),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": ""}, {"a": 2, "b": "y"}]),
    "map": pa.array([[("k", 1)], None, [], [("l", None)]], pa.map_(pa.string(), pa.int8())),
    "null": pa.nulls(4),
}
ROWS = np.array([7, 0, 3, 12])


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_keeps_its_sum_on_its_way_through_a_file(name: str, tmp_path: Path) -> None:
    column = COLUMNS[name]
    order = np.array([2, 0, 3, 1])
    table = pa.table({"c": column.take(pa.array(order))})
    pq.write_table(table, tmp_path / "f.parquet", version="2.6", row_group_size=3)
    back = pq.read_table(tmp_path / "f.parquet").column("c")
    direct = checksums.column_sums({"c": column}, ROWS)
    assert checksums.column_sums({"c": back}, ROWS[order]) == direct
    parts = [checksums.column_sums({"c": column.slice(i, 2)}, ROWS[i : i + 2]) for i in (0, 2)]
    assert checksums.added(*parts) == direct


@pytest.mark.parametrize("name", [n for n in COLUMNS if n != "null"])
def test_a_column_loses_its_sum_with_any_value(name: str) -> None:
    column = COLUMNS[name]
    direct = checksums.column_sums({"c": column}, ROWS)["c"]
    for i in range(4):
        # Each value replaced by each other one of the column that is not the same.
        for j in range(4):
            if str(column[i]) == str(column[j]):
                continue
            changed = column.take(pa.array([j if k == i else k for k in range(4)]))
            assert checksums.column_sums({"c": changed}, ROWS)["c"] != direct, (i, j)
    swapped = column.take(pa.array([2, 1, 0, 3]))
    assert checksums.column_sums({"c": swapped}, ROWS)["c"] != direct


values = st.lists(st.none() | st.binary(max_size=20), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(1, 6), st.binary(max_size=20), st.data())
def test_values_of_one_length_have_the_sum_that_they_have_among_others(
    length: int, count: int, other: bytes, data: st.DataObject
) -> None:
    same = [data.draw(st.binary(min_size=length, max_size=length)) for _ in range(count)]
    rows = np.arange(count + 1)
    both = checksums.column_sums({"c": pa.array([*same, other], pa.binary())}, rows)
    parts = [
        checksums.column_sums({"c": pa.array(some, pa.binary())}, rows[where])
        for some, where in ((same, slice(count)), ([other], slice(count, None)))
    ]
    assert checksums.added(*parts) == both


@settings(max_examples=60, deadline=None)
@given(left=values, right=values, cut=st.integers(0, 12))
def test_byte_strings_have_one_sum_exactly_when_they_are_equal(
    left: list[bytes | None], right: list[bytes | None], cut: int
) -> None:
    def total(values: list[bytes | None], kind: Any = None) -> int:
        return checksums.column_sums(
            {"c": pa.array(values, kind or pa.binary())}, np.arange(len(values))
        )["c"]

    assert (total(left) == total(right)) == (left == right)
    assert total(left) == total(left, pa.large_binary())
    # A slice of a longer array begins in the middle of its buffers.
    both = pa.array([*left, *right], pa.binary())
    assert checksums.column_sums({"c": both.slice(len(left))}, np.arange(len(right)))["c"] == total(
        right
    )


@pytest.mark.parametrize("at_once", [1, 40_000, 3 << 17])
def test_a_sum_does_not_depend_on_how_much_is_summed_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    texts = [rng.bytes(n) if n % 7 else None for n in rng.integers(0, 300, 1500)]
    columns = {"c": pa.array(texts, pa.binary()), "n": pa.array(np.arange(1500))}
    parts = [
        checksums.column_sums({k: v.slice(i, 1) for k, v in columns.items()}, np.array([i]))
        for i in range(1500)
    ]
    whole = parts[0]
    for part in parts[1:]:
        whole = checksums.added(whole, part)
    monkeypatch.setattr(checksums, "CHUNK_BYTES", at_once)
    assert checksums.column_sums(columns, np.arange(1500)) == whole


def test_one_flipped_bit_anywhere_is_seen() -> None:
    value = bytes(range(21))
    direct = checksums.column_sums({"c": pa.array([b"x", value])}, np.arange(2))
    for bit in range(8 * len(value)):
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        found = checksums.column_sums({"c": pa.array([b"x", bytes(flipped)])}, np.arange(2))
        assert found != direct


def test_bytes_behind_a_null_do_not_count() -> None:
    offsets = pa.py_buffer(np.array([0, 3, 6], np.int32))
    valid = pa.py_buffer(np.array([0b10], np.uint8))
    hidden = pa.Array.from_buffers(pa.binary(), 2, [valid, offsets, pa.py_buffer(b"abcdef")])
    plain = pa.array([None, b"def"])
    rows = np.arange(2)
    assert checksums.column_sums({"c": hidden}, rows) == checksums.column_sums({"c": plain}, rows)


def test_boxes_and_rows() -> None:
    rows = np.array([0, 1, 2])
    boxes = np.array([[0, 0, 1, 1], [np.nan] * 4, [2, 2, 3, 3.0]])
    order = [2, 0, 1]
    assert checksums.box_sum(boxes[order], rows[order]) == checksums.box_sum(boxes, rows)
    boxes[2, 3] = np.nextafter(3, 4)
    assert checksums.box_sum(boxes[order], rows[order]) != checksums.box_sum(
        np.array([[0, 0, 1, 1], [np.nan] * 4, [2, 2, 3, 3.0]]), rows
    )
    assert checksums.row_sum(rows) != checksums.row_sum(np.array([0, 1, 3]))
    assert checksums.row_sum(rows) == checksums.row_sum(rows[order])


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    dtype=st.sampled_from(["u1", "i2", "u4", "f4", "f8", "c8"]),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_pixels_have_one_sum_however_they_are_cut(
    data: st.DataObject, dtype: str, height: int, width: int
) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = random.integers(0, 250, (2, height, width)).astype(dtype)
    mask = random.random((height, width)) < 0.8
    side = data.draw(st.integers(1, 45))
    shape = (2, -(-height // side), -(-width // side))

    def sums(values: Any, mask: Any, window: int) -> Any:
        cells = np.zeros(shape, dtype=np.uint64)
        for row in range(0, height, window):
            for column in range(0, width, window):
                part = np.s_[row : row + window, column : column + window]
                checksums.add_window(cells, values[:, *part], {1: mask[part]}, row, column, side)
        return cells

    whole = sums(values, mask, 50)
    assert (sums(values, mask, data.draw(st.integers(1, 45))) == whole).all()
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    changed = values.copy()
    changed[0, row, column] += 1
    assert np.argwhere(sums(changed, mask, 50) != whole).tolist() == [
        [0, row // side, column // side]
    ]
    flipped = mask.copy()
    flipped[row, column] ^= True
    assert np.argwhere(sums(values, flipped, 50) != whole).tolist() == [
        [1, row // side, column // side]
    ]


def test_sums_are_written_and_read() -> None:
    cells = np.array([[[0, 2**64 - 1]]], dtype=np.uint64)
    assert checksums.cells_written(cells) == ((("0" * 16, "f" * 16),),)
    assert (checksums.cells_read(checksums.cells_written(cells)) == cells).all()
    assert checksums.cell_side(10, 10) == 512
    assert checksums.cell_side(100_000, 100_000) == 2048


@pytest.mark.parametrize("at_once", [1, 3, 10])
def test_boxes_and_rows_are_summed_in_parts_of_any_size(monkeypatch, at_once):
    random = np.random.default_rng(1)
    boxes, rows = random.random((10, 4)), np.arange(10)
    boxes[4] = np.nan
    expected = checksums.box_sum(boxes, rows), checksums.row_sum(rows)
    monkeypatch.setattr(checksums, "AT_ONCE", at_once)
    assert (checksums.box_sum(boxes, rows), checksums.row_sum(rows)) == expected
    assert checksums.box_sum(boxes[:0], rows[:0]) == checksums.row_sum(rows[:0]) == 0
