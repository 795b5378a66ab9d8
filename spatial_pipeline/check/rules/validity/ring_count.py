"""ring_count: polygons have as many rings as promised."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Polygons, Violations, counted, feature_rule
from spatial_pipeline.contract.rules.vertices import RingCount


@feature_rule(judges=Polygons)
def evaluate(rule: RingCount, features: Polygons) -> Violations:
    """Features whose polygons have too few or too many rings, each with their number."""
    rings = shapely.get_num_interior_rings(features.parts.geometry) + 1
    count = np.bincount(features.parts.feature, rings, len(features)).astype(np.int64)
    return counted(rule, features, count, "rings")
