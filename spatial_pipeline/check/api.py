"""The imports for authors of rules."""

from __future__ import annotations

from spatial_pipeline.check.base import (
    Context,
)
from spatial_pipeline.check.forms.batch_rule import (
    batch_rule,
)
from spatial_pipeline.check.forms.column_rule import (
    AttributeRows,
    Unjudged,
    Values,
    column_rule,
    shown,
)
from spatial_pipeline.check.forms.comparison_rule import (
    ComparedLayers,
    comparison_rule,
)
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
    nothing_else,
)
from spatial_pipeline.check.forms.join_rule import (
    JoinedPairs,
    JoinedRows,
    join_rule,
)
from spatial_pipeline.check.forms.limits import (
    areas,
    counted,
    limits,
    line_lengths,
    measured,
    segment_lengths,
)
from spatial_pipeline.check.forms.network_rule import (
    Named,
    Network,
    network_rule,
)
from spatial_pipeline.check.forms.overlay_rule import (
    Overlay,
    overlay_rule,
)
from spatial_pipeline.check.forms.pixel_comparison import (
    BandPairs,
    other_grid,
    pixel_comparison,
    same_place,
)
from spatial_pipeline.check.forms.placement import (
    stray_points,
    uncovered_lines,
)
from spatial_pipeline.check.forms.profile_rule import (
    profile_rule,
)
from spatial_pipeline.check.forms.relations import (
    SHARED_AREA,
    SHARED_LENGTH,
    crossing_lines,
    forbidden,
    out_of_bounds,
    out_of_count,
)
from spatial_pipeline.check.forms.tile_rule import (
    Neighbourhood,
    tile_rule,
)
from spatial_pipeline.check.forms.window_rule import (
    BandWindow,
    RasterUnderCheck,
    pixel_rule,
    window_rule,
)
from spatial_pipeline.check.raster.regions import (
    MarkedPixels,
)
from spatial_pipeline.model.features import (
    FeatureBatch,
)
from spatial_pipeline.model.violations import (
    RuleOutcome,
    Violations,
)

__all__ = [
    "SHARED_AREA",
    "SHARED_LENGTH",
    "AttributeRows",
    "BandPairs",
    "BandWindow",
    "ComparedLayers",
    "Context",
    "FeatureBatch",
    "Features",
    "Geometries",
    "JoinedPairs",
    "JoinedRows",
    "Lines",
    "LinesAndPolygons",
    "LinesWithZ",
    "MarkedPixels",
    "MeasuredLines",
    "Named",
    "Neighbourhood",
    "Network",
    "Overlay",
    "Points",
    "PointsAndLines",
    "Polygons",
    "RasterUnderCheck",
    "RuleOutcome",
    "Unjudged",
    "Values",
    "Violations",
    "WithZ",
    "areas",
    "batch_rule",
    "column_rule",
    "comparison_rule",
    "counted",
    "crossing_lines",
    "feature_rule",
    "forbidden",
    "join_rule",
    "limits",
    "line_lengths",
    "measured",
    "network_rule",
    "nothing_else",
    "other_grid",
    "out_of_bounds",
    "out_of_count",
    "overlay_rule",
    "pixel_comparison",
    "pixel_rule",
    "profile_rule",
    "same_place",
    "segment_lengths",
    "shown",
    "stray_points",
    "tile_rule",
    "uncovered_lines",
    "window_rule",
]
