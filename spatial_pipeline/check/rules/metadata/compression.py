"""compression: the pixels are compressed as promised."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import compared
from spatial_pipeline.contract.rules.raster_metadata import Compression
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: Compression, profile: RasterProfile) -> RuleOutcome:
    """One violation when the source is compressed in another way."""
    promised = rule.any_of or (rule.equals or "",)
    actual = (profile.compression or "NONE").upper()
    accepted = actual if actual in {p.upper() for p in promised} else " or ".join(promised)
    return compared({"compression": (actual, accepted)})
