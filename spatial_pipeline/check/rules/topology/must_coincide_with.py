"""must_coincide_with: every point lies on a point of the other dataset."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Overlay, Points, Violations, overlay_rule, stray_points
from spatial_pipeline.contract.rules.nodes import MustCoincideWith


@overlay_rule(judges=Points, against=Points, halo=lambda rule: 2 * rule.tolerance)
def evaluate(rule: MustCoincideWith, overlay: Overlay) -> Violations:
    """Points that are on no point."""
    parts = overlay.features.parts
    return stray_points(
        overlay,
        np.asarray(shapely.force_2d(parts.geometry), dtype=object),
        parts.feature,
        overlay.other_geometry,
        rule.tolerance,
        "no point there",
        parts.part,
    )
