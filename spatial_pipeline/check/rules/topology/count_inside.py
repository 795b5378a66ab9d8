"""count_inside: so or so many features of the other dataset lie in each polygon."""

from __future__ import annotations

from spatial_pipeline.check.api import (
    Geometries,
    Overlay,
    Polygons,
    Violations,
    out_of_count,
    overlay_rule,
)
from spatial_pipeline.contract.rules.overlay import CountInside


@overlay_rule(judges=Polygons, against=Geometries)
def evaluate(rule: CountInside, overlay: Overlay) -> Violations:
    """Polygons that cover too few or too many features, and how many."""
    return out_of_count(overlay, "covers", rule.min, rule.max, "too few inside", "too many inside")
