"""must_be_covered_by_line: every point lies on a line."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import (
    Lines,
    Overlay,
    Points,
    Violations,
    overlay_rule,
    stray_points,
)
from spatial_pipeline.contract.rules.nodes import MustBeCoveredByLine


@overlay_rule(judges=Points, against=Lines, halo=lambda rule: 2 * rule.tolerance)
def evaluate(rule: MustBeCoveredByLine, overlay: Overlay) -> Violations:
    """Points that are not on a line."""
    parts = overlay.features.parts
    return stray_points(
        overlay,
        np.asarray(shapely.force_2d(parts.geometry), dtype=object),
        parts.feature,
        overlay.other_geometry,
        rule.tolerance,
        "not on a line",
        parts.part,
    )
