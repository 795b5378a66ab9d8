"""must_be_covered_by_one: a single feature of the other dataset covers each feature."""

from __future__ import annotations

from spatial_pipeline.check.api import Geometries, Overlay, Violations, out_of_count, overlay_rule
from spatial_pipeline.contract.rules.overlay import MustBeCoveredByOne


@overlay_rule(judges=Geometries, against=Geometries)
def evaluate(rule: MustBeCoveredByOne, overlay: Overlay) -> Violations:
    """Features that no single feature covers."""
    return out_of_count(overlay, "covered_by", 1, None, "not covered by one feature", "")
