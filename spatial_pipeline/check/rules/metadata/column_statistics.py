"""column_statistics: statistics of a column lie within bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.check.join.group_statistics import (
    Groups,
    GroupStatistics,
    group_statistics,
    merged_groups,
)
from spatial_pipeline.contract.rules.statistics import ColumnStatistics, Range
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import RuleOutcome, Violations

Statistic = tuple[str, float | None, Range]


@evaluates(ColumnStatistics)
class ColumnStatisticsCheck(BatchCheck[ColumnStatistics]):
    """Folds counts, exact sums and hashes; only quantiles and deviations keep the values."""

    needs_geometry = False

    def map(self, batch: FeatureBatch) -> Groups:
        """Statistics of the groups of one batch."""
        rule = self.rule
        return group_statistics(
            batch.table,
            rule.group_by,
            rule.column,
            numbers=any(wanted is not None for wanted in (rule.mean, rule.std, rule.sum)),
            distinct=rule.distinct is not None,
            values=rule.quantiles is not None or rule.std is not None,
            checksum=rule.checksum is not None,
        )

    def reduce(self, partials: Sequence[Groups]) -> RuleOutcome:
        """One violation per statistic of a group that is out of bounds."""
        groups = {n: g for n, g in merged_groups(partials).items() if g.rows}
        reasons, measures, checked = [], [], 0
        for name, group in groups.items():
            of = f"{name}: " if name else ""
            for what, value, bounds in self._statistics(group):
                checked += 1
                said = _out_of(value, bounds)
                if said:
                    reasons.append(f"{of}{what} of {self.rule.column} {said}")
                    measures.append(np.nan if value is None else value)
            if self.rule.checksum is not None:
                checked += 1
                found = f"{group.checksum:016x}"
                if found != self.rule.checksum:
                    said = f"is {found}, not {self.rule.checksum}: some value is another one"
                    reasons.append(f"checksum of {self.rule.column} {said}")
                    measures.append(np.nan)
        odd = sum(g.odd for g in groups.values())
        message = reasons[0] if len(reasons) == 1 else ""
        notes = (f"{odd} NaN or infinite in {self.rule.column} not judged",) if odd else ()
        return RuleOutcome(
            checked=checked,
            violations=Violations.build(np.full(len(reasons), -1), reasons, measure=measures),
            message=message,
            notes=notes if groups else ("no features",),
        )

    def _statistics(self, group: GroupStatistics) -> Iterator[Statistic]:
        rule = self.rule
        if rule.null_fraction is not None:
            yield "share of nulls", group.nulls / group.rows, rule.null_fraction
        if rule.distinct is not None:
            yield "number of distinct values", float(len(group.hashes)), rule.distinct
        if rule.mean is not None:
            yield "mean", group.mean, rule.mean
        if rule.std is not None:
            yield "standard deviation", _deviation(group), rule.std
        if rule.sum is not None:
            yield "sum", group.sum or 0.0, rule.sum
        for share, bounds in (rule.quantiles or {}).items():
            value = float(np.quantile(group.values, float(share))) if len(group.values) else None
            yield f"{share} quantile", value, bounds


def _deviation(group: GroupStatistics) -> float | None:
    """Standard deviation of the values; the order of them does not change it."""
    mean = group.mean
    if mean is None:
        return None
    away = np.abs(group.values - mean)
    largest = float(away.max())
    if not largest:
        return 0.0
    # Scaled, so that squares neither overflow nor vanish.
    squares = math.fsum(((away / largest) ** 2).tolist())
    return largest * math.sqrt(squares / len(away))


def _out_of(value: float | None, bounds: Range) -> str:
    """Describe the mistake of a statistic; empty when there is none."""
    if value is None:
        return "does not exist: there is no value"
    if bounds.min is not None and value < bounds.min:
        return f"is {value:.15g}, below {bounds.min:.15g}"
    if bounds.max is not None and value > bounds.max:
        return f"is {value:.15g}, above {bounds.max:.15g}"
    return ""
