"""must_not_self_overlap: no line runs over itself."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Lines, Violations, feature_rule
from spatial_pipeline.check.geometry.self_intersections import not_simple, self_intersections
from spatial_pipeline.contract.rules.boundaries import MustNotSelfOverlap


@feature_rule(judges=Lines)
def evaluate(rule: MustNotSelfOverlap, features: Lines) -> Violations:
    """Stretches on which a line, or two parts of one, run over each other."""
    vertices = features.vertices
    found = self_intersections(vertices, not_simple(features.parts, len(features)))
    length = shapely.length(found.geometry)
    over = np.flatnonzero((shapely.get_dimensions(found.geometry) == 1) & (length > rule.tolerance))
    return features.violations(
        vertices.feature[found.start[over]],
        "runs over itself",
        geometry=found.geometry[over],
        measure=length[over],
        unit=features.length_unit,
        **vertices.place(found.start[over]),
    )
