"""not_null: no nulls in the columns."""

from __future__ import annotations

from collections import Counter

from spatial_pipeline.check.api import Values, Violations, column_rule
from spatial_pipeline.contract.rules.metadata import NotNull


def says(rule: NotNull, counts: Counter[str]) -> str:
    """The number of nulls in each column."""
    return f"nulls: {', '.join(f'{counts[n]} in {n}' for n in rule.columns_ if counts[n])}"


@column_rule(nulls=True, says=says)
def evaluate(rule: NotNull, values: Values) -> Violations:
    """Every value that is null; empty text, NaN and zero are values."""
    if not values.values.null_count:
        return Violations.none()
    return values.violations(values.values.is_null().to_numpy(), f"{values.name} is null")
