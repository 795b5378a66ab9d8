"""same_count_as: the number of features equals that of another dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

from spatial_pipeline.check.base import PlannedCheck, evaluates
from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.contract.rules.parity import SameCountAs
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome


@evaluates(SameCountAs)
class SameCountCheck(PlannedCheck[SameCountAs]):
    """Compares two numbers; features are read only where a condition selects them."""

    def plan(self) -> Iterable[Callable[[], Any]]:
        """Counts of this dataset (side 0) and of the other one (side 1), whole or by batch.

        Raises:
            RuleError: there is nothing to compare with.

        """
        if not self.context.others:
            msg = "nothing to compare with"
            raise RuleError(msg)
        calls: list[Callable[[], Any]] = []
        for side, given in enumerate((self.context.data, self.context.others[0])):
            data = cast("VectorReader", given)
            if self.rule.where is None:
                calls.append(partial(_stated, side, data))
            else:
                batches = range(data.batch_count())
                calls += [partial(_selected, side, data, i, self.rule.where) for i in batches]
        return calls

    def reduce(self, partials: Sequence[tuple[int, int]]) -> RuleOutcome:
        """``value`` is the difference of the counts, ``threshold`` the accepted one."""
        counts: Counter[int] = Counter()
        for side, count in partials:
            counts[side] += count
        here, there = counts[0], counts[1]
        difference, accepted = abs(here - there), float(self.rule.tolerance)
        if self.rule.max_fraction is not None:
            accepted = max(accepted, self.rule.max_fraction * there)
        passed = difference <= accepted
        message = f"{here} feature{'' if here == 1 else 's'} here, {there} in the other"
        if difference:
            message += f": {difference} {'more' if here > there else 'fewer'}"
            message += f", {accepted:g} accepted" if accepted else ""
        return RuleOutcome(
            checked=here,
            count=int(not passed),
            passed=passed,
            value=difference,
            threshold=accepted,
            message=message,
        )


def _stated(side: int, data: VectorReader) -> tuple[int, int]:
    return side, data.profile.count


def _selected(side: int, data: VectorReader, index: int, where: str) -> tuple[int, int]:
    """Features of a batch for which a condition holds."""
    names = [c.name for c in data.profile.columns]
    table = data.batch(index, columns_of(where, names), geometry=False).table
    return side, int(mask(table, where).sum())


__all__ = ["SameCountCheck"]
