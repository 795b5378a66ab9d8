"""size: the raster has the promised number of columns and rows."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import compared
from spatial_pipeline.contract.rules.raster_metadata import Size
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: Size, profile: RasterProfile) -> RuleOutcome:
    """One violation per side that differs."""
    return compared(
        {
            "columns": (profile.width, rule.equals[0]),
            "rows": (profile.height, rule.equals[1]),
        }
    )
