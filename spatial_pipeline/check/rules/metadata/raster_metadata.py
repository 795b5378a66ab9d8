"""raster_metadata: the required tags are there, with the promised values."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import source_violations
from spatial_pipeline.contract.rules.raster_metadata import RasterMetadata
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: RasterMetadata, profile: RasterProfile) -> RuleOutcome:
    """One violation per tag that is missing or has another value."""
    reasons = [
        f"tag {tag} is missing"
        if tag not in profile.tags
        else f"tag {tag} is {profile.tags[tag]!r}, expected {promised!r}"
        for tag, promised in rule.tags.items()
        if tag not in profile.tags or promised not in (None, profile.tags[tag])
    ]
    return RuleOutcome(
        checked=len(rule.tags),
        violations=source_violations(reasons),
        message="; ".join(reasons[:5]),
    )
