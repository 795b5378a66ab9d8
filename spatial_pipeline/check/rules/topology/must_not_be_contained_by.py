"""must_not_be_contained_by: no feature is contained in a polygon."""

from __future__ import annotations

from spatial_pipeline.check.api import (
    Geometries,
    Overlay,
    Polygons,
    Violations,
    forbidden,
    overlay_rule,
)
from spatial_pipeline.contract.rules.overlay import MustNotBeContainedBy


@overlay_rule(judges=Geometries, against=Polygons)
def evaluate(rule: MustNotBeContainedBy, overlay: Overlay) -> Violations:
    """Pairs of a feature and a polygon that contains it; equal polygons contain each other."""
    return forbidden(overlay, "within", "contained")
