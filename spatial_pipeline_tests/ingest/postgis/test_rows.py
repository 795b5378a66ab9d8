"""Packed rows against Python's struct module, value by value."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.postgis.rows import (
    Coding,
    blobs,
    booleans,
    dates,
    decimals,
    found_rows,
    instants,
    numbers,
    texts,
    unpacked,
)

START = date(2000, 1, 1)
MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
KINDS: dict[str, tuple[Coding, Any, Any]] = {
    "int2": (Coding(pa.int16(), "", numbers(">i2")), st.integers(-(2**15), 2**15 - 1),
             lambda v: struct.pack(">h", v)),
    "int8": (Coding(pa.int64(), "", numbers(">i8")), st.integers(-(2**63), 2**63 - 1),
             lambda v: struct.pack(">q", v)),
    "float8": (Coding(pa.float64(), "", numbers(">f8")), st.floats(allow_nan=False),
               lambda v: struct.pack(">d", v)),
    "bool": (Coding(pa.bool_(), "", booleans), st.booleans(), lambda v: bytes([v])),
    "bytea": (Coding(pa.binary(), "", blobs), st.binary(max_size=9), bytes),
    "text": (Coding(pa.string(), "", texts), st.text(max_size=9).filter(lambda t: "\0" not in t),
             str.encode),
    "date": (Coding(pa.date32(), "", dates), st.dates(),
             lambda v: struct.pack(">i", (v - START).days)),
    "timestamptz": (Coding(pa.timestamp("us", "UTC"), "", instants),
                    st.datetimes(timezones=st.just(UTC)),
                    lambda v: struct.pack(">q", (v - MOMENT) // MICROSECOND)),
    "decimal": (Coding(pa.decimal128(9, 2), "", decimals),
                st.decimals(-9999, 9999, places=2, allow_nan=False), lambda v: str(v).encode()),
}  # fmt: skip


def decoded(
    rows: list[bytes], kinds: list[str], defects: Defects, before: int = 0
) -> list[pa.Array]:
    """The columns of packed rows, which travel as the only column of a binary COPY."""
    stream = b"".join([b"head", *(struct.pack(">hi", 1, len(r)) + r for r in rows), b"\xff\xff"])
    places, end = found_rows(stream, 4)
    assert stream[end:] == b"\xff\xff"
    codings = [KINDS[k][0] for k in kinds]
    buffer = np.frombuffer(stream, np.uint8)
    return unpacked(buffer, places, codings, kinds, before, defects)


def packed(values: list[bytes | None]) -> bytes:
    """A row as record_send packs it."""
    row = struct.pack(">i", len(values))
    for value in values:
        row += struct.pack(">Ii", 25, -1 if value is None else len(value))
        row += value or b""
    return row


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_value_arrives(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6))
    row = st.tuples(*(st.none() | KINDS[k][1] for k in kinds))
    rows = data.draw(st.lists(row, max_size=7))
    sent = [
        packed([None if v is None else KINDS[k][2](v) for k, v in zip(kinds, r, strict=True)])
        for r in rows
    ]
    defects = Defects()
    columns = decoded(sent, kinds, defects)
    for place, (kind, column) in enumerate(zip(kinds, columns, strict=True)):
        assert column.type == KINDS[kind][0].arrow
        assert column.to_pylist() == [r[place] for r in rows]
    assert not len(defects)


@pytest.mark.parametrize(
    ("kind", "form", "values"),
    [
        ("date", ">i", [2**31 - 1, -(2**31)]),
        ("timestamptz", ">q", [2**63 - 1, -(2**63)]),
    ],
)
def test_infinite_times_are_named(kind: str, form: str, values: list[int]) -> None:
    defects = Defects()
    sent = [packed([struct.pack(form, v)]) for v in [*values, 0]]
    (column,) = decoded(sent, [kind], defects, before=100)
    assert [v.as_py() is None for v in column] == [True, True, False]
    named, count = defects.of_rows(np.array([100, 101, 102]))
    assert count == 2
    assert [(d.row, d.column, d.text) for d in named] == [
        (100, kind, "infinity"), (101, kind, "-infinity")
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "12345678.00", "0.001", "9" * 39])
def test_what_the_type_cannot_hold_is_named(text: str) -> None:
    defects = Defects()
    sent = [packed([v]) for v in (b"1.25", text.encode(), None, b"-3.00")]
    (column,) = decoded(sent, ["decimal"], defects)
    assert column.to_pylist() == [Decimal("1.25"), None, None, Decimal("-3.00")]
    ((named,), _) = defects.of_rows(np.arange(4))
    assert (named.row, named.text) == (1, text)
    assert named.reason == "cannot be held by decimal128(9, 2)"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_rows_are_found_however_the_stream_is_cut(values: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(struct.pack(">hi", 1, len(v)) + v for v in values)
    cut = data.draw(st.integers(0, len(stream)))
    first, end = found_rows(stream[:cut], 0)
    rest = stream[:cut][end:] + stream[cut:]
    second, last = found_rows(rest, 0)
    assert last == len(rest)
    found = [(stream, p) for p in first] + [(rest, p) for p in second]
    sizes = [len(v) for v in values]
    assert [d[p : p + n] for (d, p), n in zip(found, sizes, strict=True)] == values
