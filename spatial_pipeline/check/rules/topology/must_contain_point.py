"""must_contain_point: every polygon contains a point of the other dataset."""

from __future__ import annotations

from spatial_pipeline.check.api import (
    Overlay,
    Points,
    Polygons,
    Violations,
    out_of_count,
    overlay_rule,
)
from spatial_pipeline.contract.rules.overlay import MustContainPoint


@overlay_rule(judges=Polygons, against=Points)
def evaluate(rule: MustContainPoint, overlay: Overlay) -> Violations:
    """Polygons without a point in their interior."""
    return out_of_count(overlay, "contains", 1, None, "contains no point", "")
