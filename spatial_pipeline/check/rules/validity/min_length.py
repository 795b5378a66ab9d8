"""min_length: lines are at least so long."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Lines, Violations, feature_rule, limits, measured
from spatial_pipeline.check.geometry.parts import line_lengths
from spatial_pipeline.contract.rules.vertices import MinLength


@feature_rule(judges=Lines)
def evaluate(rule: MinLength, features: Lines) -> Violations:
    """Lines below the bound of their class, each with its length."""
    shapes, length = line_lengths(features.parts, None if rule.by_part else features.whole)
    bound = limits(rule, features)[shapes.feature]
    short = length < bound
    if rule.except_at_border:
        short &= ~features.at_border(shapes.geometry)
    return measured(features, shapes, np.flatnonzero(short), length, bound, "length", "below")
