"""must_contain_one_point: every polygon contains one point feature of the other dataset."""

from __future__ import annotations

from spatial_pipeline.check.api import (
    Overlay,
    Points,
    Polygons,
    Violations,
    out_of_count,
    overlay_rule,
)
from spatial_pipeline.contract.rules.overlay import MustContainOnePoint


@overlay_rule(judges=Polygons, against=Points)
def evaluate(rule: MustContainOnePoint, overlay: Overlay) -> Violations:
    """Polygons with no point or several in their interior, and how many."""
    return out_of_count(overlay, "contains", 1, 1, "contains no point", "contains several points")
