"""related_count: every feature has as many related rows as promised."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import JoinedRows, Violations, join_rule
from spatial_pipeline.contract.rules.joins import RelatedCount


@join_rule()
def evaluate(rule: RelatedCount, rows: JoinedRows) -> Violations:
    """Features with fewer or more related rows, each with their number."""
    few = rows.count < (0 if rule.min is None else rule.min)
    many = rows.count > (np.inf if rule.max is None else rule.max)
    bad = np.flatnonzero(few | many)
    told = [
        f"{label}: {n} related, {f'fewer than {rule.min}' if few[i] else f'more than {rule.max}'}"
        for i, n, label in zip(bad, rows.count[bad], rows.labels(rule.own_key, bad), strict=True)
    ]
    return rows.violations(bad, told, measure=rows.count[bad], unit="rows")
