"""must_be_disjoint: features share no point."""

from __future__ import annotations

from spatial_pipeline.check.api import Geometries, Overlay, Violations, forbidden, overlay_rule
from spatial_pipeline.contract.rules.overlay import MustBeDisjoint


@overlay_rule(judges=Geometries, against=Geometries)
def evaluate(rule: MustBeDisjoint, overlay: Overlay) -> Violations:
    """Pairs of features that share a point, with all that they share."""
    return forbidden(overlay, "intersects", "not disjoint", rule.tolerance)
