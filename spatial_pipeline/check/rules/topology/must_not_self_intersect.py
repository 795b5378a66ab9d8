"""must_not_self_intersect: no line meets itself but at its ends."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Lines, Violations, feature_rule
from spatial_pipeline.check.geometry.self_intersections import not_simple, self_intersections
from spatial_pipeline.contract.rules.boundaries import MustNotSelfIntersect


@feature_rule(judges=Lines)
def evaluate(rule: MustNotSelfIntersect, features: Lines) -> Violations:
    """Places at which a line, or two parts of one, meet, their ends apart."""
    vertices = features.vertices
    found = self_intersections(vertices, not_simple(features.parts, len(features)))
    stretch = shapely.get_dimensions(found.geometry) == 1
    return features.violations(
        vertices.feature[found.start],
        np.where(stretch, "runs over itself", "self-intersection").tolist(),
        geometry=found.geometry,
        measure=np.where(stretch, shapely.length(found.geometry), np.nan),
        unit=features.length_unit,
        **vertices.place(found.start),
    )
