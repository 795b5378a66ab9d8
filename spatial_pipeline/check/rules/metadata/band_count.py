"""band_count: the raster has the promised number of bands."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import band_text, source_violations
from spatial_pipeline.contract.rules.raster_metadata import BandCount
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: BandCount, profile: RasterProfile) -> RuleOutcome:
    """The number of bands is the value."""
    count, promised = profile.count, rule.equals
    reasons = [] if count == promised else [f"{band_text(count)}, expected {promised}"]
    return RuleOutcome(
        checked=1,
        violations=source_violations(reasons),
        passed=count == promised,
        value=count,
        threshold=promised,
        message=reasons[0] if reasons else band_text(count),
    )
