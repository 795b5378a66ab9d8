"""same_count_as: the number of features equals that of another dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from spatial_pipeline.check.api import ComparedLayers, RuleOutcome, comparison_rule
from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.contract.rules.parity import SameCountAs
from spatial_pipeline.model.readers import VectorReader

Count = tuple[int, int]
"""Side (0 is the dataset under check, 1 the other one), and features of it."""


def conclude(rule: SameCountAs, layers: ComparedLayers, counts: Sequence[Count]) -> RuleOutcome:
    """``value`` is the difference of the counts, ``threshold`` the accepted one."""
    here, there = (sum(count for side, count in counts if side == wanted) for wanted in (0, 1))
    difference, accepted = abs(here - there), float(rule.tolerance)
    if rule.max_fraction is not None:
        accepted = max(accepted, rule.max_fraction * there)
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


@comparison_rule(conclude)
def plan(rule: SameCountAs, layers: ComparedLayers) -> Iterable[Callable[[], Count]]:
    """Counts of both datasets; features are read only where a condition selects them."""
    for side, data in enumerate((layers.here, layers.others[0])):
        if rule.where is None:
            yield partial(_stated, side, data)
        else:
            for index in range(data.batch_count()):
                yield partial(_selected, side, data, index, rule.where)


def _stated(side: int, data: VectorReader) -> Count:
    return side, data.profile.count


def _selected(side: int, data: VectorReader, index: int, where: str) -> Count:
    """Features of a batch for which a condition holds."""
    names = [c.name for c in data.profile.columns]
    table = data.batch(index, columns_of(where, names), geometry=False).table
    return side, int(mask(table, where).sum())
