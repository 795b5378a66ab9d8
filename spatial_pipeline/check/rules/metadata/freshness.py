"""freshness: the newest record is young enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.check.base import BatchCheck, ProfileCheck, evaluates
from spatial_pipeline.contract.rules.statistics import FreshnessRule
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.violations import RuleOutcome

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Newest:
    """Partial result of a batch: features, nulls, and the newest moment."""

    checked: int
    nulls: int
    moment: datetime | None


@evaluates(FreshnessRule, "raster")
class SourceFreshnessCheck(ProfileCheck[FreshnessRule]):
    """Compares the time of the source with the clock."""

    def evaluate(self, profile: Profile) -> RuleOutcome:
        """``value`` is the age of the source in hours, ``threshold`` the accepted one."""
        return _of_source(self.rule, profile)


@evaluates(FreshnessRule)
class FreshnessCheck(BatchCheck[FreshnessRule]):
    """Compares the newest moment of a column with the clock; a day lasts to its end."""

    needs_geometry = False

    def map(self, batch: FeatureBatch) -> Newest:
        """The newest moment of a batch.

        Raises:
            RuleError: the column holds neither days nor times.

        """
        if self.rule.column is None:
            return Newest(len(batch), 0, None)
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
        if self.rule.column is None:
            return _of_source(self.rule, self.context.data.profile)
        nulls = sum(p.nulls for p in partials)
        moments = [p.moment for p in partials if p.moment is not None]
        name = self.rule.column
        notes = (f"{nulls} null{'s' * (nulls != 1)} in {name} not judged",) if nulls else ()
        if not moments:
            message = f"no record has a time in {name}"
            return RuleOutcome(0, count=1, passed=False, message=message, notes=notes)
        outcome = _aged(self.rule, f"the newest {name} is", max(moments))
        return replace(outcome, checked=sum(p.checked for p in partials), notes=notes)


def _of_source(rule: FreshnessRule, profile: Profile) -> RuleOutcome:
    """The outcome for the time of the source.

    Raises:
        RuleError: the source tells none.

    """
    if profile.changed is None:
        msg = f"the time of {profile.uri} is not known: a database and some servers tell none"
        raise RuleError(msg)
    return _aged(rule, "the source was written at", datetime.fromisoformat(profile.changed))


def _aged(rule: FreshnessRule, what: str, moment: datetime) -> RuleOutcome:
    age, accepted = (_now() - moment) / HOUR, rule.max_age / HOUR
    passed = age <= accepted
    return RuleOutcome(
        checked=1,
        count=int(not passed),
        passed=passed,
        value=round(age, 3),
        threshold=accepted,
        message=f"{what} {moment.isoformat(timespec='seconds')}, "
        f"{max(age, 0):.1f} hours old, accepted are {accepted:g}",
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _moment(value: datetime | date) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return datetime.combine(value, time.max, tzinfo=UTC)
