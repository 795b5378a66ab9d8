"""must_not_overlap_with: nothing shares an area or a stretch with the other dataset."""

from __future__ import annotations

from spatial_pipeline.check.api import (
    SHARED_AREA,
    SHARED_LENGTH,
    LinesAndPolygons,
    Overlay,
    Violations,
    forbidden,
    overlay_rule,
)
from spatial_pipeline.contract.rules.overlay import MustNotOverlapWith


@overlay_rule(judges=LinesAndPolygons, against=LinesAndPolygons)
def evaluate(rule: MustNotOverlapWith, overlay: Overlay) -> Violations:
    """Pairs of polygons that share an area, and pairs of lines that share a stretch."""
    areas = forbidden(overlay.of(2), SHARED_AREA, "overlap", rule.tolerance)
    lines = forbidden(overlay.of(1), SHARED_LENGTH, "overlap", rule.tolerance)
    return Violations.concat([areas, lines])
