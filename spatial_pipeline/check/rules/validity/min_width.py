"""min_width: no part of a polygon is narrower than a width."""

from __future__ import annotations

import shapely

from spatial_pipeline.check.api import Polygons, Violations, feature_rule, nothing_else
from spatial_pipeline.check.geometry.narrow_parts import narrow_parts
from spatial_pipeline.contract.rules.vertices import MinWidth


@feature_rule(judges=Polygons, valid=True, relies=nothing_else)
def evaluate(rule: MinWidth, features: Polygons) -> Violations:
    """The narrow parts of polygons, each with its width."""
    parts = features.parts
    found = narrow_parts(shapely.force_2d(parts.geometry), rule.value, features.cancelled)
    return features.violations(
        parts.feature[found.polygon],
        "narrow",
        geometry=found.shape,
        measure=found.width,
        unit=features.length_unit,
        part=parts.part[found.polygon],
    )
