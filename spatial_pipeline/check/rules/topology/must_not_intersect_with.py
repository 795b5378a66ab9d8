"""must_not_intersect_with: lines neither cross those of the other dataset nor run along them."""

from __future__ import annotations

from spatial_pipeline.check.api import Lines, Overlay, Violations, crossing_lines, overlay_rule
from spatial_pipeline.contract.rules.overlay import MustNotIntersectWith


@overlay_rule(judges=Lines, against=Lines)
def evaluate(rule: MustNotIntersectWith, overlay: Overlay) -> Violations:
    """Places at which two lines meet, unless it is the end of one of them."""
    return crossing_lines(overlay, touching=False)
