"""data_type: every band has one of the promised data types."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import by_band
from spatial_pipeline.contract.rules.raster_metadata import DataTypeRule
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: DataTypeRule, profile: RasterProfile) -> RuleOutcome:
    """One violation per band of another type."""
    allowed = rule.any_of or (rule.equals,)
    expected = " or ".join(str(a) for a in allowed)
    return by_band(
        profile,
        lambda band: band.data_type in allowed,
        lambda band: f"{band.data_type}, expected {expected}",
    )
