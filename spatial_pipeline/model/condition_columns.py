"""Columns in the types that DuckDB has, for SQL conditions of contracts; no value changes.

DuckDB has decimals of up to 38 digits and no half floats.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

DIGITS = 38
"""Most digits of a decimal of DuckDB."""
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_NUMBER = re.compile(r"(?<![\w.])[\d_]*\.[\d_]+(?![\w.])")


def condition_columns(table: pa.Table, condition: str) -> tuple[pa.Table, tuple[str, ...]]:
    """The columns as DuckDB takes them.

    Args:
        table: columns that a condition may use.
        condition: the condition.

    Returns:
        The table with each value as it was, without the columns that hold a number of more than
        38 digits; and the names of these.

    Raises:
        ValueError: the condition compares decimals with a fraction of more than 38 digits, which
            DuckDB would round.

    """
    exact = any(pa.types.is_decimal(f.type) for f in table.schema)
    for number in _NUMBER.findall(_QUOTED.sub("''", condition)) if exact else ():
        if sum(map(str.isdigit, number)) > DIGITS:
            msg = f"{number} has more than {DIGITS} digits and would be rounded: write fewer digits"
            raise ValueError(msg)
    left_out = []
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if pa.types.is_decimal256(field.type):
            narrow = _narrowed(column)
        elif _has_wide_decimals(field.type):
            narrow = None
        else:
            kind = _without_half_floats(field.type)
            narrow = column if kind == field.type else column.cast(kind)
        if narrow is None:
            left_out.append(field.name)
        else:
            table = table.set_column(index, field.name, narrow)
    return table.drop_columns(left_out), tuple(left_out)


def hint(condition: str, left_out: Sequence[str]) -> str:
    """Words for a condition that failed, empty when no column was left out that it names."""
    named = [name for name in left_out if name.casefold() in condition.casefold()]
    if not named:
        return ""
    return (
        f" (no condition takes numbers of more than {DIGITS} digits: {', '.join(named)}; round or"
        " convert them in the source, or leave them out of the condition)"
    )


def _narrowed(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Decimals of 38 digits with as few places as they need; None when they do not fit.

    With few places DuckDB finds a common type of column and literal, and rounds neither.
    """
    for places in range(min(column.type.scale, DIGITS) + 1):
        try:
            return column.cast(pa.decimal128(DIGITS, places))
        except pa.ArrowInvalid:
            continue
    return None


def _has_wide_decimals(kind: pa.DataType) -> bool:
    """True when a type is, or is made of, decimals of more than 38 digits."""
    if pa.types.is_decimal256(kind):
        return True
    return any(_has_wide_decimals(kind.field(i).type) for i in range(kind.num_fields))


def _without_half_floats(kind: pa.DataType) -> pa.DataType:
    """The type with floats of 4 bytes in place of those of 2; lists of them, too."""
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_list(kind):
        return pa.list_(_without_half_floats(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_without_half_floats(kind.value_type))
    return kind
