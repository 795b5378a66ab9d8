"""Conditions over columns of types that DuckDB does not have."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.join.where_filter import mask
from spatial_pipeline.errors import RuleError, SourceError
from spatial_pipeline.ingest.where_filter import Condition

WIDE = Context(prec=100)


def one(values: list[Decimal | None], condition: str, scale: int = 38) -> list[int]:
    """Rows by the rules' filter, which are those of the filter of sources."""
    with localcontext(WIDE):
        table = pa.table({"a": pa.array(values, pa.decimal256(76, scale)), "b": [1] * len(values)})
    kept = np.flatnonzero(mask(table, condition)).tolist()
    with Condition(condition) as opened:
        assert opened.rows(table.to_batches()[0]).tolist() == kept
    return kept


def test_decimals_of_many_digits_are_compared_exactly() -> None:
    base = Decimal("12345678901234567890123456789.5")
    values = [base, base + Decimal("0.0000001"), None, -base]
    assert one(values, f"a > {base}") == [1]
    assert one(values, f"a = {base} AND b = 1") == [0]
    assert one(values, "a IS NULL") == [2]
    assert one([Decimal("1E-30"), Decimal(0)], "a > 0 AND a < 100.5") == [0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-(10**38) + 1, 10**38 - 1), min_size=1, max_size=5),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(0, 38),
)
def test_a_comparison_is_right_or_refused(digits: list[int], literal: int, places: int) -> None:
    values: list[Decimal | None] = [Decimal(n).scaleb(-places, WIDE) for n in [*digits, literal]]
    than = Decimal(literal).scaleb(-places, WIDE)
    expected = [i for i, v in enumerate(values) if v is not None and v >= than]
    try:
        assert one(values, f"a >= {than:f}") == expected
    except RuleError as exc:
        assert str(exc).startswith("where: ")  # noqa: PT017 - either is right


def test_a_number_that_no_condition_takes_is_refused_with_the_way_out() -> None:
    huge: list[Decimal | None] = [Decimal(10) ** 40, None]
    told = "more than 38 digits: a; round or convert them in the source, or leave them out"
    with pytest.raises(RuleError, match=told):
        one(huge, "A > 1", 0)
    assert one(huge, "b = 1", 0) == [0, 1]
    with pytest.raises(RuleError, match=r"more than 38 digits and would be rounded: write fewer"):
        one([Decimal(1)], f"a = 1.{'0' * 38}")
    with pytest.raises(SourceError, match="would be rounded"), Condition(f"a = .{'1' * 39}") as c:
        c.rows(pa.RecordBatch.from_pydict({"a": pa.array([Decimal(1)])}))
    assert one([Decimal(1)], f"a = 1 AND '1.{'0' * 38}' <> ''") == [0]


def test_half_floats_and_lists_of_them() -> None:
    halves = pa.array([np.float16(1.5), None], pa.float16())
    table = pa.table({"h": halves, "l": pa.array([[1.5], None], pa.list_(pa.float16()))})
    assert mask(table, "h = 1.5").tolist() == [True, False]
    assert mask(table, "l IS NULL").tolist() == [False, True]
    wide = pa.table({"l": pa.array([[Decimal(1)]], pa.list_(pa.decimal256(50, 0))), "b": [1]})
    assert mask(wide, "b = 1").tolist() == [True]
    with pytest.raises(RuleError, match="more than 38 digits: l;"):
        mask(wide, "l IS NULL")
