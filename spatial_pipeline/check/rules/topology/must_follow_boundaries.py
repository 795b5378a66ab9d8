"""must_follow_boundaries: boundaries of polygons cover every line."""

from __future__ import annotations

import shapely

from spatial_pipeline.check.api import (
    Lines,
    Overlay,
    Polygons,
    Violations,
    overlay_rule,
    uncovered_lines,
)
from spatial_pipeline.contract.rules.boundaries import MustFollowBoundaries


@overlay_rule(judges=Lines, against=Polygons)
def evaluate(rule: MustFollowBoundaries, overlay: Overlay) -> Violations:
    """The uncovered part of each line, and its length."""
    lines = overlay.geometry
    return uncovered_lines(overlay, lines, shapely.boundary(overlay.other_geometry), rule.tolerance)
