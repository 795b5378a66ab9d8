"""must_not_touch_interior: lines meet each other at their ends only."""

from __future__ import annotations

from spatial_pipeline.check.api import Lines, Overlay, Violations, crossing_lines, overlay_rule
from spatial_pipeline.contract.rules.nodes import MustNotTouchInterior


@overlay_rule(judges=Lines, against=Lines)
def evaluate(rule: MustNotTouchInterior, overlay: Overlay) -> Violations:
    """Places at which two lines meet, unless it is an end of both."""
    return crossing_lines(overlay, touching=True)
