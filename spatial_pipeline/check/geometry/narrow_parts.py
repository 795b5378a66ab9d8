"""Parts of polygons that are narrower than a width, by their true inner width.

A point belongs to a wide part when a disc of that diameter inside the polygon covers it: the union
of all such discs is the morphological opening of the polygon (Serra, 1982: Image Analysis and
Mathematical Morphology, chapter 2), computed as erosion and dilation by buffers. What the opening
leaves out are the parts that no disc reaches:

- a **neck** has boundary on two or more sides, with the opening between them; its width is the
  least distance of two sides, which decides exactly;
- a **pinch** is a neck so short that discs of either side cover it but for a rest at a wall that
  is straight or bulges into the polygon; the distance to the nearest vertex across decides;
- a **gate** leaves no rest at all, because discs of either side cover it: it lies between two
  parts of the erosion, and the distance of two vertices that point at each other decides;
- a **dead end** has one stretch of boundary. Every convex corner leaves such a rest, so one that
  has a single vertex, or reaches no farther than half the width from the opening, is a corner;
- a polygon without an opening is narrow as a whole; the largest inscribed circle decides.

Most polygons are decided by their edges (``wide_polygons``), and most others by the stretches of
boundary that the opening leaves out, before the areas beside these are computed.

Buffers replace arcs by chords, so the opening is computed once a little too small, to find all
candidates, and for dead ends a second time a little too large, to drop those that are in doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.rounding import magnitudes
from spatial_pipeline.check.geometry.wide_polygons import surely_wide

SEGMENTS = 64
"""Chords of a quarter circle: an arc loses 1 − cos(π/256), less than 1e-4 of its radius."""
CHORD = 1e-4
MARGIN = 2 * CHORD
"""Share by which the opening is made too small or too large; larger than what chords lose."""
DECIDED = 1e-6
"""Share of the width within which a circle is found."""
SIDES = 32
"""Stretches of boundary of a polygon, at most, whose distances are looked at before the areas."""


@dataclass(frozen=True)
class NarrowParts:
    """Narrow parts of n polygons.

    Attributes:
        polygon: (k,) ascending index of the polygon.
        shape: (k,) the parts: polygons, for a pinch the shortest line across it.
        width: (k,) their widths: least distance of two sides of a neck or pinch, else the diameter
            of the largest circle in the part.

    """

    polygon: NDArray[np.int64]
    shape: NDArray[np.object_]
    width: NDArray[np.float64]


@dataclass(frozen=True)
class _Rests:
    """Remainder of polygons after the opening: k areas, and m stretches of boundary beside them.

    Attributes:
        polygon: (k,) index of the polygon of each area.
        area: (k,) areas.
        opening: (k,) opening of the polygon.
        side: (m,) stretches of the polygon's boundary.
        rest: (m,) index of the area that each stretch bounds.

    """

    polygon: NDArray[np.int64]
    area: NDArray[np.object_]
    opening: NDArray[np.object_]
    side: NDArray[np.object_]
    rest: NDArray[np.int64]


def narrow_parts(
    polygons: NDArray[np.object_], width: float, cancelled: Callable[[], None] = lambda: None
) -> NarrowParts:
    """The parts of polygons that are narrower than a width.

    Args:
        polygons: (n,) valid polygons of one part each, in the XY plane.
        width: units of the coordinates, above 0.
        cancelled: raises when the time is up.

    """
    doubtful = np.flatnonzero(~surely_wide(polygons, width))
    cancelled()
    found = by_opening(polygons[doubtful], width, cancelled)
    return replace(found, polygon=doubtful[found.polygon])


def by_opening(
    polygons: NDArray[np.object_], width: float, cancelled: Callable[[], None] = lambda: None
) -> NarrowParts:
    """The same by the opening of every polygon; see :func:`narrow_parts`."""
    radius = width / 2
    small = shapely.buffer(polygons, -radius * (1 + MARGIN), quad_segs=SEGMENTS)
    cancelled()
    none = shapely.is_empty(small)
    whole = np.flatnonzero(none)
    diameter = _diameters(polygons[whole], width)
    thin = diameter < width * (1 - DECIDED)
    rest = np.flatnonzero(~none)
    rests = _rests(polygons, rest, small[rest], radius)
    necks, doubtful = _necks(rests, width)
    cancelled()
    large = shapely.buffer(polygons[doubtful], -radius * (1 - MARGIN), quad_segs=SEGMENTS)
    pinches = _pinches(rests, polygons, width)
    polygon, shape, size = (np.concatenate(some) for some in zip(necks, pinches, strict=True))
    found = [
        (whole[thin], polygons[whole[thin]], diameter[thin]),
        (polygon, shape, size),
        _gates(polygons, small, (polygon, shape), width),
        _dead_ends(_rests(polygons, doubtful, large, radius), width),
    ]
    polygon, shape, size = (np.concatenate(some) for some in zip(*found, strict=True))
    order = np.argsort(polygon, kind="stable")
    return NarrowParts(polygon[order], shapely.normalize(shape[order]), size[order])


def _rests(
    polygons: NDArray[np.object_],
    chosen: NDArray[np.int64],
    eroded: NDArray[np.object_],
    radius: float,
) -> _Rests:
    """Parts of the chosen polygons outside the dilation of their erosion."""
    grown = radius * (1 + MARGIN) * (1 + 2 * CHORD) + 8 * np.spacing(magnitudes(polygons[chosen]))
    opening = shapely.buffer(eroded, grown, quad_segs=SEGMENTS)
    lines = shapely.difference(shapely.boundary(polygons[chosen]), opening)
    side, side_owner = shapely.get_parts(shapely.line_merge(lines), return_index=True)
    real = shapely.length(side) > 0
    side, side_owner = side[real], side_owner[real]
    suspect = np.zeros(len(chosen), dtype=bool)
    suspect[_suspects(side, side_owner, polygons[chosen], radius)] = True
    side, side_owner = side[suspect[side_owner]], side_owner[suspect[side_owner]]
    places = np.flatnonzero(suspect)
    area, owner = shapely.get_parts(
        shapely.difference(polygons[chosen[places]], opening[places]), return_index=True
    )
    owner = places[owner]
    areal = shapely.area(area) > 0
    area, owner = area[areal], owner[areal]
    middle = shapely.line_interpolate_point(side, 0.5, normalized=True)
    noise = 64 * np.spacing(magnitudes(side)) if len(side) else np.empty(0)
    near, place = shapely.STRtree(area).query(middle, predicate="dwithin", distance=noise)
    same = side_owner[near] == owner[place]
    near, place = near[same], place[same]
    gap = shapely.distance(middle[near], area[place])
    # The nearest area of several that meet at the middle of a stretch.
    order = np.lexsort([place, gap, near])
    near, place = near[order], place[order]
    first = np.diff(near, prepend=-1) > 0
    return _Rests(chosen[owner], area, opening[owner], side[near[first]], place[first])


def _suspects(
    side: NDArray[np.object_],
    owner: NDArray[np.int64],
    polygons: NDArray[np.object_],
    radius: float,
) -> NDArray[np.int64]:
    """Polygons that may have a neck, a pinch or a dead end, by their stretches of boundary alone.

    A neck has two stretches less than the width apart, a dead end has one with several vertices.
    """
    many = np.bincount(owner, minlength=len(polygons))[owner] > SIDES
    some = np.flatnonzero(~many)
    one, other = (some[pair] for pair in _pairs(owner[some]))
    near = shapely.dwithin(side[one], side[other], 2 * radius)
    deep = shapely.get_num_coordinates(side) > 3
    return np.concatenate([owner[one[near]], owner[many | deep | _walls(side, polygons[owner])]])


def _walls(side: NDArray[np.object_], polygons: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(m,) bool: stretches that are straight or bulge into their polygon."""
    first, last = (shapely.get_coordinates(shapely.get_point(side, i)) for i in (0, -1))
    chord = shapely.points((first + last) / 2)
    straight = shapely.get_num_coordinates(side) == 2
    return np.asarray(straight | ~shapely.intersects(polygons, chord))


_Found = tuple[NDArray[np.int64], NDArray[np.object_], NDArray[np.float64]]


def _necks(rests: _Rests, width: float) -> tuple[_Found, NDArray[np.int64]]:
    """Necks narrower than the width; and the polygons that may have narrow dead ends."""
    one, other = _pairs(rests.rest)
    least = np.full(len(rests.area), np.inf)
    np.minimum.at(least, rests.rest[one], shapely.distance(rests.side[one], rests.side[other]))
    neck = np.isfinite(least)
    narrow = np.flatnonzero(_below(least, rests.area, width))
    ends = _deep(rests, width) & ~neck
    return (
        (rests.polygon[narrow], rests.area[narrow], least[narrow]),
        np.unique(rests.polygon[ends]),
    )


def _pinches(rests: _Rests, polygons: NDArray[np.object_], width: float) -> _Found:
    """Shortest lines across pinches, from a wall that no disc touches to the nearest vertex."""
    sides = np.bincount(rests.rest, minlength=len(rests.area))
    owner = rests.polygon[rests.rest]
    wall = np.flatnonzero((sides[rests.rest] == 1) & _walls(rests.side, polygons[owner]))
    several = np.unique(owner[wall])
    points, place = shapely.get_coordinates(polygons[several], return_index=True)
    vertex = shapely.points(points)
    near, one = shapely.STRtree(rests.side[wall]).query(vertex, predicate="dwithin", distance=width)
    same = several[place[near]] == owner[wall[one]]
    near, one = near[same], wall[one[same]]
    link = shapely.shortest_line(rests.side[one], vertex[near])
    length = shapely.length(link)
    middle = shapely.line_interpolate_point(link, 0.5, normalized=True)
    # A line along the wall is no line across.
    shape = polygons[owner[one]]
    across = shapely.intersects(shape, middle)
    across &= shapely.distance(shapely.boundary(shape), middle) > width * DECIDED
    kept = np.flatnonzero(across & _below(length, rests.area[rests.rest[one]], width))
    kept = kept[np.lexsort([length[kept], one[kept]])]
    kept = kept[np.diff(one[kept], prepend=-1) > 0]
    # Two walls across from each other have one line.
    names = shapely.to_wkb(shapely.normalize(link[kept]))
    kept = kept[np.unique(names, return_index=True)[1]] if len(kept) else kept
    return owner[one[kept]], link[kept], length[kept]


def _gates(
    polygons: NDArray[np.object_],
    eroded: NDArray[np.object_],
    known: tuple[NDArray[np.int64], NDArray[np.object_]],
    width: float,
) -> _Found:
    """Shortest lines across gates, between two reflex vertices, beside no neck that is known.

    Args:
        polygons: (n,) polygons.
        eroded: (n,) their erosions.
        known: index of the polygon and shape of each neck and pinch.
        width: the width.

    """
    several = np.flatnonzero(shapely.get_num_geometries(eroded) > 1)
    pieces, piece_of = shapely.get_parts(eroded[several], return_index=True)
    points, place = _reflex(polygons[several])
    one, other = shapely.STRtree(points).query(points, predicate="dwithin", distance=width)
    pair = (one < other) & (place[one] == place[other])
    one, other = one[pair], other[pair]
    link = shapely.shortest_line(points[one], points[other])
    owner, length = several[place[one]], shapely.length(link)
    middle = shapely.line_interpolate_point(link, 0.5, normalized=True)
    kept = shapely.covers(polygons[owner], link) & _below(length, link, width)
    kept &= shapely.distance(shapely.boundary(polygons[owner]), middle) > width * DECIDED
    near, shape = shapely.STRtree(known[1]).query(link, predicate="dwithin", distance=width / 2)
    kept[near[owner[near] == known[0][shape]]] = False
    place, reach = place[one], width / 2 * (1 + 2 * MARGIN)
    line, piece = shapely.STRtree(pieces).query(middle, predicate="dwithin", distance=reach)
    beside = kept[line] & (place[line] == piece_of[piece])
    line, piece = line[beside], piece[beside]
    first, last = np.full(len(link), len(pieces)), np.full(len(link), -1)
    np.minimum.at(first, line, piece)
    np.maximum.at(last, line, piece)
    between = np.flatnonzero(last > first)
    between = between[np.lexsort([length[between], last[between], first[between]])]
    # Of several lines between the same parts, the shortest is the width.
    new = np.diff(first[between], prepend=-1) != 0
    new |= np.diff(last[between], prepend=-1) != 0
    between = between[new]
    return owner[between], link[between], length[between]


def _reflex(polygons: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Vertices at which polygons are wider than half a turn, and the index of the polygon."""
    rings, polygon = shapely.get_rings(shapely.orient_polygons(polygons), return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    # A ring ends with its first vertex, whose neighbours are the second and the last but one.
    begin = np.searchsorted(ring, ring)
    end = np.searchsorted(ring, ring, side="right") - 1
    at = np.arange(len(ring))
    inner = at < end
    before, after = np.where(at > begin, at - 1, end - 1)[inner], (at + 1)[inner]
    (ax, ay), (bx, by) = (xy[inner] - xy[before]).T, (xy[after] - xy[inner]).T
    reflex = ax * by - ay * bx < 0
    return shapely.points(xy[inner][reflex]), polygon[ring[inner][reflex]]


def _below(size: NDArray[np.float64], area: NDArray[np.object_], width: float) -> NDArray[np.bool_]:
    """(n,) bool: widths at (n,) places that are below the limit by more than rounding."""
    noise = 64 * np.spacing(magnitudes(area)) if len(area) else 0.0
    return np.asarray(size < width - noise)


def _dead_ends(rests: _Rests, width: float) -> _Found:
    """Dead ends; those with boundary on several sides are necks, which are known."""
    sides = np.bincount(rests.rest, minlength=len(rests.area))
    found = np.flatnonzero(_deep(rests, width) & (sides == 1))
    area = rests.area[found]
    return rests.polygon[found], area, _diameters(area, width)


def _deep(rests: _Rests, width: float) -> NDArray[np.bool_]:
    """(k,) bool: areas with several vertices, that reach farther than a corner may."""
    inner = shapely.get_num_coordinates(rests.side) - 2
    vertices = np.bincount(rests.rest, np.maximum(inner, 0), len(rests.area))
    several = np.flatnonzero((vertices > 1)[rests.rest])
    points, owner = shapely.get_coordinates(rests.side[several], return_index=True)
    rest = rests.rest[several[owner]]
    depth = np.zeros(len(rests.area))
    np.maximum.at(depth, rest, shapely.distance(shapely.points(points), rests.opening[rest]))
    return np.asarray(depth > width / 2)


def _pairs(group: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of members of the same group, the first one before the second one."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    last = np.searchsorted(ordered, ordered, side="right")
    count = last - np.arange(len(group)) - 1
    one = np.repeat(np.arange(len(group)), count)
    ahead = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
    return order[one], order[one + 1 + ahead]


def _diameters(polygons: NDArray[np.object_], width: float) -> NDArray[np.float64]:
    """(n,) diameters of the largest circles in polygons."""
    circles = shapely.maximum_inscribed_circle(polygons, width * DECIDED / 4)
    return np.asarray(2 * shapely.length(circles))


__all__ = ["NarrowParts", "by_opening", "narrow_parts"]
