"""The imports for authors of rules."""

from __future__ import annotations

from spatial_pipeline.check.base import Context
from spatial_pipeline.check.forms.batch_rule import Packing, batch_rule
from spatial_pipeline.check.forms.column_rule import AttributeRows, Values, column_rule, shown
from spatial_pipeline.check.forms.comparison_rule import ComparedLayers, comparison_rule
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
    nothing_else,
)
from spatial_pipeline.check.forms.limits import counted, limits, measured
from spatial_pipeline.check.forms.pixel_comparison import (
    BandPairs,
    other_grid,
    pixel_comparison,
    same_place,
)
from spatial_pipeline.check.forms.profile_rule import profile_rule
from spatial_pipeline.check.forms.window_rule import (
    BandWindow,
    RasterUnderCheck,
    pixel_rule,
    window_rule,
)
from spatial_pipeline.check.raster.regions import MarkedPixels
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import RuleOutcome, Violations

__all__ = [
    "AttributeRows",
    "BandPairs",
    "BandWindow",
    "ComparedLayers",
    "Context",
    "FeatureBatch",
    "Features",
    "Geometries",
    "Lines",
    "LinesAndPolygons",
    "MarkedPixels",
    "MeasuredLines",
    "Packing",
    "Points",
    "PointsAndLines",
    "Polygons",
    "RasterUnderCheck",
    "RuleOutcome",
    "Values",
    "Violations",
    "WithZ",
    "batch_rule",
    "column_rule",
    "comparison_rule",
    "counted",
    "feature_rule",
    "limits",
    "measured",
    "nothing_else",
    "other_grid",
    "pixel_comparison",
    "pixel_rule",
    "profile_rule",
    "same_place",
    "shown",
    "window_rule",
]
