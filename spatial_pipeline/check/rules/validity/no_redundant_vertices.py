"""no_redundant_vertices: no vertex that changes nothing."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import LinesAndPolygons, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import NoRedundantVertices


@feature_rule(judges=LinesAndPolygons)
def evaluate(rule: NoRedundantVertices, features: LinesAndPolygons) -> Violations:
    """Vertices on the line between their neighbours, each with its distance from that line."""
    vertices, corners = features.vertices, features.corners
    here, end = (vertices.xy[i] - vertices.xy[corners.before] for i in (corners.at, corners.after))
    base, along = (end**2).sum(axis=1), (here * end).sum(axis=1)
    across = np.abs(here[:, 0] * end[:, 1] - here[:, 1] * end[:, 0])
    # A vertex beyond its neighbours is the tip of a spike: without it the line would be shorter.
    between = (along > 0) & (along < base)
    offset = across / np.sqrt(np.where(between, base, 1.0))
    found = np.flatnonzero(between & (offset <= rule.max_offset))
    at = corners.at[found]
    return features.violations(
        vertices.feature[at],
        "redundant vertex",
        geometry=vertices.points(at),
        measure=offset[found],
        unit=features.length_unit,
        **vertices.place(at),
    )
