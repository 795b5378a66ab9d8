"""max_length: lines are at most so long."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Lines, Violations, feature_rule, limits, measured
from spatial_pipeline.check.geometry.parts import line_lengths
from spatial_pipeline.contract.rules.vertices import MaxLength


@feature_rule(judges=Lines)
def evaluate(rule: MaxLength, features: Lines) -> Violations:
    """Lines above the bound of their class, each with its length."""
    shapes, length = line_lengths(features.parts, None if rule.by_part else features.whole)
    bound = limits(rule, features)[shapes.feature]
    found = np.flatnonzero(length > bound)
    return measured(features, shapes, found, length, bound, "length", "above")
