"""ring_count: polygons have as many rings as promised."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Polygons, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import RingCount


@feature_rule(judges=Polygons)
def evaluate(rule: RingCount, features: Polygons) -> Violations:
    """Features whose polygons have too few or too many rings, each with their number."""
    rings = shapely.get_num_interior_rings(features.parts.geometry) + 1
    count = np.bincount(features.parts.feature, rings, len(features)).astype(np.int64)
    few = count < (0 if rule.min is None else rule.min)
    many = count > (np.inf if rule.max is None else rule.max)
    found = np.flatnonzero(few | many)
    reasons = np.where(few, f"fewer than {rule.min} rings", f"more than {rule.max} rings")
    return features.violations(
        found,
        reasons[found].tolist(),
        geometry=features.geometry[found],
        measure=count[found],
        unit="rings",
    )
