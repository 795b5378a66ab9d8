"""part_count: geometries have as many parts as promised."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import PartCount


@feature_rule(judges=Geometries)
def evaluate(rule: PartCount, features: Geometries) -> Violations:
    """Geometries with too few or too many parts, each with their number."""
    count = shapely.get_num_geometries(features.geometry)
    few = count < (0 if rule.min is None else rule.min)
    many = count > (np.inf if rule.max is None else rule.max)
    found = np.flatnonzero(few | many)
    reasons = np.where(few, f"fewer than {rule.min} parts", f"more than {rule.max} parts")
    return features.violations(
        found,
        reasons[found].tolist(),
        geometry=features.geometry[found],
        measure=count[found],
        unit="parts",
    )
