"""The imports for authors of rules."""

from __future__ import annotations

from spatial_pipeline.check.forms.column_rule import AttributeRows, Values, column_rule, shown
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
    "AttributeRows",
    "Features",
    "Geometries",
    "Lines",
    "Points",
    "Polygons",
    "RuleOutcome",
    "Values",
    "Violations",
    "column_rule",
    "feature_rule",
    "limits",
    "measured",
    "profile_rule",
    "shown",
]
