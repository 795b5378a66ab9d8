"""must_be_covered_by_endpoint: every point lies on an end of a line."""

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
from spatial_pipeline.check.geometry.line_nodes import LineEnds
from spatial_pipeline.contract.rules.nodes import MustBeCoveredByEndpoint


@overlay_rule(judges=Points, against=Lines, halo=lambda rule: 2 * rule.tolerance)
def evaluate(rule: MustBeCoveredByEndpoint, overlay: Overlay) -> Violations:
    """Points that are not on an end of a line."""
    parts = overlay.features.parts
    return stray_points(
        overlay,
        np.asarray(shapely.force_2d(parts.geometry), dtype=object),
        parts.feature,
        LineEnds.of(overlay.other.parts).once().point,
        rule.tolerance,
        "not on an end of a line",
        parts.part,
    )
