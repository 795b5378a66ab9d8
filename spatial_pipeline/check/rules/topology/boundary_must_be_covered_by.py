"""boundary_must_be_covered_by: lines cover the boundary of every polygon."""

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
from spatial_pipeline.contract.rules.boundaries import BoundaryMustBeCoveredBy


@overlay_rule(judges=Polygons, against=Lines)
def evaluate(rule: BoundaryMustBeCoveredBy, overlay: Overlay) -> Violations:
    """The uncovered part of each boundary, and its length."""
    lines = shapely.boundary(overlay.geometry)
    return uncovered_lines(overlay, lines, overlay.other_geometry, rule.tolerance)
