"""The imports for authors of rules; what a rule does not use is not loaded for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "check.base": ("Context",),
    "check.forms.batch_rule": ("batch_rule",),
    "check.forms.column_rule": (
        "AttributeRows",
        "Unjudged",
        "Values",
        "column_rule",
        "shown",
    ),
    "check.forms.comparison_rule": (
        "ComparedLayers",
        "comparison_rule",
    ),
    "check.forms.feature_rule": (
        "Features",
        "Geometries",
        "Lines",
        "LinesAndPolygons",
        "LinesWithZ",
        "MeasuredLines",
        "Points",
        "PointsAndLines",
        "Polygons",
        "WithZ",
        "feature_rule",
        "nothing_else",
    ),
    "check.forms.join_rule": (
        "JoinedPairs",
        "JoinedRows",
        "join_rule",
    ),
    "check.forms.limits": (
        "areas",
        "counted",
        "limits",
        "line_lengths",
        "measured",
        "segment_lengths",
    ),
    "check.forms.network_rule": (
        "Named",
        "Network",
        "network_rule",
    ),
    "check.forms.overlay_rule": (
        "Overlay",
        "overlay_rule",
    ),
    "check.forms.pixel_comparison": (
        "BandPairs",
        "other_grid",
        "pixel_comparison",
        "same_place",
    ),
    "check.forms.placement": (
        "stray_points",
        "uncovered_lines",
    ),
    "check.forms.profile_rule": ("profile_rule",),
    "check.forms.relations": (
        "SHARED_AREA",
        "SHARED_LENGTH",
        "crossing_lines",
        "forbidden",
        "out_of_bounds",
        "out_of_count",
    ),
    "check.forms.tile_rule": (
        "Neighbourhood",
        "tile_rule",
    ),
    "check.forms.window_rule": (
        "BandWindow",
        "RasterUnderCheck",
        "pixel_rule",
        "window_rule",
    ),
    "check.raster.regions": ("MarkedPixels",),
    "model.features": ("FeatureBatch",),
    "model.violations": (
        "RuleOutcome",
        "Violations",
    ),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"spatial_pipeline.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
