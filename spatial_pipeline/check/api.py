"""The imports for authors of rules."""

from __future__ import annotations

from spatial_pipeline.check.forms.column_rule import (
    AttributeRows,
    Unjudged,
    Values,
    column_rule,
    shown,
)
from spatial_pipeline.check.forms.feature_rule import (
    Features,
    Geometries,
    Lines,
    LinesAndPolygons,
    MeasuredLines,
    Points,
    PointsAndLines,
    Polygons,
    WithZ,
    feature_rule,
)
from spatial_pipeline.check.forms.join_rule import JoinedPairs, JoinedRows, join_rule
from spatial_pipeline.check.forms.limits import (
    areas,
    counted,
    limits,
    line_lengths,
    measured,
    segment_lengths,
)
from spatial_pipeline.check.forms.profile_rule import profile_rule
from spatial_pipeline.model.violations import RuleOutcome, Violations

__all__ = [
    "AttributeRows",
    "Features",
    "Geometries",
    "JoinedPairs",
    "JoinedRows",
    "Lines",
    "LinesAndPolygons",
    "MeasuredLines",
    "Points",
    "PointsAndLines",
    "Polygons",
    "RuleOutcome",
    "Unjudged",
    "Values",
    "Violations",
    "WithZ",
    "areas",
    "column_rule",
    "counted",
    "feature_rule",
    "join_rule",
    "limits",
    "line_lengths",
    "measured",
    "profile_rule",
    "segment_lengths",
    "shown",
]
