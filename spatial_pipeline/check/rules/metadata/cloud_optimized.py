"""cloud_optimized: the source is a Cloud Optimized GeoTIFF."""

from __future__ import annotations

from typing import cast

from spatial_pipeline.check.base import ProfileCheck, evaluates
from spatial_pipeline.check.raster.profile_text import _findings
from spatial_pipeline.contract.rules.metadata import (
    CloudOptimized,
)
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.violations import RuleOutcome


@evaluates(CloudOptimized)
class CloudOptimizedCheck(ProfileCheck[CloudOptimized]):
    """Repeats what the validator said of the source when it was ingested."""

    def evaluate(self, profile: Profile) -> RuleOutcome:
        """One finding an error; warnings are findings when the rule is strict, else notes."""
        raster = cast("RasterProfile", profile)
        reasons, warnings = raster.cog_errors, raster.cog_warnings
        if self.rule.strict:
            reasons, warnings = reasons + warnings, ()
        return RuleOutcome(
            checked=1,
            findings=_findings(reasons),
            passed=not reasons,
            value=len(reasons),
            threshold=0,
            message="; ".join(reasons) or "a Cloud Optimized GeoTIFF",
            notes=tuple(f"warning: {w}" for w in warnings),
        )
