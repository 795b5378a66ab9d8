"""must_be_within_distance: every feature has others near it."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Geometries, Overlay, Violations, overlay_rule
from spatial_pipeline.check.geometry.related_pairs import shortest_lines
from spatial_pipeline.contract.rules.overlay import MustBeWithinDistance

REACH = 2
"""The nearest one is looked for up to this multiple of the distance."""


@overlay_rule(judges=Geometries, against=Geometries, halo=lambda rule: REACH * rule.distance)
def evaluate(rule: MustBeWithinDistance, overlay: Overlay) -> Violations:
    """Features with too few others near: the line to the nearest beyond, else the feature.

    The nearest one that is too far is looked for within twice the distance; its distance is the
    measure.
    """
    count = np.bincount(overlay.apart(rule.distance)[0], minlength=len(overlay))
    lonely = count < rule.min_count
    one, other, distance = overlay.apart(REACH * rule.distance, lonely)
    left = np.flatnonzero(distance > rule.distance)
    left = left[np.lexsort([other[left], distance[left], one[left]])]
    held, first = np.unique(one[left], return_index=True)
    pair = left[first]
    alone = np.setdiff1d(np.flatnonzero(lonely), held)
    mine, theirs = overlay.geometry, overlay.other_geometry
    lines = shortest_lines(mine[one[pair]], theirs[other[pair]])
    return overlay.violations(
        np.concatenate([held, alone]),
        "too far",
        geometry=np.concatenate([lines, mine[alone]]),
        measure=np.concatenate([distance[pair], np.full(len(alone), np.nan)]),
        unit=overlay.features.length_unit,
        other=np.concatenate([other[pair], np.full(len(alone), -1)]),
    )
