"""no_repeated_points: no vertex repeats the one before it."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import LinesAndPolygons, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import NoRepeatedPoints


@feature_rule(judges=LinesAndPolygons)
def evaluate(rule: NoRepeatedPoints, features: LinesAndPolygons) -> Violations:
    """Vertices at or near the one before them, each with its distance."""
    vertices, length = features.vertices, features.vertices.lengths
    near = np.flatnonzero(length <= rule.within)
    again = vertices.steps[near] + 1
    unit = features.length_unit
    close = f"within {rule.within:.15g}{f' {unit}' if unit else ''} of the vertex before"
    return features.violations(
        vertices.feature[again],
        np.where(length[near] == 0, "repeated point", close).tolist(),
        geometry=vertices.points(again),
        measure=length[near],
        unit=unit,
        **vertices.place(again),
    )
