"""must_be_properly_inside: every feature lies in a polygon, away from its boundary."""

from __future__ import annotations

from spatial_pipeline.check.api import (
    Geometries,
    Overlay,
    Polygons,
    Violations,
    out_of_count,
    overlay_rule,
)
from spatial_pipeline.contract.rules.overlay import MustBeProperlyInside

INSIDE = "TFF*FF***"
"""DE-9IM: nothing of the feature meets the boundary or the exterior of the polygon."""


@overlay_rule(judges=Geometries, against=Polygons)
def evaluate(rule: MustBeProperlyInside, overlay: Overlay) -> Violations:
    """Features that no polygon holds in its interior."""
    return out_of_count(overlay, INSIDE, 1, None, "not properly inside", "")
