"""part_count: geometries have as many parts as promised."""

from __future__ import annotations

import shapely

from spatial_pipeline.check.api import Geometries, Violations, counted, feature_rule
from spatial_pipeline.contract.rules.vertices import PartCount


@feature_rule(judges=Geometries)
def evaluate(rule: PartCount, features: Geometries) -> Violations:
    """Geometries with too few or too many parts, each with their number."""
    count = shapely.get_num_geometries(features.geometry)
    return counted(rule, features, count, "parts")
