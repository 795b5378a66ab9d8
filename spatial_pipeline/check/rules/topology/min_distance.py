"""min_distance: features keep a distance from each other."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Geometries, Overlay, Violations, overlay_rule
from spatial_pipeline.check.geometry.related_pairs import shortest_lines
from spatial_pipeline.contract.rules.overlay import MinDistance


@overlay_rule(judges=Geometries, against=Geometries, halo=lambda rule: rule.distance)
def evaluate(rule: MinDistance, overlay: Overlay) -> Violations:
    """Pairs of features that are too near: the shortest line between them, and its length."""
    one, other = overlay.near(rule.distance, once=True)
    mine, theirs = overlay.geometry[one], overlay.other_geometry[other]
    distance = shapely.distance(mine, theirs)
    near = np.flatnonzero(distance < rule.distance)
    return overlay.violations(
        one[near],
        "too near",
        geometry=shortest_lines(mine[near], theirs[near]),
        measure=distance[near],
        unit=overlay.features.length_unit,
        other=other[near],
    )
