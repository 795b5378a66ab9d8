"""min_area: polygons have at least the given area."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import (
    Polygons,
    Violations,
    areas,
    feature_rule,
    limits,
    measured,
)
from spatial_pipeline.contract.rules.validity import MinArea


@feature_rule(judges=Polygons, valid=True)
def evaluate(rule: MinArea, features: Polygons) -> Violations:
    """Polygons below the bound of their class, each with its area."""
    shapes = features.parts if rule.by_part else features.whole
    area, bound = areas(rule, features, shapes.geometry), limits(rule, features)[shapes.feature]
    small = area < bound
    if rule.except_at_border:
        small &= ~features.at_border(shapes.geometry)
    return measured(rule, features, shapes, np.flatnonzero(small), area, bound, "area", "below")
