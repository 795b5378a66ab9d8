"""Free ends of lines, and their classification as undershoots and overshoots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

STEEP = 0.1
"""Minimum ratio of the distance from a crossed line to the length of the tail beyond it.

From this ratio on, the tail explains why that line is near; below it the end approaches the line
independently.
"""
CLOSING = 0.5
"""Share of its length below which the gap between a line's ends makes it nearly closed."""


@dataclass(frozen=True)
class FreeEnds:
    """Ends that touch no line, and how far they miss one.

    Attributes:
        part: (n,) index of the part.
        at_start: (n,) bool: the start of the part, else its end.
        point: (n,) points.
        undershoot: (n,) distance to the nearest line within reach, NaN when there is none.
        overshoot: (n,) length of the tail beyond the last contact within reach, NaN when there is
            none.

    """

    part: NDArray[np.int64]
    at_start: NDArray[np.bool_]
    point: NDArray[np.object_]
    undershoot: NDArray[np.float64]
    overshoot: NDArray[np.float64]


def free_ends(parts: NDArray[np.object_], owned: NDArray[np.bool_], reach: float) -> FreeEnds:
    """The ends of owned parts that touch no line, their own included.

    Touching is decided exactly. Distances are floating-point ones.

    Args:
        parts: (n,) valid LineStrings and LinearRings; all whose boxes come within ``reach`` of one
            of an owned part.
        owned: (n,) bool: the parts whose ends are requested.
        reach: largest distance that is measured.

    """
    part, at_start = _untouched(parts, owned)
    points = _points(parts, part, at_start)
    tree = shapely.STRtree(parts)
    end, line = tree.query(points, predicate="intersects")
    touched = np.zeros(len(part), dtype=bool)
    touched[end[line != part[end]]] = True
    left = np.flatnonzero(~touched)
    touched[left] = _on_itself(parts[part[left]], at_start[left], points[left])
    part, at_start, points = part[~touched], at_start[~touched], points[~touched]
    undershoot, overshoot = _misses(parts, part, at_start, points, reach)
    return FreeEnds(part, at_start, points, undershoot, overshoot)


def _points(
    parts: NDArray[np.object_], part: NDArray[np.int64], at_start: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """(n,) the ends of these parts, in the plane."""
    return np.asarray(shapely.force_2d(shapely.get_point(parts[part], np.where(at_start, 0, -1))))


def _untouched(
    parts: NDArray[np.object_], owned: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Owned ends at which no other end lies: this decides most ends of a network."""
    n = len(parts)
    both = np.concatenate([shapely.get_point(parts, 0), shapely.get_point(parts, -1)])
    xy = shapely.get_coordinates(both) + 0.0
    order = np.lexsort(xy.T)
    same = (xy[order[1:]] == xy[order[:-1]]).all(axis=1)
    shared = np.zeros(2 * n, dtype=bool)
    shared[order[1:][same]] = True
    shared[order[:-1][same]] = True
    single = np.flatnonzero(~shared & np.tile(owned, 2))
    part, at_start = single % max(n, 1), single < n
    order = np.lexsort([~at_start, part])
    return part[order], at_start[order]


def _on_itself(
    lines: NDArray[np.object_], at_start: NDArray[np.bool_], points: NDArray[np.object_]
) -> NDArray[np.bool_]:
    """(n,) bool: ends that lie on another segment of their own line."""
    lines = np.where(at_start, lines, shapely.reverse(lines))
    xy, line = shapely.get_coordinates(lines, return_index=True)
    kept = np.ones(len(line), dtype=bool)
    kept[1:] = (line[1:] != line[:-1]) | (xy[1:] != xy[:-1]).any(axis=1)
    xy, line = xy[kept], line[kept]
    first = np.diff(line, prepend=-1) != 0
    long = np.bincount(line, minlength=len(lines)) > 2
    rest = ~first & long[line]
    touched = np.zeros(len(lines), dtype=bool)
    if rest.any():
        several = np.flatnonzero(long)
        without = shapely.linestrings(xy[rest], indices=np.searchsorted(several, line[rest]))
        touched[several] = shapely.intersects(points[several], without)
    return touched


def _misses(
    parts: NDArray[np.object_],
    part: NDArray[np.int64],
    at_start: NDArray[np.bool_],
    points: NDArray[np.object_],
    reach: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances by which free ends undershoot and overshoot a line; NaN beyond reach.

    A line that the tail of the end crosses is near for that reason; it counts as an undershoot only
    when the end is much nearer to it than the tail is long.
    """
    n = len(part)
    end, line = shapely.STRtree(parts).query(points, predicate="dwithin", distance=reach)
    other = line != part[end]
    end, line = end[other], line[other]
    distance = shapely.distance(points[end], parts[line])
    tail = _tails(parts[part[end]], at_start[end], parts[line])
    overshoot = _least(n, end, tail)
    crossed_near = ~(distance < STEEP * tail)
    undershoot = _least(n, end, np.where(np.isfinite(tail) & crossed_near, np.inf, distance))

    own = parts[part]
    overshoot = np.fmin(overshoot, _loops(own, points))
    chord = shapely.distance(points, _points(parts, part, ~at_start))
    closing = chord < CLOSING * shapely.length(own)
    undershoot = np.fmin(undershoot, np.where(closing, chord, np.inf))
    return (
        np.where(undershoot <= reach, undershoot, np.nan),
        np.where(overshoot <= reach, overshoot, np.nan),
    )


def _least(n: int, group: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the least value of each group, infinite for groups without any."""
    out = np.full(n, np.inf)
    np.minimum.at(out, group, values)
    return out


def _tails(
    lines: NDArray[np.object_], at_start: NDArray[np.bool_], others: NDArray[np.object_]
) -> NDArray[np.float64]:
    """(m,) length along each line from its end to the first contact with another, else infinite."""
    met = np.flatnonzero(shapely.intersects(lines, others))
    tail = np.full(len(lines), np.inf)
    contact = shapely.intersection(lines[met], others[met])
    xy, pair = shapely.get_coordinates(contact, return_index=True)
    at = shapely.line_locate_point(lines[met[pair]], shapely.points(xy))
    along = np.where(at_start[met[pair]], at, shapely.length(lines[met[pair]]) - at)
    np.minimum.at(tail, met[pair], along)
    return tail


def _loops(lines: NDArray[np.object_], points: NDArray[np.object_]) -> NDArray[np.float64]:
    """(n,) length from the end to the first place where the line crosses itself, else infinite."""
    tail = np.full(len(lines), np.inf)
    crossing = np.flatnonzero(~shapely.is_simple(lines))
    if len(crossing):
        noded = shapely.node(shapely.force_2d(lines[crossing]))
        pieces, index = shapely.get_parts(noded, return_index=True)
        at_end = shapely.intersects(shapely.boundary(pieces), points[crossing[index]])
        tail[crossing[index[at_end]]] = shapely.length(pieces[at_end])
    return tail
