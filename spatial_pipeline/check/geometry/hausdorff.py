"""Hausdorff distance test: whether two geometries lie within a tolerance of each other.

The distance is Hausdorff's, of points, lines and boundaries: no point of either geometry is farther
from the other than the tolerance. GEOS's ``hausdorff_distance`` compares vertices only, so it never
exceeds the true distance and can miss it altogether: it is 0 for two polygons that join the same
vertices in different order. Here the vertices are used to reject; the remaining pairs are decided
on whole segments. The points of a segment that are within the tolerance of another segment are an
interval (both are convex), so a geometry is near when such intervals cover all its segments.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.eligible import POLYGON, of_dimension
from spatial_pipeline.check.geometry.rounding import noise
from spatial_pipeline.check.geometry.segments import SHELL, Paths, Segments

COMBINATIONS = 1 << 20
"""Pairs of segments compared at once."""

SAMPLES = 9
"""Points of an uncovered stretch at which its distance is measured."""


def hausdorff(
    here: NDArray[np.object_],
    there: NDArray[np.object_],
    tolerance: float,
    cancelled: Callable[[], None] = lambda: None,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Tests which of n pairs of geometries are within a tolerance, and measures the others.

    Polygons are within it when their boundaries are, and when no circle of that radius fits between
    them (boundaries alone cannot distinguish a hole from an island in it). Points, lines and
    polygons are never within a tolerance of each other.

    Args:
        here: (n,) geometries with finite coordinates, none of them null or empty; compared in the
            XY plane.
        there: (n,) likewise.
        tolerance: distance in the units of the coordinates.
        cancelled: raises when the time is up.

    Returns:
        (n,) bool, and (n,) distances: 0 for pairs within the tolerance, else the largest distance
        found. It is exact when a vertex attains it, and otherwise a lower bound.

    """
    here, there = shapely.force_2d(here), shapely.force_2d(there)
    near = np.zeros(len(here), dtype=bool)
    apart = np.zeros(len(here))
    left = np.arange(len(here))
    for form in (lambda g: g, shapely.normalize):
        found = corresponding(form(here[left]), form(there[left]), tolerance)
        near[left[found]] = True
        left = left[~found]
    cancelled()
    apart[left] = _between_vertices(here[left], there[left])
    left = left[apart[left] <= tolerance]
    cancelled()
    ours, theirs = Paths.of(here[left]), Paths.of(there[left])
    gaps = np.maximum(
        _uncovered(ours, theirs, len(left), tolerance, cancelled),
        _uncovered(theirs, ours, len(left), tolerance, cancelled),
    )
    apart[left] = np.maximum(apart[left], gaps)
    alike = (_dimensions(ours, len(left)) == _dimensions(theirs, len(left))).all(axis=1)
    left = left[(gaps == 0) & alike]
    disc = _inner_discs(here[left], there[left], tolerance)
    near[left[disc == 0]] = True
    apart[left] = np.maximum(apart[left], disc)
    apart[near] = 0.0
    return near, apart


def corresponding(
    here: NDArray[np.object_], there: NDArray[np.object_], tolerance: float
) -> NDArray[np.bool_]:
    """(n,) bool: pairs of the same structure whose vertices, in order, are within a tolerance.

    Then all points between them are, too: the distance between points that move along two segments
    at the same rate is largest at the ends.
    """
    ours, theirs = Paths.of(here), Paths.of(there)
    n = len(here)
    counts = np.bincount(ours.owner, minlength=n)
    same: NDArray[np.bool_] = counts == np.bincount(theirs.owner, minlength=n)
    p, q = (np.flatnonzero(same[x.owner]) for x in (ours, theirs))
    unlike = (ours.size[p] != theirs.size[q]) | (ours.kind[p] != theirs.kind[q])
    same[ours.owner[p[unlike]]] = False
    owners = [np.repeat(x.owner, x.size) for x in (ours, theirs)]
    kept = [same[o] for o in owners]
    gap = np.hypot(*(ours.xy[kept[0]] - theirs.xy[kept[1]]).T)
    same[owners[0][kept[0]][gap > tolerance]] = False
    return same


def _dimensions(paths: Paths, n: int) -> NDArray[np.bool_]:
    """(n, 3) bool: geometries that hold points, lines, polygons."""
    out = np.zeros((n, 3), dtype=bool)
    out[paths.owner, np.minimum(paths.kind, SHELL)] = True
    return out


def _between_vertices(here: NDArray[np.object_], there: NDArray[np.object_]) -> NDArray[np.float64]:
    """(n,) largest distance of a vertex of either geometry from the other geometry."""
    work = shapely.get_num_coordinates(here).astype(np.int64) * shapely.get_num_coordinates(there)
    out = np.zeros(len(here))
    small = work <= COMBINATIONS
    out[small] = shapely.hausdorff_distance(here[small], there[small])
    for i in np.flatnonzero(~small):
        # GEOS compares every vertex with every segment.
        paths = Paths.of(here[i : i + 1]), Paths.of(there[i : i + 1])
        ours, theirs = (_lines(Segments.of(p)) for p in paths)
        out[i] = max(_farthest(paths[0].xy, theirs), _farthest(paths[1].xy, ours))
    return out


def _lines(segments: Segments) -> NDArray[np.object_]:
    ends = np.stack([segments.start, segments.end], axis=1)
    return np.asarray(shapely.linestrings(ends), dtype=object)


def _farthest(points: NDArray[np.float64], segments: NDArray[np.object_]) -> float:
    """Largest distance of a point from the nearest of the segments."""
    tree = shapely.STRtree(segments)
    found = tree.query_nearest(shapely.points(points), return_distance=True, all_matches=False)
    return float(found[1].max(initial=0.0))


def _uncovered(
    ours: Paths, theirs: Paths, n: int, tolerance: float, cancelled: Callable[[], None]
) -> NDArray[np.float64]:
    """(n,) largest distance found of stretches farther than the tolerance from the other geometry.

    Zero where there are none. Vertices are known to be within the tolerance.
    """
    a, b = Segments.of(ours), Segments.of(theirs)
    out = np.zeros(n)
    edges = [np.searchsorted(s.owner, np.arange(n + 1)) for s in (a, b)]
    work = np.cumsum(np.append(0, np.diff(edges[0]) * np.diff(edges[1])))
    begin = 0
    while begin < n:
        cancelled()
        end = max(begin + 1, int(np.searchsorted(work, work[begin] + COMBINATIONS, "right")) - 1)
        p = a.take(slice(edges[0][begin], edges[0][end]))
        q = b.take(slice(edges[1][begin], edges[1][end]))
        if work[end] - work[begin] > COMBINATIONS:
            i, j = _close(p, q, tolerance)
        else:
            i, j = _combinations(p.owner - begin, q.owner - begin, end - begin)
        segment, low, high = _gaps(p, q, i, j, tolerance)
        for owner in np.unique(p.owner[segment]):
            inside = p.owner[segment] == owner
            points = _along(p.take(segment[inside]), low[inside], high[inside])
            out[owner] = _farthest(points, _lines(q.take(q.owner == owner)))
        begin = end
    return out


def _combinations(
    p: NDArray[np.int64], q: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index pairs of all segments of the same owner; both owners ascend from 0 to n - 1."""
    theirs = np.bincount(q, minlength=n)
    count = theirs[p]
    i = np.repeat(np.arange(len(p)), count)
    first = (np.cumsum(theirs) - theirs)[p]
    j = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    return i, j


def _close(
    p: Segments, q: Segments, tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index pairs of segments whose boxes are within the tolerance, of one geometry each."""
    low, high = np.minimum(p.start, p.end), np.maximum(p.start, p.end)
    reach = tolerance + _rounding(p)
    boxes = shapely.box(*(low - reach[:, None]).T, *(high + reach[:, None]).T)
    i, j = shapely.STRtree(_lines(q)).query(boxes)
    return i, j


def _rounding(segments: Segments) -> NDArray[np.float64]:
    """(s,) distances that rounding alone can cause."""
    largest = np.maximum(np.abs(segments.start), np.abs(segments.end)).max(axis=1)
    return np.asarray(8 * np.spacing(largest), dtype=np.float64)


def _gaps(
    a: Segments, b: Segments, i: NDArray[np.int64], j: NDArray[np.int64], tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Stretches of segments ``a`` that no segment ``b`` of the pairs (i, j) is near to.

    Returns:
        The segment of each stretch, and where along it the stretch begins and ends.

    """
    length = np.hypot(*(a.end - a.start).T)
    slack = _rounding(a)
    low, high = _near(a.take(i), b.take(j), length[i], tolerance + slack[i])
    kept = low <= high
    # The stretches before and behind a segment count as covered.
    every = np.arange(len(length))
    segment = np.concatenate([every, i[kept], every])
    low = np.concatenate([np.full(len(length), -1.0), low[kept], length])
    high = np.concatenate([np.zeros(len(length)), high[kept], length])
    order = np.lexsort((low, segment))
    segment, low, high = segment[order], low[order], high[order]
    reach = _running_maximum(high, segment)
    gap = np.flatnonzero(
        (segment[1:] == segment[:-1])
        & (low[1:] - reach[:-1] > slack[segment[1:]] + 1e-9 * tolerance)
    )
    # A point has no stretch: the vertex test has decided it.
    gap = gap[length[segment[gap]] > 0]
    return segment[gap], reach[gap], low[gap + 1]


def _running_maximum(values: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) largest value so far in each run of equal groups."""
    rank = np.empty(len(values), dtype=np.int64)
    order = np.argsort(values, kind="stable")
    rank[order] = np.arange(len(values))
    highest = np.maximum.accumulate(rank + group * len(values)) - group * len(values)
    return np.asarray(values[order[highest]], dtype=np.float64)


def _near(
    a: Segments, b: Segments, length: NDArray[np.float64], reach: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of each segment ``a`` whose distance from segment ``b`` is at most ``reach``.

    The points within a distance of a segment are two discs and the rectangle between them.

    Returns:
        Begin and end of that interval, begin > end where it is empty.

    """
    with np.errstate(divide="ignore", invalid="ignore"):
        along = np.where(length[:, None] > 0, (a.end - a.start) / length[:, None], 0.0)
        span = np.hypot(*(b.end - b.start).T)
        axis = np.where(span[:, None] > 0, (b.end - b.start) / span[:, None], 0.0)
    low, high = np.full(len(length), np.inf), np.full(len(length), -np.inf)
    for centre in (b.start, b.end):
        offset = centre - a.start
        middle, aside = _dot(offset, along), _cross(along, offset)
        half = np.sqrt(np.maximum(reach**2 - aside**2, 0.0))
        hit = np.abs(aside) <= reach
        low = np.where(hit, np.minimum(low, middle - half), low)
        high = np.where(hit, np.maximum(high, middle + half), high)
    offset = a.start - b.start
    first = _slab(_dot(offset, axis), _dot(along, axis), np.zeros(len(span)), span)
    second = _slab(_cross(axis, offset), _cross(axis, along), -reach, reach)
    begin, end = np.maximum(first[0], second[0]), np.minimum(first[1], second[1])
    hit = (begin <= end) & (span > 0)
    low = np.where(hit, np.minimum(low, begin), low)
    high = np.where(hit, np.maximum(high, end), high)
    return np.maximum(low, 0.0), np.minimum(high, length)


def _slab(
    at: NDArray[np.float64],
    slope: NDArray[np.float64],
    least: NDArray[np.float64],
    most: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of s with ``least <= at + s * slope <= most``, as begin and end."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (least - at) / slope, (most - at) / slope
    level = slope == 0
    inside = (least <= at) & (at <= most)
    low = np.where(level, np.where(inside, -np.inf, np.inf), np.minimum(one, two))
    high = np.where(level, np.where(inside, np.inf, -np.inf), np.maximum(one, two))
    return low, high


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1])


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _along(
    segments: Segments, low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(k, 2) points of the stretches between two distances along segments."""
    length = np.hypot(*(segments.end - segments.start).T)
    steps = (np.arange(SAMPLES) + 0.5) / SAMPLES
    share = (low[:, None] + steps * (high - low)[:, None]) / length[:, None]
    way = (segments.end - segments.start)[:, None, :]
    return np.asarray((segments.start[:, None, :] + share[:, :, None] * way).reshape(-1, 2))


def _inner_discs(
    here: NDArray[np.object_], there: NDArray[np.object_], tolerance: float
) -> NDArray[np.float64]:
    """(n,) radius of a circle larger than the tolerance between two polygons, 0 without one."""
    out = np.zeros(len(here))
    ours, theirs = (_made_valid(of_dimension(g, POLYGON)) for g in (here, there))
    both = np.flatnonzero(~shapely.is_missing(ours) & ~shapely.is_missing(theirs))
    between = shapely.symmetric_difference(ours[both], theirs[both])
    parts, index = shapely.get_parts(between, return_index=True)
    areal = shapely.area(parts) > noise(parts)
    parts, index = parts[areal], index[areal]
    thick = ~shapely.is_empty(shapely.buffer(parts, -tolerance)) if tolerance else areal[areal]
    parts, index = parts[thick], index[thick]
    radius = shapely.length(shapely.maximum_inscribed_circle(parts))
    np.maximum.at(out, both[index], np.maximum(radius, np.nextafter(tolerance, np.inf)))
    return out


def _made_valid(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    invalid = ~shapely.is_missing(polygons) & ~shapely.is_valid(polygons)
    polygons[invalid] = of_dimension(shapely.make_valid(polygons[invalid]), POLYGON)
    return polygons


__all__ = ["corresponding", "hausdorff"]
