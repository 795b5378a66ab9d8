"""freshness: the newest record is young enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.contract.rules.statistics import FreshnessRule
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import RuleOutcome

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Newest:
    """Partial result of a batch: features, nulls, and the newest moment."""

    checked: int
    nulls: int
    moment: datetime | None


@evaluates(FreshnessRule)
class FreshnessCheck(BatchCheck[FreshnessRule]):
    """Compares the newest moment of a column with the clock; a day lasts to its end."""

    needs_geometry = False

    def map(self, batch: FeatureBatch) -> Newest:
        """The newest moment of a batch.

        Raises:
            RuleError: the column holds neither days nor times.

        """
        column = batch.table.column(self.rule.column)
        kind = column.type
        if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_null(kind)):
            msg = f"column {self.rule.column} holds {kind}, neither days nor times"
            raise RuleError(msg)
        if pa.types.is_timestamp(kind):
            # Beyond microseconds Python has no times; the clock is not that fine.
            column = column.cast(pa.timestamp("us", kind.tz), safe=False)
        newest = pc.max(column).as_py()
        moment = None if newest is None else _moment(newest)
        return Newest(len(batch) - column.null_count, column.null_count, moment)

    def reduce(self, partials: Sequence[Newest]) -> RuleOutcome:
        """``value`` is the age of the newest record in hours, ``threshold`` the accepted one."""
        nulls = sum(p.nulls for p in partials)
        moments = [p.moment for p in partials if p.moment is not None]
        accepted = self.rule.max_age / HOUR
        name = self.rule.column
        notes = (f"{nulls} null{'s' * (nulls != 1)} in {name} not judged",) if nulls else ()
        if not moments:
            message = f"no record has a time in {name}"
            return RuleOutcome(0, count=1, passed=False, message=message, notes=notes)
        newest = max(moments)
        age = (_now() - newest) / HOUR
        passed = age <= accepted
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            count=int(not passed),
            passed=passed,
            value=round(age, 3),
            threshold=accepted,
            message=f"the newest {name} is {newest.isoformat(timespec='seconds')}, "
            f"{max(age, 0):.1f} hours old, accepted are {accepted:g}",
            notes=notes,
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _moment(value: datetime | date) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return datetime.combine(value, time.max, tzinfo=UTC)
