"""allowed_combinations: the values of some columns occur together as a list says."""

from __future__ import annotations

from typing import Any

import numpy as np

from spatial_pipeline.check.api import AttributeRows, Violations, column_rule, shown
from spatial_pipeline.check.join.distinct import distinct, same_value
from spatial_pipeline.contract.rules.attributes import AllowedCombinations


@column_rule(rows=True)
def evaluate(rule: AllowedCombinations, rows: AttributeRows) -> Violations:
    """AttributeRows whose combination is not allowed, or is forbidden."""
    combinations, which = distinct(rows.table)
    listed = np.array([any(_fits(rule, c, x) for x in rule.combinations) for c in combinations])
    bad = np.flatnonzero(listed[which] == (rule.mode == "forbid"))
    word = "forbidden" if rule.mode == "forbid" else "not allowed"
    told = [
        ", ".join(f"{n} {shown(v)}" for n, v in zip(rule.columns(), c, strict=True))
        for c in combinations
    ]
    return rows.violations(bad, [f"{told[i]}: {word} together" for i in which[bad]])


def _fits(rule: AllowedCombinations, combination: tuple[Any, ...], listed: tuple[Any, ...]) -> bool:
    return all(
        (rule.wildcard is not None and b == rule.wildcard) or same_value(a, b)
        for a, b in zip(combination, listed, strict=True)
    )
