"""cloud_optimized: the source is a Cloud Optimized GeoTIFF."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import source_violations
from spatial_pipeline.contract.rules.raster_metadata import CloudOptimized
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: CloudOptimized, profile: RasterProfile) -> RuleOutcome:
    """One violation per error of the validator; warnings are violations when strict."""
    reasons, warnings = profile.cog_errors, profile.cog_warnings
    if rule.strict:
        reasons, warnings = reasons + warnings, ()
    return RuleOutcome(
        checked=1,
        violations=source_violations(reasons),
        passed=not reasons,
        value=len(reasons),
        threshold=0,
        message="; ".join(reasons) or "a Cloud Optimized GeoTIFF",
        notes=tuple(f"warning: {w}" for w in warnings),
    )
