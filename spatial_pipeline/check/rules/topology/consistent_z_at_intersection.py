"""consistent_z_at_intersection: lines that meet in the plane have the same Z there."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import LinesWithZ, Overlay, Violations, overlay_rule
from spatial_pipeline.check.geometry.related_pairs import related
from spatial_pipeline.contract.rules.nodes import ConsistentZAtIntersection


@overlay_rule(judges=LinesWithZ, against=LinesWithZ)
def evaluate(rule: ConsistentZAtIntersection, overlay: Overlay) -> Violations:
    """Points at which two lines have different Z, and the difference.

    Along a shared stretch its vertices are compared.
    """
    own, others = overlay.features.parts, overlay.other.parts
    flat = [np.asarray(shapely.force_2d(p.geometry), dtype=object) for p in (own, others)]
    i, j = related(flat[0], flat[1], "intersects", overlay.cancelled)
    kept = overlay.different(own.feature[i], others.feature[j], once=True)
    i, j = i[kept], j[kept]
    shared = shapely.intersection(flat[0][i], flat[1][j])
    xy, pair = shapely.get_coordinates(shared, return_index=True)
    xy, pair = _once(xy, pair)
    point = shapely.points(xy)
    difference = np.abs(_z(own.geometry[i[pair]], point) - _z(others.geometry[j[pair]], point))
    found = np.flatnonzero(difference > rule.tolerance)
    return overlay.violations(
        own.feature[i[pair[found]]],
        "different Z",
        np.asarray(point[found], dtype=object),
        difference[found],
        other=others.feature[j[pair[found]]],
    )


def _once(
    xy: NDArray[np.float64], pair: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The places of each pair without repetition."""
    places = np.unique(np.column_stack([pair, xy]), axis=0)
    return places[:, 1:], places[:, 0].astype(np.int64)


def _z(line: NDArray[np.object_], point: NDArray[np.object_]) -> NDArray[np.float64]:
    """(k,) Z of lines at points on them, interpolated between vertices."""
    at = shapely.line_interpolate_point(line, shapely.line_locate_point(line, point))
    return np.asarray(shapely.get_z(at), dtype=np.float64)
