"""min_hole_area: holes are at least so large."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Polygons, Violations, feature_rule, limits, measured
from spatial_pipeline.check.geometry.holes import interior_rings
from spatial_pipeline.check.geometry.parts import Parts
from spatial_pipeline.contract.rules.vertices import MinHoleArea


@feature_rule(judges=Polygons, valid=True)
def evaluate(rule: MinHoleArea, features: Polygons) -> Violations:
    """Holes below the bound of their class, each with its area."""
    holes = interior_rings(features.parts)
    shapes = Parts(holes.polygon, holes.feature, holes.part)
    area, bound = shapely.area(shapes.geometry), limits(rule, features)[shapes.feature]
    found = np.flatnonzero(area < bound)
    return measured(features, shapes, found, area, bound, "hole area", "below", ring=holes.ring)
