"""JSON values of Arrow columns, against Python's own where Python has the value."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.model.arrow_json import Bare, json_values
from spatial_pipeline.runtime.json_text import json_text, plain


def of(numbers: list[int | None], kind: pa.DataType) -> pa.Array:
    short = pa.types.is_date32(kind) or pa.types.is_time32(kind)
    return pa.array(numbers, pa.int32() if short else pa.int64()).cast(kind)


ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "+05:30"]
SIMPLE: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float64(), st.floats()),
    (pa.string(), st.text()),
    (pa.binary(), st.binary()),
    (pa.date32(), st.dates()),
    (pa.time64("us"), st.times()),
    (pa.duration("us"), st.timedeltas(dt.timedelta(days=-100), dt.timedelta(days=100))),
    (pa.timestamp("us"), st.datetimes()),
    (pa.decimal128(38, 9), st.decimals(allow_nan=False, allow_infinity=False, places=9,
                                       min_value=-(10**20), max_value=10**20)),
]  # fmt: skip


@given(st.data())
def test_values_are_those_of_python_where_it_has_them(data: st.DataObject) -> None:
    kind, values = data.draw(st.sampled_from(SIMPLE))
    rows = data.draw(st.lists(st.none() | values, max_size=5))
    column = pa.array(rows, kind)
    expected = [f"{v:f}" if isinstance(v, Decimal) else plain(v) for v in rows]
    assert json_values(column) == expected
    nested = pa.array([{"a": rows}, None, {"a": None}], pa.struct([("a", pa.list_(kind))]))
    assert json_values(nested) == [{"a": expected}, None, {"a": None}]
    json.loads(json_text(json_values(nested)))


@given(st.lists(st.none() | st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1))),  # noqa: DTZ001
       st.sampled_from(ZONES))  # fmt: skip
def test_instants_keep_their_zone(rows: list[dt.datetime | None], zone: str) -> None:
    column = pa.array(rows, pa.timestamp("us")).cast(pa.timestamp("us", zone))
    expected = [None if v is None else v.isoformat() for v in column.to_pylist()]
    assert json_values(column) == expected


@pytest.mark.parametrize(
    ("kind", "number", "text"),
    [
        (pa.date32(), -2_440_588, "-4713-11-24"),
        (pa.date32(), -719_528, "0000-01-01"),
        (pa.date32(), 2**31 - 1, "5881580-07-11"),
        (pa.date64(), 86_400_000, "1970-01-02"),
        (pa.timestamp("us"), 2**63 - 1, "294247-01-10T04:00:54.775807"),
        (pa.timestamp("us", "UTC"), -(2**63) + 1, "-290308-12-21T19:59:05.224193+00:00"),
        (pa.timestamp("ns"), 1, "1970-01-01T00:00:00.000000001"),
        (pa.timestamp("ms"), -1, "1969-12-31T23:59:59.999000"),
        (pa.time64("ns"), 1, "00:00:00.000000001"),
        (pa.time64("us"), 86_400_000_000, "24:00:00"),
        (pa.duration("ns"), -1, "-PT0.000000001S"),
        (pa.duration("s"), 90, "PT90S"),
    ],
    ids=str,
)
def test_values_that_python_has_not_lose_nothing(kind: pa.DataType, number: int, text: str) -> None:
    assert json_values(of([number, None], kind)) == [text, None]
    nested = pa.StructArray.from_arrays([of([number], kind)], ["a"])
    assert json_values(nested) == [{"a": text}]


def test_nested_types_slices_and_chunks() -> None:
    maps = pa.array([None, [(1, b"x")], []], pa.map_(pa.int64(), pa.binary()))
    assert json_values(maps.slice(1)) == [[[1, "\\x78"]], []]
    fixed = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int16(), 2))
    assert json_values(pa.chunked_array([fixed.slice(1), fixed.slice(0, 1)])) == [
        None, [3, 4], [1, 2],
    ]  # fmt: skip
    assert json_values(pa.array([{}, None], pa.struct([]))) == [{}, None]
    assert json_values(pa.array(["b", None, "b"]).dictionary_encode()) == ["b", None, "b"]
    assert json_values(pa.nulls(2)) == [None, None]
    assert json_values(pa.array([np.float16(0.5)])) == [0.5]


def test_what_is_no_text_is_shown_without_quotes() -> None:
    (date,) = json_values(pa.array([dt.date(2026, 1, 1)]))
    (text,) = json_values(pa.array(["2026-01-01"]))
    assert (repr(date), repr(text)) == ("2026-01-01", "'2026-01-01'")
    assert json.dumps([date]) == '["2026-01-01"]'
    assert isinstance(date, Bare)
    assert not isinstance(text, Bare)
