"""no_spikes: no corner is sharper."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import LinesAndPolygons, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import NoSpikes


@feature_rule(judges=LinesAndPolygons)
def evaluate(rule: NoSpikes, features: LinesAndPolygons) -> Violations:
    """Corners below the angle, each with its angle."""
    vertices, corners = features.vertices, features.corners
    to, fro = (
        vertices.xy[side] - vertices.xy[corners.at] for side in (corners.before, corners.after)
    )
    across = to[:, 0] * fro[:, 1] - to[:, 1] * fro[:, 0]
    along = (to * fro).sum(axis=1)
    angle = np.degrees(np.arctan2(np.abs(across), along))
    found = np.flatnonzero(angle < rule.min_angle)
    at = corners.at[found]
    return features.violations(
        vertices.feature[at],
        f"angle below {rule.min_angle:.15g}°",
        geometry=vertices.points(at),
        measure=angle[found],
        unit="°",
        **vertices.place(at),
    )
