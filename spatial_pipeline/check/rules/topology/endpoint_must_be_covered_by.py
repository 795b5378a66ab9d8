"""endpoint_must_be_covered_by: both ends of every line lie on points."""

from __future__ import annotations

from spatial_pipeline.check.api import (
    Lines,
    Overlay,
    Points,
    Violations,
    overlay_rule,
    stray_points,
)
from spatial_pipeline.check.geometry.line_nodes import LineEnds
from spatial_pipeline.contract.rules.nodes import EndpointMustBeCoveredBy


@overlay_rule(judges=Lines, against=Points, halo=lambda rule: 2 * rule.tolerance)
def evaluate(rule: EndpointMustBeCoveredBy, overlay: Overlay) -> Violations:
    """Ends of lines away from all points; closed lines have one end."""
    ends = LineEnds.of(overlay.features.parts).once()
    return stray_points(
        overlay,
        ends.point,
        ends.feature,
        overlay.other_geometry,
        rule.tolerance,
        "end not covered",
        ends.part,
        ends.vertex,
    )
