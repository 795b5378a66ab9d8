"""closed_lines: lines end where they start."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Lines, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import ClosedLines


@feature_rule(judges=Lines)
def evaluate(rule: ClosedLines, features: Lines) -> Violations:
    """Open lines, each with the segment that would close it and its length."""
    vertices = features.vertices
    end = np.flatnonzero(vertices.last)
    start = end - vertices.vertex[end]
    open_ = (vertices.xy[start] != vertices.xy[end]).any(axis=1)
    end, start = end[open_], start[open_]
    missing = shapely.linestrings(np.stack([vertices.xy[end], vertices.xy[start]], axis=1))
    return features.violations(
        vertices.feature[end],
        "line is not closed",
        geometry=missing,
        measure=shapely.length(missing),
        unit=features.length_unit,
        **vertices.place(end),
    )
