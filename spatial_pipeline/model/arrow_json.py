"""JSON values of Arrow columns, exact for every type, for keys, quarantine and tables.

Python's own values lose nanoseconds and have no year before 1 or after 9999. Here dates, times and
timestamps are ISO 8601 with all their digits (years before 0001 with a sign, as ISO 8601 counts
them), durations are ISO 8601, decimals are text with all their digits, bytes are hexadecimal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.runtime.json_text import plain

_TICKS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""Digits after the decimal point of a second, by unit."""
_FIRST, _LAST = -62_135_596_800 + 86_400, 253_402_300_799 - 86_400
"""Seconds of the years 1 to 9999, less a day."""


class Bare(str):
    """Text of a value that is not a string, such as a date or decimal: shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def json_values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """(n,) values of a column as JSON has them; None for null.

    Maps are lists of pairs, since their keys need not be text.

    Raises:
        TypeError: a type has no JSON form.

    """
    if isinstance(column, pa.ChunkedArray):
        return [value for chunk in column.chunks for value in json_values(chunk)]
    kind = column.type
    if pa.types.is_dictionary(kind):
        return json_values(column.dictionary_decode())
    if pa.types.is_date(kind):
        return _dates(column)
    if pa.types.is_timestamp(kind):
        return _timestamps(column)
    if pa.types.is_time(kind):
        return [None if v is None else Bare(_clock(v, kind.unit)) for v in _ticks(column)]
    if pa.types.is_duration(kind):
        return [None if v is None else Bare(_duration(v, kind.unit)) for v in _ticks(column)]
    if pa.types.is_decimal(kind):
        return [None if v is None else Bare(f"{v:f}") for v in column.to_pylist()]
    if pa.types.is_struct(kind):
        return _structs(column)
    if pa.types.is_fixed_size_list(kind):
        return [json_values(v.values) if v.is_valid else None for v in column]
    if pa.types.is_map(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists(column)
    values = [plain(v) for v in column.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return values
    return [Bare(v) if isinstance(v, str) else v for v in values]


def _structs(column: pa.StructArray) -> list[Any]:
    names = [field.name for field in column.type]
    fields = [json_values(pc.struct_field(column, i)) for i in range(len(names))]
    present = column.is_valid().to_pylist()
    if not names:
        return [{} if there else None for there in present]
    rows = zip(*fields, strict=True)
    return [
        dict(zip(names, row, strict=True)) if there else None
        for there, row in zip(present, rows, strict=True)
    ]


def _lists(column: pa.Array) -> list[Any]:
    if pa.types.is_map(column.type):
        pairs = zip(json_values(column.keys), json_values(column.items), strict=True)
        inner: list[Any] = [list(pair) for pair in pairs]
    else:
        inner = json_values(column.values)
    ends = column.offsets.to_pylist()
    present = column.is_valid().to_pylist()
    return [
        inner[begin:end] if there else None
        for there, begin, end in zip(present, ends, ends[1:], strict=False)
    ]


def _ticks(column: pa.Array) -> list[int | None]:
    short = pa.types.is_time32(column.type) or pa.types.is_date32(column.type)
    return list(column.cast(pa.int32() if short else pa.int64()).to_pylist())


def _dates(column: pa.Array) -> list[Any]:
    day = 1 if pa.types.is_date32(column.type) else 86_400_000
    return [None if v is None else Bare(_day(v // day)) for v in _ticks(column)]


def _day(days: int) -> str:
    """ISO 8601 date of a day from 1970-01-01, with four digits of the year or more."""
    text = str(np.datetime64(days, "D"))
    if not text.startswith("-"):
        return text
    year, rest = text[1:].split("-", 1)
    return f"-{year:>04}-{rest}"


def _timestamps(column: pa.Array) -> list[Any]:
    unit, zone = column.type.unit, column.type.tz
    ticks = _ticks(column)
    shifts: list[int | None] = [None] * len(ticks)
    if zone is not None:
        shifts = [*_offsets(column)]
    found: list[Any] = []
    scale = 10 ** _TICKS[unit]
    for value, shift in zip(ticks, shifts, strict=True):
        if value is None:
            found.append(None)
            continue
        days, rest = divmod(value + (shift or 0) * scale, 86_400 * scale)
        text = f"{_day(days)}T{_clock(rest, unit)}"
        found.append(Bare(text if shift is None else text + _zone(shift)))
    return found


def _offsets(column: pa.Array) -> list[int]:
    """Seconds east of Greenwich at each instant; UTC where the zone has no rule for it."""
    instants = column.cast(pa.timestamp(column.type.unit, "UTC"))
    seconds = [0 if v is None else v // 10 ** _TICKS[column.type.unit] for v in _ticks(instants)]
    if column.type.tz == "UTC":
        return [0] * len(seconds)
    safe = [s if _FIRST <= s <= _LAST else 0 for s in seconds]
    # Not Arrow's local_timestamp: it ignores daylight saving time after 2037.
    times = pa.array(safe, pa.int64()).cast(pa.timestamp("s", column.type.tz)).to_pylist()
    return [
        int(time.utcoffset().total_seconds()) if here == second else 0
        for here, time, second in zip(safe, times, seconds, strict=True)
    ]


def _fraction(rest: int, unit: str) -> str:
    """Six or nine digits after the decimal point; none when they are zeros."""
    digits = f"{rest:0{_TICKS[unit]}d}".ljust(9, "0") if _TICKS[unit] else "0" * 9
    if digits == "0" * 9:
        return ""
    return "." + (digits[:6] if digits.endswith("000") else digits)


def _zone(shift: int) -> str:
    sign, (hours, rest) = "-" if shift < 0 else "+", divmod(abs(shift), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{hours:02d}:{minutes:02d}" + (f":{seconds:02d}" if seconds else "")


def _clock(value: int, unit: str) -> str:
    whole, rest = divmod(value, 10 ** _TICKS[unit])
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{_fraction(rest, unit)}"


def _duration(value: int, unit: str) -> str:
    """ISO 8601 in seconds, as :mod:`spatial_pipeline.runtime.json_text` writes durations."""
    sign, (whole, rest) = "-" if value < 0 else "", divmod(abs(value), 10 ** _TICKS[unit])
    digits = f"{rest:0{_TICKS[unit]}d}".rstrip("0") if _TICKS[unit] else ""
    return f"{sign}PT{whole}{'.' if digits else ''}{digits}S"
