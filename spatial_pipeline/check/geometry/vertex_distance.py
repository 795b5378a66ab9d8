"""The largest distance between corresponding vertices of two geometries.

The correspondence of vertices is chosen to minimise the largest distance: over all starts and both
directions of rings, both directions of lines, and all ways to pair parts and holes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

Costs = dict[int, dict[int, float]]
"""Costs of the pairs (i, j) that are possible."""


def vertex_distance(a: shapely.Geometry, b: shapely.Geometry, limit: float) -> float:
    """Largest distance between corresponding vertices, in the units of the coordinates.

    Args:
        a: a geometry in the XY plane.
        b: another one.
        limit: larger distances are not looked for.

    Returns:
        The distance; infinity when it exceeds ``limit`` or the geometries do not have the same
        type and the same number of parts, rings and vertices.

    """
    kind = a.geom_type
    if kind != b.geom_type:
        return math.inf
    if kind == "Polygon":
        shells = _path_distance(a.exterior, b.exterior, limit)
        return (
            max(shells, _members(list(a.interiors), list(b.interiors), limit))
            if shells <= limit
            else shells
        )
    if kind in {"Point", "LineString", "LinearRing"}:
        return _path_distance(a, b, limit)
    return _members(shapely.get_parts(a), shapely.get_parts(b), limit)


def _path_distance(a: shapely.Geometry, b: shapely.Geometry, limit: float) -> float:
    p, q = shapely.get_coordinates(a), shapely.get_coordinates(b)
    if len(p) != len(q):
        return math.inf
    if len(p) > 1 and (p[0] == p[-1]).all() and (q[0] == q[-1]).all():
        return _ring_distance(p[:-1], q[:-1], limit)
    return _within(min(_apart(p, q), _apart(p, q[::-1])), limit)


def _ring_distance(p: NDArray[np.float64], q: NDArray[np.float64], limit: float) -> float:
    starts = np.flatnonzero(np.hypot(*(q - p[0]).T) <= limit)
    least = math.inf
    for k in starts:
        least = min(
            least,
            _apart(p, np.concatenate([q[k:], q[:k]])),
            _apart(p, np.concatenate([q[k::-1], q[:k:-1]])),
        )
    return _within(least, limit)


def _apart(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    return float(np.hypot(*(p - q).T).max()) if len(p) else 0.0


def _within(distance: float, limit: float) -> float:
    return distance if distance <= limit else math.inf


def _members(a: Sequence[shapely.Geometry], b: Sequence[shapely.Geometry], limit: float) -> float:
    """The smallest largest distance over all ways to pair the members of two collections."""
    hollow = [sorted(g.geom_type for g in members if g.is_empty) for members in (a, b)]
    if len(a) != len(b) or hollow[0] != hollow[1]:
        return math.inf
    # Empty members correspond to each other: they have no vertex that could be apart.
    a, b = ([g for g in members if not g.is_empty] for members in (a, b))
    if not a:
        return 0.0
    costs: Costs = {i: {} for i in range(len(a))}
    corners = (
        shapely.bounds(np.asarray(a, dtype=object)),
        shapely.bounds(np.asarray(b, dtype=object)),
    )
    slack = limit + 4 * np.spacing(np.abs(np.nan_to_num(np.concatenate(corners))).max())
    tree = shapely.STRtree(shapely.points(corners[1][:, :2]))
    around = corners[0][:, :2]
    boxes = shapely.box(*(around - slack).T, *(around + slack).T)
    for i, j in tree.query(boxes).T.tolist():
        distance = vertex_distance(a[i], b[j], limit)
        if distance <= limit:
            costs[i][j] = distance
    return _bottleneck(costs)


def _bottleneck(costs: Costs) -> float:
    """The smallest possible largest cost of a perfect matching; infinity when there is none.

    Binary search over the costs; a matching for each is grown along augmenting paths (Kuhn 1955).
    """
    levels = sorted({cost for row in costs.values() for cost in row.values()})
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        if _matches(costs, levels[middle]):
            high = middle
        else:
            low = middle + 1
    return levels[low] if low < len(levels) else math.inf


def _matches(costs: Costs, limit: float) -> bool:
    """True when every i can be paired with a different j at no more than ``limit``."""
    taken_by: dict[int, int] = {}
    taken: dict[int, int] = {}
    for start in costs:
        came_from: dict[int, int] = {}
        stack = [start]
        free = -1
        while stack and free < 0:
            i = stack.pop()
            for j, cost in costs[i].items():
                if cost <= limit and j not in came_from:
                    came_from[j] = i
                    if j not in taken_by:
                        free = j
                        break
                    stack.append(taken_by[j])
        if free < 0:
            return False
        while free >= 0:
            i = came_from[free]
            before = taken.get(i, -1)
            taken_by[free], taken[i] = i, free
            free = before
    return True
