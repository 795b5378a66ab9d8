"""min_area: polygons have at least the given area."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Polygons, Violations, feature_rule, limits, measured
from spatial_pipeline.contract.rules.validity import MinArea


@feature_rule(judges=Polygons, valid=True)
def evaluate(rule: MinArea, features: Polygons) -> Violations:
    """Polygons below the bound of their class, each with its area."""
    shapes = features.parts if rule.by_part else features.whole
    area, bound = shapely.area(shapes.geometry), limits(rule, features)[shapes.feature]
    small = area < bound
    if rule.except_at_border:
        small &= ~features.at_border(shapes.geometry)
    return measured(features, shapes, np.flatnonzero(small), area, bound, "area", "below")
