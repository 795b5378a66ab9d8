"""band_names: the bands have the promised names, in the promised order."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import compared_bands
from spatial_pipeline.contract.rules.raster_metadata import BandNames
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: BandNames, profile: RasterProfile) -> RuleOutcome:
    """One violation per band of another name, and per missing or surplus band."""
    return compared_bands([b.description or "" for b in profile.bands], rule.equals, "name")
