"""must_not_contain: no polygon contains a feature."""

from __future__ import annotations

from spatial_pipeline.check.api import (
    Geometries,
    Overlay,
    Polygons,
    Violations,
    forbidden,
    overlay_rule,
)
from spatial_pipeline.contract.rules.overlay import MustNotContain


@overlay_rule(judges=Polygons, against=Geometries)
def evaluate(rule: MustNotContain, overlay: Overlay) -> Violations:
    """Pairs of a polygon and a feature that it contains; equal polygons contain each other."""
    return forbidden(overlay, "contains", "contains")
