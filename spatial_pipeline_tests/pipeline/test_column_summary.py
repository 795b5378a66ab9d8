"""A summary of batches says what a list of all values says."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.pipeline.column_summary import (
    FEW,
    ColumnSummary,
    Combinations,
    concatenations,
)

TEXTS = st.lists(st.none() | st.from_regex(r"[A-C]{0,2}[0-9]{1,3}", fullmatch=True), max_size=30)


def summed(values: list[Any], kind: Any, arrow: pa.DataType, size: int) -> ColumnSummary:
    summary = ColumnSummary("a", kind)
    for i in range(0, len(values), size):
        summary.add(pa.chunked_array([pa.array(values[i : i + size], arrow)]))
    return summary


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(1, 9))
def test_texts(values: list[str | None], size: int) -> None:
    summary = summed(values, "string", pa.string(), size)
    there = [v for v in values if v is not None]
    assert (summary.rows, summary.nulls) == (len(values), len(values) - len(there))
    assert summary.full == (bool(values) and not summary.nulls)
    expected = Counter(there)
    assert summary.values == (expected if len(expected) <= FEW else None)
    if summary.pattern is not None:
        assert all(re.fullmatch(summary.pattern, v) for v in there)
    assert summary.checksum_text == summed(values[::-1], "string", pa.string(), 3).checksum_text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.integers(-(10**12), 10**12), max_size=20), st.integers(1, 9))
def test_whole_numbers(values: list[int | None], size: int) -> None:
    summary = summed(values, "integer", pa.int64(), size)
    there = [v for v in values if v is not None]
    assert (summary.least, summary.most) == (min(there, default=None), max(there, default=None))
    assert summary.fraction is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-9999, 9999), min_size=1, max_size=9), st.integers(0, 4))
def test_digits_after_the_point(numbers: list[int], digits: int) -> None:
    values = [n / 10**digits for n in numbers]
    summary = summed(values, "number", pa.float64(), 4)
    assert (summary.least, summary.most) == (min(values), max(values))
    assert summary.fraction == max(len(f"{v:.6f}".rstrip("0").split(".")[1]) for v in values)


def test_numbers_that_are_none_are_odd() -> None:
    summary = summed([1.0, float("nan")], "number", pa.float64(), 2)
    assert (summary.odd, summary.least) == (True, 1.0)


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (["CZ-012", "DE-7"], "[A-Z]{2}\\-[0-9]{1,3}"),
        (["a1", "b2"], "[a-z][0-9]"),
        (["a", "1"], "([0-9]|[a-z])"),
        (["free text"], None),
        (["x" * 41], None),
    ],
)
def test_patterns(values: list[str], pattern: str | None) -> None:
    assert summed(values, "string", pa.string(), 1).pattern == pattern


def test_combinations_and_concatenations() -> None:
    table = pa.table({"a": ["x", "y", "x"], "b": [1, 2, 1], "c": ["x1", "y2", "z3"]})
    pair = Combinations(("a", "b"))
    pair.add(table)
    pair.add(table.slice(0, 1))
    assert pair.found == {("x", 1): 3, ("y", 2): 1}
    texts = pa.table({"whole": ["ab", "cd"], "left": ["a", "c"], "right": ["b", "d"]})
    assert concatenations(texts, texts.column_names) == [("whole", "left", "right")]
    assert concatenations(texts.slice(0, 1), texts.column_names) == []
