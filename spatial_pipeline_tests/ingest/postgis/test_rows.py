"""Packed rows against Python's struct module, value by value."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.postgis.rows import (
    Coding,
    blobs,
    booleans,
    dates,
    decimals,
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
    notes: list[str] = []
    columns = unpacked(sent, [KINDS[k][0] for k in kinds], kinds, notes)
    for place, (kind, column) in enumerate(zip(kinds, columns, strict=True)):
        assert column.type == KINDS[kind][0].arrow
        assert column.to_pylist() == [r[place] for r in rows]
    assert notes == []


@pytest.mark.parametrize(
    ("kind", "form", "values"),
    [
        ("date", ">i", [2**31 - 1, -(2**31)]),
        ("timestamptz", ">q", [2**63 - 1, -(2**63)]),
    ],
)
def test_infinite_times_are_null_and_said(kind: str, form: str, values: list[int]) -> None:
    notes: list[str] = []
    sent = [packed([struct.pack(form, v)]) for v in [*values, 0]]
    (column,) = unpacked(sent, [KINDS[kind][0]], ["when"], notes)
    assert [v.as_py() is None for v in column] == [True, True, False]
    assert notes == ["column 'when' has infinite times, staged as null"]


def test_what_the_type_cannot_hold_is_named() -> None:
    with pytest.raises(SourceError, match="column 'price' has a value that decimal128"):
        unpacked([packed([b"NaN"])], [KINDS["decimal"][0]], ["price"], [])
