"""data_type: every band has one of the promised data types."""

from __future__ import annotations

from typing import cast

from spatial_pipeline.check.base import ProfileCheck, evaluates
from spatial_pipeline.check.raster.profile_text import _by_band
from spatial_pipeline.contract.rules.metadata import (
    DataTypeRule,
)
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.violations import RuleOutcome


@evaluates(DataTypeRule)
class DataTypeCheck(ProfileCheck[DataTypeRule]):
    """Compares the data type of every band."""

    def evaluate(self, profile: Profile) -> RuleOutcome:
        """One finding a band of another type."""
        allowed = self.rule.any_of or (self.rule.equals,)
        expected = " or ".join(str(a) for a in allowed)
        return _by_band(
            cast("RasterProfile", profile),
            lambda band: band.data_type in allowed,
            lambda band: f"{band.data_type}, expected {expected}",
        )
