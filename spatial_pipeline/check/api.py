"""The imports for authors of rules."""

from __future__ import annotations

from spatial_pipeline.check.forms.column_rule import AttributeRows, Values, column_rule, shown
from spatial_pipeline.check.forms.feature_rule import (
    Features,
    Geometries,
    Lines,
    LinesAndPolygons,
    LinesWithZ,
    MeasuredLines,
    Points,
    PointsAndLines,
    Polygons,
    WithZ,
    feature_rule,
)
from spatial_pipeline.check.forms.limits import counted, limits, measured
from spatial_pipeline.check.forms.network_rule import Named, Network, network_rule
from spatial_pipeline.check.forms.overlay_rule import Overlay, overlay_rule
from spatial_pipeline.check.forms.placement import stray_points, uncovered_lines
from spatial_pipeline.check.forms.profile_rule import profile_rule
from spatial_pipeline.check.forms.relations import (
    SHARED_AREA,
    SHARED_LENGTH,
    crossing_lines,
    forbidden,
    out_of_bounds,
    out_of_count,
)
from spatial_pipeline.check.forms.tile_rule import Neighbourhood, tile_rule
from spatial_pipeline.model.violations import RuleOutcome, Violations

__all__ = [
    "SHARED_AREA",
    "SHARED_LENGTH",
    "AttributeRows",
    "Features",
    "Geometries",
    "Lines",
    "LinesAndPolygons",
    "LinesWithZ",
    "MeasuredLines",
    "Named",
    "Neighbourhood",
    "Network",
    "Overlay",
    "Points",
    "PointsAndLines",
    "Polygons",
    "RuleOutcome",
    "Values",
    "Violations",
    "WithZ",
    "column_rule",
    "counted",
    "crossing_lines",
    "feature_rule",
    "forbidden",
    "limits",
    "measured",
    "network_rule",
    "out_of_bounds",
    "out_of_count",
    "overlay_rule",
    "profile_rule",
    "shown",
    "stray_points",
    "tile_rule",
    "uncovered_lines",
]
