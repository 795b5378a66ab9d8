"""max_area: polygons are at most so large."""

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
from spatial_pipeline.contract.rules.vertices import MaxArea


@feature_rule(judges=Polygons, valid=True)
def evaluate(rule: MaxArea, features: Polygons) -> Violations:
    """Polygons above the bound of their class, each with its area."""
    shapes = features.parts if rule.by_part else features.whole
    area, bound = areas(rule, features, shapes.geometry), limits(rule, features)[shapes.feature]
    return measured(
        rule, features, shapes, np.flatnonzero(area > bound), area, bound, "area", "above"
    )
