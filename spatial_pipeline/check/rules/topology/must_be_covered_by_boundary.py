"""must_be_covered_by_boundary: every point lies on the boundary of a polygon."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import (
    Overlay,
    Points,
    Polygons,
    Violations,
    overlay_rule,
    stray_points,
)
from spatial_pipeline.contract.rules.nodes import MustBeCoveredByBoundary


@overlay_rule(judges=Points, against=Polygons, halo=lambda rule: 2 * rule.tolerance)
def evaluate(rule: MustBeCoveredByBoundary, overlay: Overlay) -> Violations:
    """Points that are not on a boundary."""
    parts = overlay.features.parts
    return stray_points(
        overlay,
        np.asarray(shapely.force_2d(parts.geometry), dtype=object),
        parts.feature,
        shapely.boundary(overlay.other_geometry),
        rule.tolerance,
        "not on a boundary",
        parts.part,
    )
