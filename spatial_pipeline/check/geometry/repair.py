"""Proposals for the repair of single geometries: arrays in, arrays out, nothing applied.

Shapely does what it can: ``remove_repeated_points``, ``make_valid`` (the method of structure: holes
stay holes, shells are united) and ``orient_polygons``, see https://shapely.readthedocs.io.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

Shapes = NDArray[np.object_]
ROUNDS = 8
"""Removing a spike may make another one; so often it is tried again."""
POLYGON, MULTI = 3, 4


def without_repeated_points(geometry: Shapes, within: float) -> Shapes:
    """(n,) geometries without vertices at, or within a distance of, the one before them."""
    return np.asarray(shapely.remove_repeated_points(geometry, tolerance=within), dtype=object)


def made_valid(geometry: Shapes) -> Shapes:
    """(n,) valid geometries; lower-dimensional remains of collapsed parts are left out."""
    out = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    return np.asarray(out, dtype=object)


def oriented(geometry: Shapes, *, clockwise: bool) -> Shapes:
    """(n,) geometries whose shells turn one way and whose holes the other."""
    return np.asarray(shapely.orient_polygons(geometry, exterior_cw=clockwise), dtype=object)


def without_spikes(geometry: Shapes, min_angle: float) -> Shapes:
    """(n,) lines and polygons without vertices at which they turn back sharper than an angle.

    Of neighbouring spikes the first goes, and then the rest is looked at again. Ends of lines stay;
    rings that collapse are dropped, with their polygon when they are its shell.

    Args:
        geometry: (n,) lines, polygons and their Multi forms; others are returned as they are.
        min_angle: smallest angle between neighbouring segments, in degrees.

    """
    out = geometry.copy()
    for with_z in (False, True):
        some = np.flatnonzero(_paths(geometry) & (shapely.has_z(geometry) == with_z))
        for _ in range(ROUNDS):
            if not len(some):
                break
            before = out[some]
            after = _once(before, min_angle, with_z)
            changed = ~shapely.equals_exact(after, before, 0.0)
            out[some] = after
            some = some[changed & ~shapely.is_empty(after)]
    return out


def with_ends_moved(
    lines: Shapes, at_start: NDArray[np.bool_], to: Shapes, cut: NDArray[np.float64]
) -> Shapes:
    """(n,) lines with one end at another place.

    Args:
        lines: (n,) LineStrings.
        at_start: (n,) whether the first or the last vertex moves.
        to: (n,) points; None to shorten the line along itself instead.
        cut: (n,) length to shorten by, where ``to`` is None.

    """
    extend = ~shapely.is_missing(to)
    length = shapely.length(lines)
    kept = np.where(extend, length, np.maximum(length - cut, 0.0))
    # Everything is said from the end that stays.
    turned = np.where(at_start, shapely.reverse(lines), lines)
    xy, line = shapely.get_coordinates(turned, include_z=False, return_index=True)
    step = np.hypot(*np.diff(xy, axis=0, prepend=xy[:1]).T)
    first = np.append(True, line[1:] != line[:-1])[: len(line)]
    step[first] = 0.0
    run = np.cumsum(step)
    run -= run[first][line]
    inside = run < kept[line] * (1 - 1e-12)
    inside |= extend[line] & (run <= kept[line] * (1 + 1e-12))
    inside |= first
    ends = np.where(extend, to, shapely.line_interpolate_point(turned, kept))
    places = shapely.get_coordinates(ends)
    every = np.concatenate([xy[inside], places])
    owner = np.concatenate([line[inside], np.arange(len(lines))])
    order = np.argsort(owner, kind="stable")
    made = shapely.linestrings(every[order], indices=owner[order])
    return np.asarray(np.where(at_start, shapely.reverse(made), made), dtype=object)


def longest_border(gaps: Shapes, neighbours: Shapes, gap: NDArray[np.int64]) -> NDArray[np.int64]:
    """(g,) index of the neighbour with which each gap shares the longest border; -1 for none.

    Args:
        gaps: (g,) polygons.
        neighbours: (m,) polygons beside them.
        gap: (m,) ascending index of the gap that each of them is beside.

    """
    shared = shapely.intersection(shapely.boundary(gaps[gap]), shapely.boundary(neighbours))
    length = shapely.length(shared)
    best = np.full(len(gaps), -1, dtype=np.int64)
    order = np.lexsort((-np.arange(len(gap)), length, gap))
    last = np.append(np.diff(gap[order]) != 0, True)[: len(order)]
    chosen = order[last]
    best[gap[chosen]] = chosen
    return best


def _paths(geometry: Shapes) -> NDArray[np.bool_]:
    """(n,) bool: lines, polygons, and several of them."""
    there = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    return np.asarray(
        there & np.isin(shapely.get_type_id(geometry), (1, POLYGON, 5, 6)), dtype=bool
    )


def _once(geometry: Shapes, min_angle: float, with_z: bool) -> Shapes:
    """One round of removing spikes from non-empty lines or polygons."""
    out = np.full(len(geometry), None, dtype=object)
    areal = np.isin(shapely.get_type_id(geometry), (POLYGON, 6))
    for polygons in (False, True):
        which = np.flatnonzero(areal == polygons)
        if not len(which):
            continue
        parts, owner = shapely.get_parts(geometry[which], return_index=True)
        paths, part = (
            shapely.get_rings(parts, return_index=True)
            if polygons
            else (parts, np.arange(len(parts)))
        )
        paths = _without_sharp(paths, polygons, min_angle, with_z)
        made = _polygons(paths, part, len(parts)) if polygons else paths
        there = ~shapely.is_missing(made)
        if not there.any():
            continue
        multi = shapely.get_type_id(geometry[which]) > MULTI
        join = shapely.multipolygons if polygons else shapely.multilinestrings
        several = join(made[there], indices=owner[there], out=np.full(len(which), None, object))
        single = np.full(len(which), None, dtype=object)
        single[owner[there]] = made[there]
        out[which] = np.where(multi, several, single)
    empty = shapely.is_missing(out)
    out[empty] = shapely.from_wkt("GEOMETRYCOLLECTION EMPTY")
    return out


def _polygons(rings: Shapes, part: NDArray[np.int64], count: int) -> Shapes:
    """(count,) polygons of rings, the first of each the shell; None where the shell is gone."""
    shell = np.append(True, part[1:] != part[:-1])[: len(part)]
    there = ~shapely.is_missing(rings)
    whole = np.zeros(count, dtype=bool)
    whole[part[shell & there]] = True
    kept = there & whole[part]
    out = np.full(count, None, dtype=object)
    if kept.any():
        shapely.polygons(rings[kept], indices=part[kept], out=out)
    return out


def _without_sharp(paths: Shapes, closed: bool, min_angle: float, with_z: bool) -> Shapes:
    """(p,) lines or rings without the first of neighbouring sharp vertices; None if collapsed."""
    xyz, path = shapely.get_coordinates(paths, include_z=with_z, return_index=True)
    new = np.append(True, (np.diff(xyz[:, :2], axis=0) != 0).any(axis=1) | (np.diff(path) != 0))
    if closed:
        # A ring of one point keeps its end, which goes below.
        new |= np.append(path[1:] != path[:-1], True)
    xyz, path = xyz[new[: len(path)]], path[new[: len(path)]]
    if closed:
        # The last vertex of a ring is its first one again.
        last = np.append(path[1:] != path[:-1], True)[: len(path)]
        xyz, path = xyz[~last], path[~last]
    start = np.searchsorted(path, path)
    size = np.bincount(path, minlength=len(paths))[path]
    number = np.arange(len(path)) - start
    before = xyz[start + (number - 1) % size, :2] - xyz[:, :2]
    after = xyz[start + (number + 1) % size, :2] - xyz[:, :2]
    across = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    angle = np.degrees(np.arctan2(np.abs(across), (before * after).sum(axis=1)))
    sharp = angle < min_angle
    if not closed:
        sharp &= (number > 0) & (number < size - 1)
    # Of a run of sharp vertices only every other one goes.
    run = np.arange(len(sharp)) - np.maximum.accumulate(np.where(sharp, -1, np.arange(len(sharp))))
    sharp &= run % 2 == 1
    kept = ~sharp
    fewest = 3 if closed else 2
    enough = np.bincount(path[kept], minlength=len(paths)) >= fewest
    kept &= enough[path]
    out = np.full(len(paths), None, dtype=object)
    make = shapely.linearrings if closed else shapely.linestrings
    if kept.any():
        make(xyz[kept], indices=path[kept], out=out)
    return out


__all__ = [
    "longest_border",
    "made_valid",
    "oriented",
    "with_ends_moved",
    "without_repeated_points",
    "without_spikes",
]
