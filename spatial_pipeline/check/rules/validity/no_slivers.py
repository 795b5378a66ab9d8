"""no_slivers: no polygon is long and thin."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Polygons, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import NoSlivers


@feature_rule(judges=Polygons, valid=True)
def evaluate(rule: NoSlivers, features: Polygons) -> Violations:
    """Slivers, each with its thinness."""
    parts = features.parts
    area, perimeter = shapely.area(parts.geometry), shapely.length(parts.geometry)
    thinness = 4 * np.pi * area / perimeter**2
    sliver = thinness <= rule.max_thinness
    if rule.max_area is not None:
        sliver &= area <= rule.max_area
    found = np.flatnonzero(sliver)
    return features.violations(
        parts.feature[found],
        "sliver",
        geometry=parts.geometry[found],
        measure=thinness[found],
        unit="thinness",
        part=parts.part[found],
    )
