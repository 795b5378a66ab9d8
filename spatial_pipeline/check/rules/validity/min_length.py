"""min_length: lines are at least so long."""

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
from spatial_pipeline.contract.rules.vertices import MinLength


@feature_rule(judges=Lines)
def evaluate(rule: MinLength, features: Lines) -> Violations:
    """Lines below the bound of their class, each with its length."""
    shapes, length = line_lengths(rule, features, by_part=rule.by_part)
    bound = limits(rule, features)[shapes.feature]
    short = length < bound
    if rule.except_at_border:
        short &= ~features.at_border(shapes.geometry)
    return measured(rule, features, shapes, np.flatnonzero(short), length, bound, "length", "below")
