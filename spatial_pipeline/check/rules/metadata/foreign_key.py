"""foreign_key: every key exists in the other dataset."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import JoinedRows, Violations, join_rule
from spatial_pipeline.contract.rules.joins import ForeignKey


@join_rule()
def evaluate(rule: ForeignKey, rows: JoinedRows) -> Violations:
    """Features whose key no row of the other dataset has."""
    lonely = np.flatnonzero(rows.count == 0)
    told = [f"{label}: not in the other dataset" for label in rows.labels(rule.own_key, lonely)]
    return rows.violations(lonely, told)
