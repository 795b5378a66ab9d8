"""All that the author of a rule imports."""

from __future__ import annotations

from spatial_pipeline.check.forms.feature_rule import (
    Features,
    Geometries,
    Lines,
    Points,
    Polygons,
    feature_rule,
)
from spatial_pipeline.check.forms.limits import limits, measured
from spatial_pipeline.check.forms.profile_rule import profile_rule
from spatial_pipeline.model.violations import RuleOutcome, Violations

__all__ = [
    "Features",
    "Geometries",
    "Lines",
    "Points",
    "Polygons",
    "RuleOutcome",
    "Violations",
    "feature_rule",
    "limits",
    "measured",
    "profile_rule",
]
