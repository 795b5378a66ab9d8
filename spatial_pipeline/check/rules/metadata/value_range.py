"""value_range: numbers, dates or times of a column lie within bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.api import Values, Violations, column_rule
from spatial_pipeline.contract.rules.metadata import ValueRange
from spatial_pipeline.errors import RuleError

TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Ticks a second of an Arrow time unit."""
DAY = 86_400
EPOCH_DAY = date(1970, 1, 1).toordinal()

Limit = int | float | datetime | date


@dataclass(frozen=True)
class Scale:
    """The bounds as numbers on the scale of a column.

    Attributes:
        least: smallest value, None without a lower bound.
        most: largest value, None without an upper bound.
        step: unit step of the measure: 1 for numbers, the ticks of a day for times.
        unit: unit of the measure.

    """

    least: Any
    most: Any
    step: float = 1.0
    unit: str = ""


@column_rule(typed=True)
def evaluate(rule: ValueRange, values: Values) -> Violations:
    """Values beyond the bounds, with their distance from them; NaN lies within no bounds.

    Bounds are taken on the scale of the column: rounded to 32 bits for 32-bit floats, exact for
    integers of any size. A date as upper bound includes the whole day; a time without a zone is
    UTC.

    Raises:
        RuleError: the column cannot be compared with the bounds.

    """
    scale, given = scale_of(values.values.type, rule), numbers(values.values)
    nan = np.isnan(given) if given.dtype.kind == "f" else np.zeros(len(given), bool)
    low = np.zeros(len(given), bool) if scale.least is None else given < scale.least
    high = np.zeros(len(given), bool) if scale.most is None else given > scale.most
    bad = np.flatnonzero(nan | low | high)
    least, most = (str(b.isoformat() if isinstance(b, date) else b) for b in (rule.min, rule.max))
    reasons = [
        "NaN" if nan[i] else f"{text} is below {least}" if low[i] else f"{text} is above {most}"
        for i, text in zip(bad, texts(values.values.take(pa.array(bad))), strict=True)
    ]
    bounds = np.where(low[bad], _float(scale.least), _float(scale.most))
    with np.errstate(all="ignore"):
        measure = np.abs(given[bad].astype(np.float64) - bounds) / scale.step
    return values.violations(bad, reasons, np.where(nan[bad], np.nan, measure), scale.unit)


def scale_of(kind: pa.DataType, rule: ValueRange) -> Scale:
    """The bounds of a rule on the scale of a column of this Arrow type.

    Raises:
        RuleError: the column holds neither numbers nor times, or the bounds are of the other sort.

    """
    times = [isinstance(b, date) for b in (rule.min, rule.max) if b is not None]
    if pa.types.is_null(kind):
        return Scale(None, None)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        if not all(times):
            msg = f"column {rule.column} holds {kind}, the bounds are numbers"
            raise RuleError(msg)
        rate = Fraction(TICKS[kind.unit]) if pa.types.is_timestamp(kind) else Fraction(1, DAY)
        if pa.types.is_date64(kind):
            rate = Fraction(TICKS["ms"])
        return Scale(
            None if rule.min is None else math.ceil(_seconds(rule.min) * rate),
            None if rule.max is None else _last(rule.max, rate),
            step=float(DAY * rate),
            unit="days",
        )
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        msg = f"column {rule.column} holds {kind}: value_range judges numbers, dates and times"
        raise RuleError(msg)
    if any(times):
        msg = f"column {rule.column} holds {kind}, the bounds are times"
        raise RuleError(msg)
    if pa.types.is_integer(kind):
        return Scale(_whole(rule.min, math.ceil), _whole(rule.max, math.floor))
    scalar: Any = kind.to_pandas_dtype() if pa.types.is_floating(kind) else np.float64
    with np.errstate(over="ignore"):
        return Scale(
            None if rule.min is None else scalar(rule.min),
            None if rule.max is None else scalar(rule.max),
        )


def numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """Values of a column without nulls as plain numbers; times in ticks of the column's unit."""
    kind = column.type
    if pa.types.is_decimal(kind) or pa.types.is_null(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_date32(kind):
        column = column.cast(pa.int32())
    elif pa.types.is_temporal(kind):
        column = column.cast(pa.int64())
    return np.asarray(column.to_numpy())


def texts(column: pa.ChunkedArray) -> list[str]:
    """Values as text for people; times with a zone in UTC."""
    zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
    if zoned:
        column = column.cast(pa.timestamp(column.type.unit))
    return [f"{text}Z" if zoned else str(text) for text in column.cast(pa.string()).to_pylist()]


def _seconds(bound: Limit) -> Fraction:
    """Exact seconds since 1970 in UTC."""
    if isinstance(bound, datetime):
        if bound.tzinfo is not None:
            bound = bound.astimezone(UTC)
        seconds = (bound.hour * 60 + bound.minute) * 60 + bound.second
        return Fraction(bound.microsecond, 10**6) + seconds + _seconds(bound.date())
    assert isinstance(bound, date)
    return Fraction((bound.toordinal() - EPOCH_DAY) * DAY)


def _last(bound: Limit, rate: Fraction) -> int:
    """The last tick that an upper bound allows."""
    if isinstance(bound, datetime):
        return math.floor(_seconds(bound) * rate)
    return math.ceil((_seconds(bound) + DAY) * rate) - 1


def _whole(bound: Limit | None, rounded: Any) -> Any:
    if bound is None or (isinstance(bound, float) and math.isinf(bound)):
        return bound
    return rounded(bound)


def _float(bound: Any) -> float:
    return math.nan if bound is None else float(bound)
