"""min_hole_area: holes are at least so large."""

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
from spatial_pipeline.check.geometry.holes import interior_rings
from spatial_pipeline.check.geometry.parts import Parts
from spatial_pipeline.contract.rules.vertices import MinHoleArea


@feature_rule(judges=Polygons, valid=True)
def evaluate(rule: MinHoleArea, features: Polygons) -> Violations:
    """Holes below the bound of their class, each with its area."""
    holes = interior_rings(features.parts)
    shapes = Parts(holes.polygon, holes.feature, holes.part)
    area, bound = areas(rule, features, shapes.geometry), limits(rule, features)[shapes.feature]
    small = area < bound
    if rule.except_at_border:
        small &= ~features.at_border(shapes.geometry)
    found = np.flatnonzero(small)
    return measured(
        rule, features, shapes, found, area, bound, "hole area", "below", ring=holes.ring
    )
