"""band_count: the raster has the promised number of bands."""

from __future__ import annotations

from typing import cast

from spatial_pipeline.check.base import ProfileCheck, evaluates
from spatial_pipeline.check.raster.profile_text import _bands, _findings
from spatial_pipeline.contract.rules.metadata import (
    BandCount,
)
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.violations import RuleOutcome


@evaluates(BandCount)
class BandCountCheck(ProfileCheck[BandCount]):
    """Compares the number of bands."""

    def evaluate(self, profile: Profile) -> RuleOutcome:
        """The number of bands is the value."""
        count, promised = cast("RasterProfile", profile).count, self.rule.equals
        reasons = [] if count == promised else [f"{_bands(count)}, expected {promised}"]
        return RuleOutcome(
            checked=1,
            findings=_findings(reasons),
            passed=count == promised,
            value=count,
            threshold=promised,
            message=reasons[0] if reasons else _bands(count),
        )
