"""finite_coordinates: no coordinate is NaN or infinite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    FeatureBatch,
    Features,
    Violations,
    feature_rule,
    nothing_else,
)
from spatial_pipeline.check.geometry.finite import not_finite
from spatial_pipeline.check.geometry.unjudged import NOT_FINITE, stored
from spatial_pipeline.check.geometry.wkb_vertices import Vertices, finite_places, vertices
from spatial_pipeline.contract.rules.validity import FiniteCoordinates

AXES = ("x", "y", "z", "m")


class WithVertices(Features):
    """Features whose vertices can be read, also when they make the geometry undecodable."""

    keeps = frozenset({NOT_FINITE})

    @classmethod
    def _unusable(cls, batch: FeatureBatch, lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
        unread = np.zeros(len(batch), dtype=bool)
        for i in np.flatnonzero(lost | not_finite(batch.geometry)):
            wkb = stored(batch, int(i))
            unread[i] = wkb is None or vertices(wkb) is None
        return unread


@feature_rule(judges=WithVertices, deep=True, relies=nothing_else)
def evaluate(rule: FiniteCoordinates, features: WithVertices) -> Violations:
    """Every vertex with a coordinate that is NaN or infinite, in x, y, Z or M.

    The place of a vertex without a place is the finite vertex before it in the feature, else the
    one after it. Geometries that do not decode because of such a vertex are checked too.
    """
    parts = []
    for i in np.flatnonzero(not_finite(features.geometry) | shapely.is_missing(features.geometry)):
        wkb = features.wkb(int(i))
        found = None if wkb is None else vertices(wkb)
        if found is not None:
            parts.append(_violations(features, int(i), found))
    return Violations.concat(parts)


def _violations(features: Features, feature: int, found: Vertices) -> Violations:
    values = found.coordinates
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    return features.violations(
        np.full(len(bad), feature),
        [_reason(v) for v in values[bad].tolist()],
        finite_places(values[:, :2], bad),
        part=found.part[bad],
        ring=found.ring[bad],
        vertex=found.vertex[bad],
    )


def _reason(values: Sequence[float]) -> str:
    told = [
        f"{name} is {'NaN' if np.isnan(value) else 'infinite'}"
        for name, value in zip(AXES, values, strict=True)
        if not np.isfinite(value)
    ]
    return ", ".join(told)
