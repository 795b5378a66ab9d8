"""CSV: types that hold every value."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest.formats.csv_types import CANDIDATES, Guess, exact, rounds


def kind(*texts: str | None) -> pa.DataType:
    guess = Guess()
    guess.see(pa.record_batch({"a": pa.array(texts, pa.string())}))
    return guess.types()[0]


@pytest.mark.parametrize(
    "text",
    ["0.1", "0.30000000000000004", "0.10000000000000001", f"{123456.123456789:.15f}", "-1.50",
     "1e-5", "9007199254740992.0"],
)  # fmt: skip
def test_numbers_that_a_double_holds(text: str) -> None:
    assert kind(text) == pa.float64()


@pytest.mark.parametrize(
    "text",
    ["0.1234567890123456789", "123456789012345.123456789", "9007199254740993.0", "1e999", "+1.5",
     "01.5", "1,5", ".5", "5.", "nan", "1.5\x1d", "\u0661.5"],
)  # fmt: skip
def test_numbers_that_a_double_changes_are_text(text: str) -> None:
    assert kind("0.5", text) == pa.string()


@pytest.mark.parametrize(
    "text", ["0000-01-01", "2020-02-30", "2020-1-1", "20200101", "2020-01-01Z"]
)
def test_days_that_do_not_exist_are_text(text: str) -> None:
    assert kind("2020-01-01", text) == pa.string()


@pytest.mark.parametrize(
    "text",
    ["2020-01-01T24:00:00", "2020-01-01T10:00:60", "2020-01-01T10:00:00Z", "0000-01-01T00:00:00",
     "2020-01-01T10:00:00.1234567"],
)  # fmt: skip
def test_times_that_would_change_are_text(text: str) -> None:
    assert kind("2020-01-01T10:00:00", text) == pa.string()


@given(st.floats(-1e300, 1e300), st.integers(1, 30))
@settings(deadline=None)
def test_a_value_is_its_own_text_rounded(value: float, digits: int) -> None:
    text = f"{value:.{digits}e}"
    assert rounds(text, float(text)) or digits > 14
    assert rounds(repr(value), value)
    assert exact(pa.array([repr(value)]), pa.array([value]))


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("0.10000000000000000000", True),
        ("97696644.11361000", True),
        ("-12.500000000000000000e3", True),
        ("1.000000000000000000000", True),
        ("0.00000000000000000000", True),
        ("100000000000000000000.0", True),
        ("0.10000000000000000001", False),
        ("9007199254740993.00000000", False),
        ("123456789012345680000", False),
        ("1.234567890123456789e10", False),
    ],
)
def test_zeros_that_fill_a_fraction_are_no_digits(text: str, fits: bool) -> None:
    assert exact(pa.array([text]), pa.array([float(text)])) is fits


WORDS = st.one_of(
    st.none(),
    st.integers().map(str),
    st.floats().map(repr),
    st.dates().map(str),
    st.datetimes().map(str),
    st.booleans().map(lambda v: str(v).lower()),
    st.text(max_size=4),
)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_the_guess_holds_every_value_and_does_not_depend_on_batches(
    batches: list[list[str | None]],
) -> None:
    whole, parts = Guess(), Guess()
    everything = [v for values in batches for v in values]
    whole.see(pa.record_batch({"a": pa.array(everything, pa.string())}))
    for values in batches:
        parts.see(pa.record_batch({"a": pa.array(values, pa.string())}))
    assert whole.types() == parts.types()
    kind = whole.types()[0]
    assert kind == pa.string() or kind in [t for t, _ in CANDIDATES]
    if kind == pa.int64():
        assert all(v is None or str(int(v)) == v.strip() or v.strip() == "-0" for v in everything)
    if kind == pa.float64():
        assert all(v is None or abs(float(v)) != float("inf") for v in everything)
