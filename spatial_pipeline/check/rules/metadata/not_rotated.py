"""not_rotated: the grid is north-up."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import source_violations
from spatial_pipeline.contract.rules.raster_metadata import NotRotated
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: NotRotated, profile: RasterProfile) -> RuleOutcome:
    """One violation per property of the transform that is not that of a north-up grid."""
    a, b, _, d, e, _ = profile.transform
    reasons = [
        text
        for wrong, text in (
            (b != 0 or d != 0, f"the grid is rotated or sheared: {b:.15g}, {d:.15g}"),
            (a < 0, f"columns run from east to west: pixel width {a:.15g}"),
            (e > 0, f"rows run from south to north: pixel height {e:.15g}"),
            (a * e - b * d == 0, "pixels have no area"),
        )
        if wrong
    ]
    return RuleOutcome(
        checked=1,
        violations=source_violations(reasons),
        passed=not reasons,
        value=len(reasons),
        threshold=0,
        message="; ".join(reasons) or "north-up",
    )
