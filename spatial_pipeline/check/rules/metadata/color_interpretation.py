"""color_interpretation: the bands have the promised roles."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import compared_bands
from spatial_pipeline.contract.rules.raster_metadata import ColorInterpretation
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: ColorInterpretation, profile: RasterProfile) -> RuleOutcome:
    """One violation per band of another role, and per missing or surplus band."""
    roles = [b.color_interpretation.casefold() for b in profile.bands]
    return compared_bands(roles, [e.casefold() for e in rule.equals], "role")
