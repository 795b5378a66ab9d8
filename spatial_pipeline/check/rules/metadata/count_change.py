"""count_change: the number of features changed little since the last published version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.contract.rules.statistics import CountChange
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome


@evaluates(CountChange)
class CountChangeCheck(BatchCheck[CountChange]):
    """Compares two numbers; the published features are read only where a condition selects them."""

    needs_geometry = False

    def map(self, batch: FeatureBatch) -> int:
        """Features of this batch."""
        return len(batch)

    def reduce(self, partials: Sequence[int]) -> RuleOutcome:
        """``value`` is the change as a share of what is published."""
        here = sum(partials)
        if not self.context.others:
            note = "nothing is published yet to compare with"
            return RuleOutcome(checked=here, passed=True, value=0, notes=(note,))
        there = self._published()
        change = abs(here - there) / there if there else float(here > 0)
        passed = change <= self.rule.max_fraction
        return RuleOutcome(
            checked=here,
            count=int(not passed),
            passed=passed,
            value=change,
            threshold=self.rule.max_fraction,
            message=f"{here} feature{'' if here == 1 else 's'}, {there} published: "
            f"{change:.1%} change",
        )

    def _published(self) -> int:
        data, where = cast("VectorReader", self.context.others[0]), self.rule.where
        if where is None:
            return data.profile.count
        names = columns_of(where, [c.name for c in data.profile.columns])
        count = 0
        for index in range(data.batch_count()):
            self.context.cancelled()
            count += int(mask(data.batch(index, names, geometry=False).table, where).sum())
        return count
