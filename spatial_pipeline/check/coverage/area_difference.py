"""Parts of polygons that many others do not cover, with a union of few of them.

Where two covers lie on either side of an edge, both with exactly this edge, the union has no
boundary there. So only covers with another kind of edge bound what is left of a polygon, and no
more than these are united. Each part that this union leaves is covered by the others as a whole or
not at all, which one point of it decides.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.polygon_lookup import united
from spatial_pipeline.check.geometry.eligible import POLYGON, of_dimension
from spatial_pipeline.check.geometry.equal_segments import ends_in_order, once
from spatial_pipeline.check.geometry.intersecting_pairs import meeting
from spatial_pipeline.check.geometry.segments import SHELL, Paths

MANY = 64
"""Covers of a polygon, at least, for which looking at their edges is worth while."""


def areas_without(
    features: NDArray[np.object_],
    covers: NDArray[np.object_],
    feature: NDArray[np.int64],
    cover: NDArray[np.int64],
) -> NDArray[np.object_]:
    """(n,) the parts of polygons outside all covers; empty or None for those without.

    Args:
        features: (n,) valid polygons.
        covers: (m,) valid polygons.
        feature: (k,) index of the polygon of each pair that meets.
        cover: (k,) index of its cover.

    """
    bounding = _bounding(feature, *_edges(covers, cover))
    unions = united(covers[cover[bounding]], feature[bounding], len(features))
    rest = features.copy()
    some = np.flatnonzero(~shapely.is_missing(unions))
    rest[some] = of_dimension(shapely.difference(features[some], unions[some]), POLYGON)
    parts, index = shapely.get_parts(rest, return_index=True)
    held = meeting(shapely.point_on_surface(parts), covers[np.unique(cover)], "intersects")[1]
    left = np.ones(len(parts), dtype=bool)
    left[held] = False
    out = np.full(len(features), None, dtype=object)
    if left.any():
        kept, group = np.unique(index[left], return_inverse=True)
        out[kept] = shapely.multipolygons(parts[left], indices=group)
    return out


def _edges(
    covers: NDArray[np.object_], cover: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The edges of the covers of all pairs.

    Returns:
        (e,) index of the pair; (e,) number of the edge, whatever its direction; and (e,) bool: the
        cover lies to the left of the edge, from its lower end.

    """
    used, member = np.unique(cover, return_inverse=True)
    paths = Paths.of(covers[used])
    path = np.repeat(np.arange(len(paths.size)), paths.size)
    start = np.flatnonzero(path[1:] == path[:-1])
    ends, back = ends_in_order(paths.xy[start], paths.xy[start + 1])
    rings = shapely.linearrings(paths.xy, indices=path)
    inside_left = shapely.is_ccw(rings) == (paths.kind == SHELL)
    left = inside_left[path[start]] != back
    number = once(ends)[1]
    count = np.bincount(paths.owner[path[start]], minlength=len(used))
    first = np.cumsum(count) - count
    size = count[member]
    pair = np.repeat(np.arange(len(cover)), size)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(size) - size, size)
    edge = first[member][pair] + place
    return pair, number[edge], left[edge]


def _bounding(
    feature: NDArray[np.int64],
    pair: NDArray[np.int64],
    number: NDArray[np.int64],
    left: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(k,) bool: pairs whose cover has an edge with no other cover on the other side."""
    key = feature[pair] * (number.max(initial=0) + 1) + number
    _, group = np.unique(key, return_inverse=True)
    sides = [np.bincount(group, side) > 0 for side in (left, ~left)]
    out = np.zeros(len(feature), dtype=bool)
    out[pair[~(sides[0] & sides[1])[group]]] = True
    return out


__all__ = ["MANY", "areas_without"]
