"""larger_than_cluster_tolerance: nothing collapses when near vertices become one."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import LinesAndPolygons, Violations, feature_rule
from spatial_pipeline.check.geometry.hull_width import hull_widths
from spatial_pipeline.contract.rules.topology import LargerThanClusterTolerance


@feature_rule(judges=LinesAndPolygons)
def evaluate(rule: LargerThanClusterTolerance, features: LinesAndPolygons) -> Violations:
    """Parts that collapse, each with its extent; that of a polygon is its width."""
    parts = features.parts
    bounds = shapely.bounds(parts.geometry).reshape(-1, 4)
    extent = np.hypot(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    areal = shapely.get_dimensions(parts.geometry) == 2
    # Nothing is larger than its extent times its width, so that most widths are never measured.
    thin = shapely.area(parts.geometry) <= extent * rule.tolerance * (1 + 1e-9)
    narrow = np.flatnonzero(areal & thin & (extent > rule.tolerance))
    extent[narrow] = np.minimum(extent[narrow], hull_widths(parts.geometry[narrow]))
    found = np.flatnonzero(extent <= rule.tolerance)
    unit = features.length_unit
    told = f"not larger than {rule.tolerance:.15g}{f' {unit}' if unit else ''}"
    return features.violations(
        parts.feature[found],
        told,
        geometry=parts.geometry[found],
        measure=extent[found],
        unit=unit,
        part=parts.part[found],
    )
