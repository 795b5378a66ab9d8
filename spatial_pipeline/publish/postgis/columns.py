"""Arrow columns → PostgreSQL columns, in the binary form that COPY reads.

Every encoder returns arrays over the n rows of a batch, without a loop over rows for the usual
types. Formats: PostgreSQL documentation, "COPY, Binary Format", and the ``*_recv`` functions of
the types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.arrow_json import json_values
from spatial_pipeline.runtime.json_text import json_text

EPOCH_DAYS = 10_957
"""Days from 1970-01-01 to 2000-01-01, where PostgreSQL's dates begin."""
EPOCH_US = EPOCH_DAYS * 86_400_000_000
_DATES = (-2_451_545, 2_145_031_948)
"""Days from 2000-01-01 that a date holds: 4714-11-24 BC to 5874897-12-31 (PostgreSQL's date.h)."""
_TIMESTAMPS = (-211_813_488_000_000_000, 9_223_371_331_199_999_999)
"""Microseconds from 2000-01-01 that a timestamp holds: 4714-11-24 BC to before 294277."""
_NUMERIC_NEGATIVE = 0x4000
_EXACT = Context(prec=100)
"""Digits enough for every decimal of Arrow, which has 76 at most."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """Storage of a column in PostgreSQL.

    Attributes:
        sql: type as a column definition says it.
        oid: object id of the type; the built-in types have fixed ones.
        width: bytes of a value, None when they vary.
        encode: column without nulls in doubt → (n, width) bytes for a fixed width, else an Arrow
            binary array. What it gives for a null is ignored.

    """

    sql: str
    oid: int
    width: int | None
    encode: Callable[[pa.Array], Any]


def column_type(name: str, kind: pa.DataType) -> ColumnType:
    """The PostgreSQL type of an Arrow type.

    Raises:
        StoreError: there is none.

    """
    for test, made in _TYPES:
        if test(kind):
            return made if isinstance(made, ColumnType) else _decimals(kind)
    msg = f"column {name!r} of type {kind} cannot be published to a table"
    raise StoreError(msg)


def big_endian(values: NDArray[Any], size: int, kind: str = "i") -> NDArray[np.uint8]:
    """(n, size) network-order bytes of (n,) numbers."""
    return np.ascontiguousarray(values, dtype=f">{kind}{size}").view(np.uint8).reshape(-1, size)


def _numbers(size: int, kind: str = "i") -> Callable[[pa.Array], NDArray[np.uint8]]:
    def encode(column: pa.Array) -> NDArray[np.uint8]:
        return big_endian(_filled(column), size, kind)

    return encode


def _filled(column: pa.Array) -> NDArray[Any]:
    """Values with zeros for nulls."""
    filled = pc.fill_null(column, pa.scalar(0, pa.int64()).cast(column.type))
    return cast("NDArray[Any]", filled.to_numpy(zero_copy_only=False))


def _booleans(column: pa.Array) -> NDArray[np.uint8]:
    values = pc.fill_null(column, pa.scalar(False))
    return cast("NDArray[np.uint8]", values.cast(pa.uint8()).to_numpy().reshape(-1, 1))


def _exactly(column: pa.Array, kind: pa.DataType, sql: str) -> pa.Array:
    """The column in another type, every value the same.

    Raises:
        StoreError: the type does not hold a value.

    """
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as exc:
        msg = f"a value does not fit PostgreSQL's {sql}: {exc}"
        raise StoreError(msg) from exc


def _within(values: NDArray[np.int64], least: int, most: int, sql: str) -> NDArray[np.int64]:
    """The values, which PostgreSQL's type holds.

    Raises:
        StoreError: one is outside.

    """
    if len(values) and not (least <= int(values.min()) and int(values.max()) <= most):
        msg = f"a value is outside of what PostgreSQL's {sql} holds"
        raise StoreError(msg)
    return values


def _unsigned(column: pa.Array) -> NDArray[np.uint8]:
    return big_endian(_filled(_exactly(column, pa.int64(), "bigint")), 8)


def _half(column: pa.Array) -> NDArray[np.uint8]:
    return big_endian(_filled(column.cast(pa.float32())), 4, "f")


def _dates(column: pa.Array) -> NDArray[np.uint8]:
    days = _filled(_exactly(column, pa.date32(), "date").cast(pa.int32()))
    return big_endian(_within(days.astype(np.int64) - EPOCH_DAYS, *_DATES, "date"), 4)


def _instants(column: pa.Array) -> NDArray[np.uint8]:
    micros = _exactly(column, pa.timestamp("us", column.type.tz), "timestamp").cast(pa.int64())
    least, most = (EPOCH_US + edge for edge in _TIMESTAMPS)
    return big_endian(_within(_filled(micros), least, most, "timestamp") - EPOCH_US, 8)


def _clock(column: pa.Array) -> NDArray[np.uint8]:
    micros = _exactly(column, pa.time64("us"), "time").cast(pa.int64())
    return big_endian(_filled(micros), 8)


def _spans(column: pa.Array) -> NDArray[np.uint8]:
    micros = _exactly(column, pa.duration("us"), "interval").cast(pa.int64())
    out = np.zeros((len(column), 16), dtype=np.uint8)
    out[:, :8] = big_endian(_filled(micros), 8)
    return out


def _texts(column: pa.Array) -> pa.Array:
    if pa.types.is_fixed_size_binary(column.type) or pa.types.is_large_binary(column.type):
        return column.cast(pa.binary())
    if pa.types.is_large_string(column.type):
        return column.cast(pa.string()).cast(pa.binary())
    return column.cast(pa.binary())


def _nothing(column: pa.Array) -> pa.Array:
    return pa.nulls(len(column), pa.binary())


def _documents(column: pa.Array) -> pa.Array:
    """Lists, structs and maps as JSON; dates and bytes in them as text."""
    texts = [None if v is None else json_text(v).encode() for v in json_values(column)]
    return pa.array(texts, pa.binary())


def _decimals(kind: pa.DataType) -> ColumnType:
    scale = max(0, kind.scale)
    return ColumnType(f"numeric({max(kind.precision, scale)},{scale})", 1700, None, _numeric)


def _numeric(column: pa.Array) -> pa.Array:
    """Digits in base 10,000, most significant first (``numeric_recv``)."""
    scale = max(0, column.type.scale)
    values = [
        0 if v is None else int(v.scaleb(scale, _EXACT)) * 10 ** (-scale % 4)
        for v in column.to_pylist()
    ]
    texts: list[bytes] = []
    for value in values:
        digits: list[int] = []
        rest = abs(value)
        while rest:
            rest, digit = divmod(rest, 10_000)
            digits.append(digit)
        below = -(-scale // 4)
        weight = len(digits) - 1 - below
        while digits and digits[0] == 0:
            digits.pop(0)
        sign = _NUMERIC_NEGATIVE if value < 0 else 0
        head = [len(digits), weight if digits else 0, sign, scale]
        texts.append(np.array([*head, *reversed(digits)], dtype=">i2").tobytes())
    return pa.array(texts, pa.binary())


def _nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind))


# Of decimals the type depends on precision and scale.
_TYPES: tuple[tuple[Callable[[pa.DataType], bool], ColumnType | None], ...] = (
    (pa.types.is_boolean, ColumnType("boolean", 16, 1, _booleans)),
    (lambda k: k in {pa.int8(), pa.int16(), pa.uint8()},
     ColumnType("smallint", 21, 2, _numbers(2))),
    (lambda k: k in {pa.int32(), pa.uint16()}, ColumnType("integer", 23, 4, _numbers(4))),
    (lambda k: k in {pa.int64(), pa.uint32()}, ColumnType("bigint", 20, 8, _numbers(8))),
    (pa.types.is_uint64, ColumnType("bigint", 20, 8, _unsigned)),
    (pa.types.is_float16, ColumnType("real", 700, 4, _half)),
    (pa.types.is_float32, ColumnType("real", 700, 4, _numbers(4, "f"))),
    (pa.types.is_float64, ColumnType("double precision", 701, 8, _numbers(8, "f"))),
    (lambda k: pa.types.is_string(k) or pa.types.is_large_string(k),
     ColumnType("text", 25, None, _texts)),
    (lambda k: pa.types.is_binary(k) or pa.types.is_large_binary(k)
     or pa.types.is_fixed_size_binary(k), ColumnType("bytea", 17, None, _texts)),
    (pa.types.is_date, ColumnType("date", 1082, 4, _dates)),
    (lambda k: pa.types.is_timestamp(k) and k.tz is not None,
     ColumnType("timestamp with time zone", 1184, 8, _instants)),
    (pa.types.is_timestamp, ColumnType("timestamp without time zone", 1114, 8, _instants)),
    (pa.types.is_time, ColumnType("time without time zone", 1083, 8, _clock)),
    (pa.types.is_duration, ColumnType("interval", 1186, 16, _spans)),
    (pa.types.is_decimal, None),
    (pa.types.is_null, ColumnType("text", 25, None, _nothing)),
    (_nested, ColumnType("json", 114, None, _documents)),
)  # fmt: skip
