"""no_holes: polygons have no interior rings."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Polygons, Violations, feature_rule
from spatial_pipeline.check.geometry.holes import interior_rings
from spatial_pipeline.contract.rules.validity import NoHoles


@feature_rule(judges=Polygons)
def evaluate(rule: NoHoles, features: Polygons) -> Violations:
    """Holes larger than the tolerance, each with its area."""
    holes = interior_rings(features.parts)
    area = np.abs(shapely.area(holes.polygon))
    found = np.flatnonzero((area > rule.tolerance) | (rule.tolerance == 0))
    return features.violations(
        holes.feature[found],
        "hole",
        geometry=holes.polygon[found],
        measure=area[found],
        unit=features.area_unit,
        part=holes.part[found],
        ring=holes.ring[found],
    )
