"""finite_coordinates: no coordinate is NaN or infinite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import shapely

from spatial_pipeline.check.base import evaluates
from spatial_pipeline.check.forms.geometry_check import GeometryCheck, Judged
from spatial_pipeline.check.geometry.finite import not_finite
from spatial_pipeline.check.geometry.unjudged import EMPTY, NULL, UNDECODABLE, undecodable
from spatial_pipeline.check.geometry.wkb_vertices import Vertices, finite_places, vertices
from spatial_pipeline.contract.rules.validity import FiniteCoordinates
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import Violations

AXES = ("x", "y", "z", "m")


@evaluates(FiniteCoordinates)
class FiniteCoordinatesCheck(GeometryCheck[FiniteCoordinates]):
    """Reports every vertex with a coordinate that is NaN or infinite, in x, y, Z or M.

    The place of a vertex without a place is the finite vertex before it in the feature, else the
    one after it. Geometries that do not decode because of such a vertex are checked too.
    """

    def judge(self, batch: FeatureBatch) -> Judged:
        """Vertices of this batch that are not finite."""
        geometry = batch.geometry
        lost = undecodable(batch, self.context.data.profile)
        null = shapely.is_missing(geometry) & ~lost
        empty = shapely.is_empty(geometry)
        parts, unknown = [], 0
        for i in np.flatnonzero(not_finite(geometry) | lost):
            wkb = batch.wkb[int(i)].as_py() if batch.wkb is not None else None
            found = None if wkb is None else vertices(wkb)
            if found is None:
                unknown += 1
            else:
                parts.append(_violations(int(batch.rows[i]), found))
        said = {NULL: int(null.sum()), EMPTY: int(empty.sum()), UNDECODABLE: unknown}
        return Judged(len(batch) - sum(said.values()), Violations.concat(parts), Counter(said))


def _violations(row: int, found: Vertices) -> Violations:
    values = found.coordinates
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    return Violations.build(
        np.full(len(bad), row),
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
