"""value_range: numbers, dates or times of a column lie within bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.incremental.piece_cache import Repeating, Words
from spatial_pipeline.contract.rules.metadata import ValueRange
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import RuleOutcome, Violations

TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Ticks a second of an Arrow time unit."""
DAY = 86_400
EPOCH_DAY = date(1970, 1, 1).toordinal()

Limit = int | float | datetime | date
Partial = tuple[int, int, Violations]


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


@evaluates(ValueRange)
class ValueRangeCheck(BatchCheck[ValueRange], Repeating):
    """Compares a column with bounds; nulls are not checked, NaN lies within no bounds.

    Bounds are taken on the scale of the column: rounded to 32 bits for 32-bit floats, exact for
    integers of any size. A date as upper bound includes the whole day; a time without a zone is
    UTC.
    """

    needs_geometry = False

    def map(self, batch: FeatureBatch) -> Partial:
        """Values checked, nulls, and violations.

        Raises:
            RuleError: the column cannot be compared with the bounds.

        """
        column = batch.table.column(self.rule.column)
        scale = scale_of(column.type, self.rule)
        filled = np.flatnonzero(column.is_valid().to_numpy())
        values = numbers(column.drop_null())
        low = np.zeros(len(values), bool) if scale.least is None else values < scale.least
        high = np.zeros(len(values), bool) if scale.most is None else values > scale.most
        nan = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
        bad = np.flatnonzero(nan | low | high)
        features = batch.take(filled[bad])
        reasons = [
            "NaN" if nan[i] else f"{text} is {'below' if low[i] else 'above'} {self._told(low[i])}"
            for i, text in zip(bad, texts(column.take(pa.array(filled[bad]))), strict=True)
        ]
        bounds = np.where(low[bad], _float(scale.least), _float(scale.most))
        with np.errstate(all="ignore"):
            measure = np.abs(values[bad].astype(np.float64) - bounds) / scale.step
        violations = Violations.build(
            features.rows,
            reasons,
            places(features.geometry),
            measure=np.where(nan[bad], np.nan, measure),
            unit=scale.unit,
        )
        return len(values), len(batch) - len(values), violations

    def packed(self, partial: Partial, count: int) -> Words | None:  # noqa: ARG002
        """Number of values checked, and of nulls."""
        return None if len(partial[2]) else np.array(partial[:2], dtype=np.uint64)

    def unpacked(self, words: Words, places: slice) -> Partial:  # noqa: ARG002
        """No violations."""
        return int(words[0]), int(words[1]), Violations.none()

    def violations_of(self, partial: Partial) -> Violations:
        """The violations."""
        return partial[2]

    def without_violations(self, partial: Partial) -> Partial:
        """Values checked and nulls."""
        return partial[0], partial[1], Violations.none()

    def reduce(self, partials: Sequence[Partial]) -> RuleOutcome:
        """All violations, and a note on the nulls that were not checked."""
        nulls = sum(p[1] for p in partials)
        plural = "" if nulls == 1 else "s"
        return RuleOutcome(
            checked=sum(p[0] for p in partials),
            violations=Violations.concat(p[2] for p in partials),
            notes=(f"{nulls} null{plural} in {self.rule.column} not judged",) if nulls else (),
        )

    def _told(self, low: bool) -> str:
        bound = self.rule.min if low else self.rule.max
        return bound.isoformat() if isinstance(bound, date) else str(bound)


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
