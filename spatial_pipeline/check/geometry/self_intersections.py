"""Self-intersections of the lines of a geometry, apart from their ends.

Which meetings make a line not simple is decided as in GEOS's IsSimpleOp, by the boundary rule of
OGC Simple Features: ends of open lines may touch each other, a closed line has no ends, and
neighbours share their vertex.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.intersecting_pairs import meeting
from spatial_pipeline.check.geometry.parts import Parts
from spatial_pipeline.check.geometry.path_vertices import PathVertices


@dataclass(frozen=True)
class SelfIntersections:
    """Points and stretches where segments of the same geometry meet, each place once.

    Attributes:
        geometry: (k,) the common points and stretches.
        start: (k,) int64 first vertex of the later one of two segments that meet there.

    """

    geometry: NDArray[np.object_]
    start: NDArray[np.int64]


def not_simple(lines: Parts, count: int) -> NDArray[np.bool_]:
    """(count,) bool: geometries whose lines together are not simple; no others meet themselves.

    Args:
        lines: of the geometries.
        count: number of geometries.

    """
    out = np.zeros(count, dtype=bool)
    owner, number = np.unique(lines.feature, return_inverse=True)
    out[owner] = ~shapely.is_simple(shapely.multilinestrings(lines.geometry, indices=number))
    return out


def self_intersections(vertices: PathVertices, chosen: NDArray[np.bool_]) -> SelfIntersections:
    """All self-intersections of the lines of some geometries.

    Args:
        vertices: of lines.
        chosen: (n,) bool: geometries that are looked at.

    """
    steps = vertices.steps[chosen[vertices.feature[vertices.steps]] & (vertices.lengths > 0)]
    lines = vertices.segments(steps)
    # The tree prepares the asking ones, which no other thread may use at the same time.
    j, i = meeting(lines, vertices.segments(steps), "intersects")
    same = (i < j) & (vertices.feature[steps[i]] == vertices.feature[steps[j]])
    i, j = i[same], j[same]
    common = np.asarray(shapely.intersection(lines[i], lines[j]), dtype=object)
    point = shapely.get_type_id(common) == 0
    place = np.full((len(common), 2), np.nan)
    place[point] = shapely.get_coordinates(common[point])
    allowed = point & _joined(vertices, steps, i, j, place)
    common, i, j = common[~allowed], i[~allowed], j[~allowed]
    # The order in which a tree finds them depends on the other geometries.
    order = np.lexsort([i, j])
    common, j = common[order], j[order]
    form = shapely.to_wkb(shapely.normalize(common))
    _, first = np.unique(
        np.array([f"{f}:{w.hex()}" for f, w in zip(vertices.feature[steps[j]], form, strict=True)]),
        return_index=True,
    )
    first = np.sort(first)
    return SelfIntersections(common[first], steps[j[first]])


def _joined(
    vertices: PathVertices,
    steps: NDArray[np.int64],
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    place: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """(k,) bool: two segments share a vertex at which lines may join."""
    xy, path = vertices.xy, vertices.path
    of = path[steps]
    new = np.append(of[1:] != of[:-1], True)
    last, first = new, np.append(True, new[:-1])
    begin = np.searchsorted(path, of)
    stop = np.searchsorted(path, of, side="right") - 1
    closed = (xy[begin] == xy[stop]).all(axis=1)
    starts = [(xy[steps[k]] == place).all(axis=1) for k in (i, j)]
    stops = [(xy[steps[k] + 1] == place).all(axis=1) for k in (i, j)]
    at_vertices = (starts[0] | stops[0]) & (starts[1] | stops[1])
    at_ends = [
        (s & first[k]) | (e & last[k]) for s, e, k in zip(starts, stops, (i, j), strict=True)
    ]
    same = of[i] == of[j]
    neighbours = same & (j == i + 1)
    free = same | ~(closed[i] | closed[j])
    return np.asarray(at_vertices & (neighbours | (at_ends[0] & at_ends[1] & free)))
