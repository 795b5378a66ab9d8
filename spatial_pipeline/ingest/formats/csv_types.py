"""Types of CSV columns, chosen so that no value changes.

A column has a type when every value is a writing of a value of that type, else it is text. Types
that a .csvt file declares belong to ``csv_declared``.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_YEAR = r"([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
"""Years 1 to 9999: Python's dates know no year 0."""
_INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$"
_DATE = rf"^{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_TIME = rf"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,6}})?)?$"
_TRUTH = r"^(true|false)$"
CANDIDATES: tuple[tuple[pa.DataType, str], ...] = (
    (pa.int64(), _INTEGER),
    (pa.float64(), _NUMBER),
    (pa.date32(), _DATE),
    (pa.timestamp("us"), _TIME),
    (pa.bool_(), _TRUTH),
)
"""Types and what every value must look like. A number with a leading zero is a code."""
BLANKS = " \t\r\n\u00a0"
"""Characters around a value that do not belong to it."""
COORDINATE = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
DECIMAL_COMMA = r"^[+-]?[0-9]+,[0-9]+$"
SURE_DIGITS = 15
"""Any decimal number of this many digits is the only one that its double stands for."""
_PRECISION = 1200
_PADDING = r"^([^eE]*[.,]([0-9]*[1-9])?)0+([eE].*)?$"
"""Digits of the longest exact value of a double."""


class Guess:
    """The types that all texts seen so far fit, column by column."""

    def __init__(self) -> None:
        self._left: list[list[tuple[pa.DataType, str]]] | None = None
        self._seen: set[int] = set()

    def see(self, batch: pa.RecordBatch) -> None:
        """Drops the types that a value of this batch does not fit.

        Args:
            batch: columns of text, null where a field is empty; always the same columns.

        """
        if self._left is None:
            self._left = [list(CANDIDATES) for _ in batch.schema]
        for i, left in enumerate(self._left):
            column = batch.column(i)
            if left and column.null_count < len(column):
                self._seen.add(i)
                self._left[i] = [(t, form) for t, form in left if _fits(column, t, form)]

    def open_columns(self, count: int) -> list[bool]:
        """Whether each of ``count`` columns may still have another type than text."""
        return [True] * count if self._left is None else [bool(left) for left in self._left]

    def types(self) -> tuple[pa.DataType, ...]:
        """The type of each column; text where no other holds every value."""
        return tuple(
            left[0][0] if left and i in self._seen else pa.string()
            for i, left in enumerate(self._left or [])
        )


def converted(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Texts that fit a type as values of it.

    Args:
        texts: (n,) text.
        kind: one of ``CANDIDATES``, or text.

    """
    if pa.types.is_string(kind):
        return texts
    return trimmed(texts).cast(kind)


def trimmed(texts: pa.Array) -> pa.Array:
    """Texts without blanks and line ends around them."""
    return pc.utf8_trim(texts, BLANKS)


def matches(texts: pa.Array, form: str) -> bool:
    """Whether every text, but for blanks around it, has a form."""
    for some in (texts, trimmed(texts)):
        if pc.all(pc.match_substring_regex(some, form), skip_nulls=True).as_py() is not False:
            return True
    return False


def numbers(texts: pa.Array) -> pa.Array:
    """Decimal numbers as doubles: with a plus sign, and a comma or a point.

    Args:
        texts: (n,) texts of the form ``COORDINATE`` or ``DECIMAL_COMMA``, trimmed.

    """
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        plain = pc.replace_substring(pc.utf8_ltrim(texts, "+"), ",", ".")
        return plain.cast(pa.float64())


def exact(texts: pa.Array, values: pa.Array) -> bool:
    """Whether every text is its value, rounded to the digits that the text has.

    So a text of a shortest or of a longer writing of a double fits, and one with more digits than
    a double holds does not. Zeros behind the last digit of a fraction, with which writers fill a
    field, are no digits of the value.

    Args:
        texts: (n,) decimal numbers, trimmed.
        values: (n,) their doubles, finite.

    """
    long = pc.greater(pc.binary_length(texts), SURE_DIGITS)
    if not pc.any(long).as_py():
        return True
    texts, values = texts.filter(long), values.filter(long)
    texts = pc.replace_substring_regex(texts, _PADDING, r"\1\3")
    digits = pc.count_substring_regex(texts, "[0-9]")
    unsure = pc.and_(pc.greater(digits, SURE_DIGITS), pc.not_equal(texts, values.cast(pa.string())))
    texts, values = texts.filter(unsure), values.filter(unsure)
    return all(rounds(t, v) for t, v in zip(texts.to_pylist(), values.to_pylist(), strict=True))


def rounds(text: str, value: float) -> bool:
    """Whether a decimal number is the exact value of a float, rounded to the digits it has.

    A tie may be rounded either way, as writers of shortest numbers do.
    """
    with localcontext(prec=_PRECISION):
        wanted = Decimal(text)
        unit = Decimal((0, (1,), int(wanted.as_tuple().exponent)))
        return abs(Decimal(value) - wanted) * 2 <= unit


def _fits(column: pa.Array, kind: pa.DataType, form: str) -> bool:
    if not matches(column, form):
        return False
    try:
        values = converted(column, kind)
    except pa.ArrowInvalid:
        return False
    if not pa.types.is_floating(kind):
        return True
    finite = np.asarray(pc.fill_null(pc.is_finite(values), True))
    return bool(finite.all()) and exact(trimmed(column), values)
