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
from spatial_pipeline.model.violations import Violations

__all__ = [
    "Features",
    "Geometries",
    "Lines",
    "Points",
    "Polygons",
    "Violations",
    "feature_rule",
    "limits",
    "measured",
]
