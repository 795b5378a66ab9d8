"""area_boundary_must_be_covered_by_boundary: boundaries cover the boundary of every polygon."""

from __future__ import annotations

import shapely

from spatial_pipeline.check.api import Overlay, Polygons, Violations, overlay_rule, uncovered_lines
from spatial_pipeline.contract.rules.boundaries import AreaBoundaryMustBeCoveredByBoundary


@overlay_rule(judges=Polygons, against=Polygons)
def evaluate(rule: AreaBoundaryMustBeCoveredByBoundary, overlay: Overlay) -> Violations:
    """The uncovered part of each boundary, and its length."""
    lines = shapely.boundary(overlay.geometry)
    return uncovered_lines(overlay, lines, shapely.boundary(overlay.other_geometry), rule.tolerance)
