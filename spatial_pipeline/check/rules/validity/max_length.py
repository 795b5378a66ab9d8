"""max_length: lines are at most so long."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import (
    Lines,
    Violations,
    feature_rule,
    limits,
    line_lengths,
    measured,
)
from spatial_pipeline.contract.rules.vertices import MaxLength


@feature_rule(judges=Lines)
def evaluate(rule: MaxLength, features: Lines) -> Violations:
    """Lines above the bound of their class, each with its length."""
    shapes, length = line_lengths(rule, features, by_part=rule.by_part)
    bound = limits(rule, features)[shapes.feature]
    found = np.flatnonzero(length > bound)
    return measured(rule, features, shapes, found, length, bound, "length", "above")
