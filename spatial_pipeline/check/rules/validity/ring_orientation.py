"""ring_orientation: shells run in one direction, holes in the other."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Polygons, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import RingOrientation


@feature_rule(judges=Polygons, valid=True)
def evaluate(rule: RingOrientation, features: Polygons) -> Violations:
    """Rings in the wrong direction, each as a line."""
    vertices = features.vertices
    start = np.flatnonzero(vertices.vertex == 0)
    rings = shapely.linestrings(vertices.xy, indices=vertices.path)
    shell, ccw = vertices.ring[start] == 0, shapely.is_ccw(rings)
    wrong = np.flatnonzero((ccw == shell) != (rule.exterior == "ccw"))
    kinds = np.where(shell, "shell", "hole")[wrong].tolist()
    runs = np.where(ccw, "counter-clockwise", "clockwise")[wrong].tolist()
    start = start[wrong]
    return features.violations(
        vertices.feature[start],
        [f"{kind} runs {run}" for kind, run in zip(kinds, runs, strict=True)],
        geometry=rings[wrong],
        part=vertices.part[start],
        ring=vertices.ring[start],
    )
