"""vertex_count: no geometry has more vertices."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import VertexCount


@feature_rule(judges=Geometries)
def evaluate(rule: VertexCount, features: Geometries) -> Violations:
    """Geometries with too many vertices, each with their number."""
    count = shapely.get_num_coordinates(features.geometry)
    found = np.flatnonzero(count > rule.max)
    return features.violations(
        found,
        f"more than {rule.max} vertices",
        geometry=features.geometry[found],
        measure=count[found],
        unit="vertices",
    )
