"""group_aggregate: an aggregate of each group lies within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow as pa

from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.check.geometry.measures import measures
from spatial_pipeline.check.geometry.unjudged import require_geometry
from spatial_pipeline.check.join.group_statistics import (
    Groups,
    GroupStatistics,
    group_statistics,
    merged_groups,
)
from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.contract.rules.statistics import GroupAggregate
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

MEASURE = "\0measure"
"""Column of the measures of geometries, beside those that make groups."""
FIRST = "nothing is published yet to compare with"


@evaluates(GroupAggregate)
class GroupAggregateCheck(BatchCheck[GroupAggregate]):
    """Folds counts and exact sums of every group."""

    @property
    def needs_geometry(self) -> bool:  # type: ignore[override]
        """Only measures need geometries."""
        return self.rule.measure is not None

    def map(self, batch: FeatureBatch) -> Groups:
        """Statistics of the groups of one batch."""
        return self._of(batch)

    def _of(self, batch: FeatureBatch) -> Groups:
        rule, table, column = self.rule, batch.table, self.rule.column
        if rule.measure is not None:
            require_geometry(cast("VectorReader", self.context.data).profile)
            column = MEASURE
            values = measures(batch.geometry, rule.measure)
            columns = {name: table.column(name) for name in rule.group_by}
            columns[MEASURE] = pa.chunked_array([pa.array(values, mask=np.isnan(values))])
            table = pa.table(columns)
        return group_statistics(table, rule.group_by, column, numbers=column is not None)

    def reduce(self, partials: Sequence[Groups]) -> RuleOutcome:
        """One violation per group out of bounds, with its value."""
        groups = {n: g for n, g in merged_groups(partials).items() if g.rows}
        before = self._published()
        names = sorted({*groups, *(before or ())})
        reasons, sizes = [], []
        for name in names:
            value = self._value(groups.get(name))
            former = None if before is None else self._value(before.get(name))
            said = self._wrong(name in groups, value, before is not None, former)
            if said:
                reasons.append(f"{name}: {said}" if name else said)
                sizes.append(np.nan if value is None else value)
        odd = sum(g.odd for g in groups.values())
        notes = [f"{odd} NaN or infinite in {self.rule.column} not judged"] if odd else []
        if self.rule.max_change is not None and before is None:
            notes.append(FIRST)
        return RuleOutcome(
            checked=len(names),
            violations=Violations.build(np.full(len(reasons), -1), reasons, measure=sizes),
            message=reasons[0] if len(reasons) == 1 else "",
            notes=tuple(notes),
        )

    def _value(self, group: GroupStatistics | None) -> float | None:
        if group is None:
            return None
        kind = self.rule.aggregate
        if kind == "count":
            return float(group.rows)
        if not group.numbers:
            return None
        return {
            "sum": group.sum,
            "mean": group.mean,
            "min": group.least,
            "max": group.largest,
        }[kind]

    def _wrong(self, here: bool, value: float | None, compared: bool, former: float | None) -> str:
        rule, what = self.rule, self._named
        if not here:
            return f"{what} was {former:.15g} when last published; the group is gone"
        if value is None:
            return f"{what} does not exist: there is no value"
        if rule.min is not None and value < rule.min:
            return f"{what} is {value:.15g}, below {rule.min:.15g}"
        if rule.max is not None and value > rule.max:
            return f"{what} is {value:.15g}, above {rule.max:.15g}"
        if rule.equals is not None and abs(value - rule.equals) > rule.tolerance:
            return f"{what} is {value:.15g}, not {rule.equals:.15g}"
        if rule.max_change is None or not compared:
            return ""
        if former is None:
            return f"{what} is {value:.15g}; the group was not there when last published"
        if abs(value - former) > rule.max_change * abs(former):
            return f"{what} is {value:.15g}, was {former:.15g} when last published"
        return ""

    @property
    def _named(self) -> str:
        of = self.rule.column or self.rule.measure
        return "number of features" if of is None else f"{self.rule.aggregate} of {of}"

    def _published(self) -> Groups | None:
        """The same of the last published version; None when there is none to compare with."""
        if not self.context.others:
            return None
        rule = self.rule
        data = cast("VectorReader", self.context.others[0])
        names = [c.name for c in data.profile.columns]
        missing = [c for c in rule.columns() if c not in names]
        if missing:
            msg = f"needs column {', '.join(missing)} in the last published version"
            raise RuleError(msg)
        read = tuple(dict.fromkeys((*rule.columns(), *columns_of(rule.where or "", names))))
        parts = []
        for index in range(data.batch_count()):
            self.context.cancelled()
            batch = data.batch(index, read, geometry=rule.measure is not None)
            if rule.where is not None:
                batch = batch.take(np.asarray(mask(batch.table, rule.where)))
            parts.append(self._of(batch))
        return {n: g for n, g in merged_groups(parts).items() if g.rows}
