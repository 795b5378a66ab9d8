"""Polygons that surely have no part narrower than a width, decided by their edges alone.

A disc rolls along the boundary of such a polygon, inside it, and touches all of it but for the
corners. Three conditions on the edges are sufficient:

- every edge is longer than what the discs in the two corners at its ends leave untouched: the
  radius times the tangent of half the exterior angle, for a convex corner;
- two edges that the boundary joins without turning by more than a right angle in between can't
  reach into each other's discs: with the first condition the boundary turns no faster towards the
  disc than the disc itself (Blaschke's rolling theorem, for curves of bounded turning);
- any other two edges that do not share a corner are at least a diameter apart.

The discs are a little larger than asked, so that neither rounding nor the chords of a buffer
matter. Nothing is said of polygons that fail a condition: most smooth ones and most buildings pass.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.rounding import magnitudes

LARGER = 1.01
"""Discs are larger by this factor than those of the width."""
SHARPEST = 10.0
"""Largest tangent of half an exterior angle."""
ACUTE = np.radians(110)
"""Exterior angle of a corner beside which no vertex may be shallow: sharper ones reach far."""
SHALLOW = 0.015
"""Share of the radius: GEOS drops shallower vertices (a hundredth) before it makes a buffer."""
STRAIGHT = 1e-5
"""Share of the radius by which a vertex may lie beside the line through its neighbours."""
RIGHT = np.pi / 2 * (1 - 1e-6)
LARGEST = 512
"""Edges of a ring, at most: all pairs of edges are looked at."""
RINGS = 32
"""Rings of a polygon, at most: all pairs of rings are looked at."""
AT_ONCE = 1 << 14
"""Edges whose arrays fit the processor's cache."""
COARSE = 1e7
"""Radius in units of the rounding of coordinates, at least."""


def surely_wide(polygons: NDArray[np.object_], width: float) -> NDArray[np.bool_]:
    """(n,) bool: polygons in which no part is narrower than a width, as far as edges tell.

    Args:
        polygons: (n,) valid polygons of one part each, none empty, in the XY plane.
        width: units of the coordinates, above 0.

    """
    wide = _wide(polygons, width)
    doubtful = np.flatnonzero(~wide)
    # Vertices on a straight edge make short edges of a long one.
    straight = shapely.simplify(polygons[doubtful], STRAIGHT * width / 2, preserve_topology=False)
    fewer = shapely.get_num_coordinates(straight) < shapely.get_num_coordinates(polygons[doubtful])
    fewer &= shapely.get_type_id(straight) == shapely.GeometryType.POLYGON
    fewer &= ~shapely.is_empty(straight)
    wide[doubtful[fewer]] = _wide(straight[fewer], width, sharp=False)
    return wide


def _wide(polygons: NDArray[np.object_], width: float, *, sharp: bool = True) -> NDArray[np.bool_]:
    """(n,) bool: the same by their edges as they are; sharp corners may be excluded."""
    if not len(polygons):
        return np.zeros(0, dtype=bool)
    radius = width / 2 * LARGER
    rings, owner = shapely.get_rings(polygons, return_index=True)
    count = np.bincount(owner, minlength=len(polygons))
    size = shapely.get_num_coordinates(rings) - 1
    fine = width > COARSE * np.spacing(magnitudes(polygons))
    wide: NDArray[np.bool_] = fine & (count <= RINGS)
    wide[owner[size > LARGEST]] = False
    shell = np.diff(owner, prepend=-1) > 0
    for edges in np.unique(size[wide[owner]]).tolist():
        alike = np.flatnonzero((size == edges) & wide[owner])
        step = max(1, AT_ONCE // edges)
        for begin in range(0, len(alike), step):
            some = alike[begin : begin + step]
            xy = shapely.get_coordinates(rings[some]).reshape(-1, edges + 1, 2)
            wide[owner[some[~_rolls(xy, shell[some], radius, sharp=sharp)]]] = False
    _apart(rings, owner, 2 * radius, wide)
    return wide


def _rolls(
    xy: NDArray[np.float64], shell: NDArray[np.bool_], radius: float, *, sharp: bool
) -> NDArray[np.bool_]:
    """(m,) bool: rings along which a disc rolls, inside a shell or outside a hole.

    Args:
        xy: (m, e + 1, 2) closed rings of e edges.
        shell: (m,) bool: shells.
        radius: of the disc.
        sharp: sharp corners are allowed; not where vertices beside them were left out.

    """
    x, y = (np.ascontiguousarray(xy[:, :-1, i]) for i in (0, 1))
    dx, dy = np.diff(xy[..., 0]), np.diff(xy[..., 1])
    length = np.hypot(dx, dy)
    # Relative coordinates: products of large ones lose the area.
    turned = ((x - x[:, :1]) * dy - (y - y[:, :1]) * dx).sum(axis=1) > 0
    left = np.where(turned == shell, 1.0, -1.0)[:, np.newaxis]
    before_x, before_y, before = (np.roll(d, 1, axis=1) for d in (dx, dy, length))
    cross = (before_x * dy - before_y * dx) * left
    dot = before_x * dx + before_y * dy
    with np.errstate(divide="ignore", invalid="ignore"):
        tangent = np.maximum(cross, 0.0) / (before * length + dot)
        depth = cross / np.hypot(before_x + dx, before_y + dy)
    turn = np.arctan2(cross, dot)
    untouched = radius * (tangent + np.roll(tangent, -1, axis=1))
    fits = (length > untouched) & (tangent < SHARPEST)
    good: NDArray[np.bool_] = np.asarray(fits.all(axis=1), dtype=bool)
    acute = np.flatnonzero(good & (turn > ACUTE).any(axis=1))
    shallow = (depth[acute] > -STRAIGHT * radius) & (depth[acute] < SHALLOW * radius)
    shallow |= not sharp
    for away in (-2, -1, 1, 2):
        beside = (turn[acute] > ACUTE) & np.roll(shallow, away, axis=1)
        good[acute[beside.any(axis=1)]] = False
    kept = np.flatnonzero(good)
    if len(kept):
        ends = np.stack([x, y, x + dx, y + dy])[:, kept]
        good[kept] = _clear(ends, turn[kept], 2 * radius)
    return good


def _clear(ends: NDArray[np.float64], turn: NDArray[np.float64], reach: float) -> NDArray[np.bool_]:
    """(m,) bool: rings whose edges are ``reach`` apart but where the boundary is nearly straight.

    Args:
        ends: (4, m, e) x and y of the start and the end of each edge.
        turn: (m, e) angle by which the boundary turns at the start of each edge.
        reach: least distance.

    """
    edges = turn.shape[1]
    good = np.ones(len(turn), dtype=bool)
    low, high = np.minimum(ends[:2], ends[2:]), np.maximum(ends[:2], ends[2:]) + reach
    # Twice around, so that the edges that follow are a view.
    low, high, again, turns = (np.concatenate([a, a], axis=-1) for a in (low, high, ends, turn))
    direction = turns[:, 1 : 1 + edges].copy()
    most, least = np.maximum(direction, 0.0), np.minimum(direction, 0.0)
    for k in range(2, edges // 2 + 1):
        direction += turns[:, k : k + edges]
        np.maximum(most, direction, out=most)
        np.minimum(least, direction, out=least)
        doubt = most - least > RIGHT
        for i in (0, 1):
            doubt &= low[i, :, k : k + edges] <= high[i, :, :edges]
            doubt &= low[i, :, :edges] <= high[i, :, k : k + edges]
        ring, edge = np.nonzero(doubt)
        near = _distance(again[:, ring, edge], again[:, ring, edge + k]) < reach
        good[ring[near]] = False
    return good


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) distances of pairs of (4, k) segments that do not cross."""
    ends = [
        _to_segment(point, segment)
        for points, segment in ((one, other), (other, one))
        for point in (points[:2], points[2:])
    ]
    return np.asarray(np.sqrt(np.minimum.reduce(ends)))


def _to_segment(point: NDArray[np.float64], segment: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) squared distances of (2, k) points from (4, k) segments of some length."""
    (dx, dy), (px, py) = segment[2:] - segment[:2], point - segment[:2]
    place = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0.0, 1.0)
    return np.asarray((px - place * dx) ** 2 + (py - place * dy) ** 2)


def _apart(
    rings: NDArray[np.object_], owner: NDArray[np.int64], reach: float, wide: NDArray[np.bool_]
) -> None:
    """Clears the polygons that have two rings nearer to each other than ``reach``."""
    count = np.bincount(owner, minlength=len(wide))
    asked = np.flatnonzero((count > 1)[owner] & wide[owner])
    for k in range(1, RINGS):
        one, other = asked[:-k], asked[k:]
        same = owner[one] == owner[other]
        one, other = one[same], other[same]
        if not len(one):
            return
        near = shapely.dwithin(rings[one], rings[other], reach)
        wide[owner[one[near]]] = False


__all__ = ["surely_wide"]
