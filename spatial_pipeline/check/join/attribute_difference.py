"""Equality of two attribute columns, independent of the types that the formats use.

Null equals null and NaN equals NaN, but null is not NaN. Numbers are compared by value, never by
rounding one side: 2⁵³ + 1 differs from the floating point number next to it. Text and binary are
compared byte by byte. A date equals midnight of that day; times with and without a time zone have
no common type.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.raster.pixel_difference import distance
from spatial_pipeline.errors import RuleError

SHOWN = 40
"""Characters of a value that a reason shows."""

_LISTS = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY = 86_400 * 10**9
_EXACT_FLOAT = float(1 << 63)


def common_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The type in which values of both types can be compared; None when there is none.

    Integers against floating point numbers give float64, which does not hold all of both:
    :func:`equal` does not go through it.
    """
    a, b = plain_type(a), plain_type(b)
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    numeric = _common_number(a, b)
    if numeric is not None:
        return numeric
    if pa.types.is_temporal(a) and pa.types.is_temporal(b):
        return _common_time(a, b)
    if pa.types.is_nested(a) and pa.types.is_nested(b):
        return _common_nested(a, b)
    return None


def equal(a: pa.ChunkedArray, b: pa.ChunkedArray, tolerance: float = 0.0) -> NDArray[np.bool_]:
    """(n,) bool: equality of two columns of n values.

    Args:
        a: a column.
        b: a column of a type that has a common type with the first.
        tolerance: accepted difference of numbers.

    """
    common = common_type(a.type, b.type)
    if common is None:
        msg = f"{a.type} and {b.type} have no common type"
        raise TypeError(msg)
    there, present = a.is_valid().to_numpy(), b.is_valid().to_numpy()
    if pa.types.is_null(a.type) or pa.types.is_null(b.type):
        return cast("NDArray[np.bool_]", ~there & ~present)
    a, b = _decoded(a, common), _decoded(b, common)
    if pa.types.is_decimal(common):
        same = _same_decimals(a, b, common, tolerance)
    elif _is_number(common):
        same = _same_numbers(_numbers(a), _numbers(b), tolerance)
    elif pa.types.is_temporal(common):
        same = _same_times(a, b)
    elif pa.types.is_large_string(common) or pa.types.is_large_binary(common):
        found = pc.equal(a.cast(common), b.cast(common))
        same = pc.fill_null(found, False).to_numpy()
    else:
        both = pa.chunked_array([*a.cast(common).chunks, *b.cast(common).chunks], type=common)
        group = join_keys.groups(pa.table({"value": both}))
        same = group[: len(a)] == group[len(a) :]
    return cast("NDArray[np.bool_]", np.where(there & present, same, there == present))


def comparable_keys(
    a: pa.ChunkedArray, b: pa.ChunkedArray, name: str
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Two key columns in one type, so that equal keys are equal there and others are not.

    Raises:
        RuleError: no type holds the values of both.

    """
    common = common_type(a.type, b.type)
    kinds = {pa.types.is_floating(a.type), pa.types.is_floating(b.type)}
    candidates = [common] if common is not None else []
    if common is not None and kinds == {True, False} and _is_number(common):
        # Whole numbers that one format stores as floating point numbers, usually.
        candidates = [pa.int64(), pa.float64()]
    for kind in candidates:
        try:
            return a.cast(kind), b.cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    msg = f"needs comparable keys: {name!r} is {a.type} here and {b.type} in the other dataset"
    raise RuleError(msg)


def texts(column: pa.ChunkedArray) -> list[str]:
    """The values of a column as text for people, long ones truncated."""
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        values = column.cast(pa.string()).to_pylist()
    return [_text(v) for v in values]


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    told = repr(value) if isinstance(value, (str, float)) else str(value)
    return told if len(told) <= SHOWN else f"{told[: SHOWN - 1]}…"


def plain_type(kind: pa.DataType) -> pa.DataType:
    """A type without Arrow's storage variants."""
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_fixed_size_binary(kind) and not pa.types.is_decimal(kind):
        return pa.large_binary()
    if isinstance(kind, _LISTS):
        return pa.large_list(plain_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(f.name, plain_type(f.type)) for f in kind])
    return kind


def _decoded(column: pa.ChunkedArray, common: pa.DataType) -> pa.ChunkedArray:
    kind = plain_type(column.type)
    if pa.types.is_decimal(kind) and pa.types.is_floating(common):
        kind = common
    elif pa.types.is_boolean(kind) and pa.types.is_decimal(common):
        kind = pa.uint8()
    return column if kind == column.type else column.cast(kind)


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    )


def _common_number(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if not (_is_number(a) and _is_number(b)):
        return None
    if pa.types.is_floating(a) or pa.types.is_floating(b):
        return pa.float64()
    scales = [k.scale for k in (a, b) if pa.types.is_decimal(k)]
    if scales:
        return pa.decimal256(76, max(scales))
    if pa.uint64() in (a, b) and any(pa.types.is_signed_integer(k) for k in (a, b)):
        return pa.decimal256(76, 0)
    return pa.uint64() if pa.uint64() in (a, b) else pa.int64()


def _common_time(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if _instant(a) and _instant(b):
        zones = [getattr(k, "tz", None) for k in (a, b)]
        if (zones[0] is None) != (zones[1] is None):
            return None
        return pa.timestamp("us", None if zones[0] is None else "UTC")
    if pa.types.is_time(a) and pa.types.is_time(b):
        return pa.time64("ns")
    if pa.types.is_duration(a) and pa.types.is_duration(b):
        return pa.duration("us")
    return None


def _instant(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _common_nested(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if all(isinstance(k, _LISTS) for k in (a, b)):
        inner = common_type(a.value_type, b.value_type)
        return None if inner is None else pa.large_list(inner)
    if pa.types.is_struct(a) and pa.types.is_struct(b):
        names = [f.name for f in a]
        if names != [f.name for f in b]:
            return None
        inners = [common_type(p.type, q.type) for p, q in zip(a, b, strict=True)]
        if any(i is None for i in inners):
            return None
        return pa.struct(list(zip(names, inners, strict=True)))
    return None


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """Booleans, integers or floating point numbers as an array; zero for null."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    elif pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    return cast("NDArray[Any]", pc.fill_null(column, 0).to_numpy())


def _same_numbers(a: NDArray[Any], b: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    if a.dtype.kind != "f" and b.dtype.kind != "f":
        same = a == b
    elif a.dtype.kind == b.dtype.kind:
        same = (a == b) | (np.isnan(a) & np.isnan(b))
    else:
        whole, real = (b, a) if a.dtype.kind == "f" else (a, b)
        same = _same_whole(whole, real.astype(np.float64))
    if tolerance:
        same = same | (distance(a, b) <= tolerance)
    return cast("NDArray[np.bool_]", same)


def _same_whole(whole: NDArray[Any], real: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) bool: integers equal to floating point numbers, without rounding the integers."""
    low, high = (
        (0.0, 2 * _EXACT_FLOAT) if whole.dtype.kind == "u" else (-_EXACT_FLOAT, _EXACT_FLOAT)
    )
    fits = (real >= low) & (real < high) & (np.floor(real) == real)
    kind = np.uint64 if whole.dtype.kind == "u" else np.int64
    return cast("NDArray[np.bool_]", fits & (np.where(fits, real, 0.0).astype(kind) == whole))


def _same_decimals(
    a: pa.ChunkedArray, b: pa.ChunkedArray, common: pa.DataType, tolerance: float
) -> NDArray[np.bool_]:
    if tolerance:
        return np.asarray(
            [
                p is not None and q is not None and abs(p - q) <= tolerance
                for p, q in zip(a.to_pylist(), b.to_pylist(), strict=True)
            ],
            dtype=bool,
        )
    try:
        found = pc.equal(a.cast(common), b.cast(common))
    except pa.ArrowInvalid:
        # More digits than the widest decimal has: Python's numbers have no bound.
        pairs = zip(a.to_pylist(), b.to_pylist(), strict=True)
        return np.asarray([p == q for p, q in pairs], dtype=bool)
    return cast("NDArray[np.bool_]", pc.fill_null(found, False).to_numpy())


def _same_times(a: pa.ChunkedArray, b: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Compares in the coarser unit, which can hold every value of the finer one."""
    (p, p_unit), (q, q_unit) = _ticks(a), _ticks(b)
    if p_unit > q_unit:
        (p, p_unit), (q, q_unit) = (q, q_unit), (p, p_unit)
    whole, rest = np.divmod(p, q_unit // p_unit)
    return cast("NDArray[np.bool_]", (whole == q) & (rest == 0))


def _ticks(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """Times as whole numbers of a unit (zero for null), and the nanoseconds of that unit."""
    kind = column.type
    if pa.types.is_date32(kind):
        unit = _DAY
    elif pa.types.is_date64(kind):
        unit = _NANOSECONDS["ms"]
    else:
        unit = _NANOSECONDS[kind.unit]
    stored = pa.int32() if kind.bit_width == 32 else pa.int64()
    numbers = pc.fill_null(column.cast(stored), 0).to_numpy().astype(np.int64)
    return numbers, unit


__all__ = ["common_type", "comparable_keys", "equal", "plain_type", "texts"]
