"""must_continue_across: what ends on a border continues on the other side of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    Features,
    LinesAndPolygons,
    Overlay,
    Violations,
    overlay_rule,
)
from spatial_pipeline.check.forms.tile_rule import equal_values
from spatial_pipeline.check.geometry.eligible import LINE, POLYGON, of_dimension
from spatial_pipeline.check.geometry.parts import simple_parts
from spatial_pipeline.contract.rules.boundaries import MustContinueAcross, TileGrid
from spatial_pipeline.errors import RuleError

NO_PARTNER, OTHER_VALUES = "no partner across the border", "other values across the border"
MAX_LINES = 100_000
"""Lines of a grid across one piece."""


@dataclass(frozen=True)
class BorderEnds:
    """Ends of the open lines of some features.

    Attributes:
        feature: (k,) index of the feature.
        part: (k,) number of its part.
        xy: (k, 2) the ends.
        before: (k, 2) the vertex before each.

    """

    feature: NDArray[np.int64]
    part: NDArray[np.int64]
    xy: NDArray[np.float64]
    before: NDArray[np.float64]

    @classmethod
    def of(cls, geometry: NDArray[np.object_]) -> BorderEnds:
        """The ends of (n,) geometries."""
        parts = simple_parts(geometry, LINE)
        lines = shapely.remove_repeated_points(parts.geometry)
        open_ = np.flatnonzero(~shapely.is_closed(lines))
        place = np.repeat(open_, 2)
        which = np.tile([0, -1], len(open_))
        beside = np.tile([1, -2], len(open_))
        xy, before = (
            shapely.get_coordinates(shapely.get_point(lines[place], index)).reshape(-1, 2)
            for index in (which, beside)
        )
        return cls(parts.feature[place], parts.part[place], xy, before)


@overlay_rule(
    judges=LinesAndPolygons,
    against=LinesAndPolygons,
    halo=lambda rule: max(rule.within, rule.tolerance),
)
def evaluate(rule: MustContinueAcross, overlay: Overlay) -> Violations:
    """Ends of lines and edges of polygons on the border, that have no (equal) partner."""
    border = _border(rule, overlay)
    if not len(border):
        return Violations.none()
    # The partners: all features of the piece, and those beside it.
    near = overlay.beside(rule.columns(), rule.tolerance)
    return Violations.concat(
        [_ends(rule, overlay, near, border), _edges(rule, overlay, near, border)]
    )


def _ends(
    rule: MustContinueAcross, overlay: Overlay, near: Features, border: NDArray[np.object_]
) -> Violations:
    count = len(overlay)
    ends = BorderEnds.of(np.concatenate([overlay.geometry, shapely.force_2d(near.geometry)]))
    points = shapely.points(ends.xy)
    mine = np.flatnonzero(ends.feature < count)
    path = _segments(border)
    tree = shapely.STRtree(path)
    place, segment = tree.query_nearest(points[mine], max_distance=rule.within + _least(ends.xy))
    gap = shapely.distance(points[mine[place]], path[segment])
    on = gap <= rule.within
    place, segment = place[on], segment[on]
    order = np.lexsort([segment, place])
    place, segment = place[order], segment[order]
    first = np.flatnonzero(np.diff(place, prepend=-1) > 0)
    at, segment = mine[place[first]], segment[first]
    side = _side(path[segment], ends.before[at])
    at, segment = at[side != 0], segment[side != 0]
    side = side[side != 0]
    # Partners from the other side of the same stretch of border.
    one, other = shapely.STRtree(points).query(
        points[at], predicate="dwithin", distance=rule.tolerance
    )
    across = _side(path[segment[one]], ends.before[other]) == -side[one]
    across &= ends.feature[at[one]] != ends.feature[other]
    one, other = one[across], other[across]
    equal = _equal(rule, overlay, near, ends.feature[at[one]], ends.feature[other])
    partners = np.bincount(one, minlength=len(at))
    matching = np.bincount(one[equal], minlength=len(at))
    found = np.flatnonzero(matching == 0)
    return overlay.violations(
        ends.feature[at[found]],
        np.where(partners[found] > 0, OTHER_VALUES, NO_PARTNER).tolist(),
        geometry=points[at[found]],
        part=ends.part[at[found]],
    )


def _edges(
    rule: MustContinueAcross, overlay: Overlay, near: Features, border: NDArray[np.object_]
) -> Violations:
    both = np.concatenate([overlay.geometry, shapely.force_2d(near.geometry)])
    areas = of_dimension(both, POLYGON)
    outline = shapely.boundary(areas)
    mine = np.flatnonzero(~shapely.is_missing(areas[: len(overlay)]))
    lines = shapely.buffer(border, rule.within) if rule.within else border
    union = shapely.union_all(lines)
    shapely.prepare(union)
    mine = mine[shapely.intersects(outline[mine], union)]
    edge = of_dimension(shapely.intersection(outline[mine], union), LINE)
    mine, edge = mine[~shapely.is_missing(edge)], edge[~shapely.is_missing(edge)]
    covers = shapely.buffer(outline, rule.tolerance) if rule.tolerance else outline
    there = np.flatnonzero(~shapely.is_missing(covers))
    one, other = shapely.STRtree(covers[there]).query(edge, predicate="intersects")
    other = there[other]
    others = other != mine[one]
    one, other = one[others], other[others]
    equal = _equal(rule, overlay, near, mine[one], other)
    least = max(rule.tolerance, 2 * rule.within)
    rest, size = _outside(edge, one[equal], covers[other[equal]], least)
    lone, _ = _outside(edge, one, covers[other], least)
    found = np.flatnonzero(~shapely.is_missing(rest))
    unpaired = ~shapely.is_missing(lone[found])
    return overlay.violations(
        mine[found],
        np.where(unpaired, NO_PARTNER, OTHER_VALUES).tolist(),
        geometry=rest[found],
        measure=size[found],
        unit=overlay.features.length_unit,
    )


def _outside(
    edge: NDArray[np.object_], one: NDArray[np.int64], covers: NDArray[np.object_], least: float
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The parts of edges, longer than ``least``, outside of the covers that go with each."""
    rest = edge.copy()
    if len(one):
        order = np.argsort(one, kind="stable")
        held, group = np.unique(one[order], return_inverse=True)
        together = shapely.geometrycollections(covers[order], indices=group)
        unions = shapely.union_all(together[:, np.newaxis], axis=1)
        rest[held] = shapely.difference(edge[held], unions)
    parts, index = shapely.get_parts(shapely.line_merge(rest), return_index=True)
    length = shapely.length(parts)
    noise = 64 * np.spacing(np.abs(shapely.bounds(parts).reshape(-1, 4)).max(axis=1, initial=0))
    kept = (length > least) & (length > noise)
    out = np.full(len(edge), None, dtype=object)
    left, group = np.unique(index[kept], return_inverse=True)
    if len(left):
        several = shapely.multilinestrings(parts[kept], indices=group)
        single = shapely.get_num_geometries(several) == 1
        several[single] = shapely.get_geometry(several[single], 0)
        out[left] = shapely.normalize(several)
    total = np.bincount(index[kept], length[kept], len(edge)).astype(np.float64)
    return out, total


def _equal(
    rule: MustContinueAcross,
    overlay: Overlay,
    near: Features,
    one: NDArray[np.int64],
    other: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """(k,) bool: pairs of a feature of the piece and one of all, with equal values."""
    own, there = tuple(rule.match), tuple(rule.match.values())
    inside = other < len(overlay)
    equal = np.ones(len(one), dtype=bool)
    for chosen, features, offset in (
        (inside, overlay.features, 0),
        (~inside, near, len(overlay)),
    ):
        equal[chosen] = equal_values(
            overlay.features, one[chosen], features, other[chosen] - offset, own, there
        )
    return equal


def _segments(lines: NDArray[np.object_]) -> NDArray[np.object_]:
    """(s,) the straight segments of lines."""
    parts = shapely.get_parts(lines)
    xy, owner = shapely.get_coordinates(parts, return_index=True)
    inner = np.flatnonzero((np.diff(owner) == 0) & (np.diff(xy, axis=0) != 0).any(axis=1))
    return np.asarray(shapely.linestrings(np.stack([xy[inner], xy[inner + 1]], axis=1)))


def _side(border: NDArray[np.object_], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) 1 for points on the left of a straight line, -1 on the right, 0 on it."""
    start, end = (shapely.get_coordinates(shapely.get_point(border, i)) for i in (0, -1))
    along, away = end - start, xy - start
    cross = along[:, 0] * away[:, 1] - along[:, 1] * away[:, 0]
    noise = 64 * np.finfo(np.float64).eps * np.hypot(*along.T) * np.abs(xy).max(axis=1, initial=0)
    return np.where(np.abs(cross) <= noise, 0.0, np.sign(cross))


def _least(xy: NDArray[np.float64]) -> float:
    """A distance that rounding alone may give to a point on a line."""
    return float(np.spacing(np.abs(xy).max(initial=1.0)))


def _border(rule: MustContinueAcross, overlay: Overlay) -> NDArray[np.object_]:
    """(b,) lines of the border around the piece.

    Raises:
        RuleError: the tiles of the grid are too small for the data.

    """
    if not isinstance(rule.border, TileGrid):
        shapes = overlay.other_geometry
        areal = shapely.get_dimensions(shapes) == POLYGON
        shapes = np.where(areal, shapely.boundary(shapes), shapes)
        return np.asarray(shapes[~shapely.is_missing(shapes)], dtype=object)
    size = rule.border.size
    sizes = size if isinstance(size, tuple) else (size, size)
    low, high = np.split(shapely.total_bounds(overlay.geometry), 2)
    low, high = low - rule.within, high + rule.within
    lines = []
    for axis in (0, 1):
        origin, step = rule.border.origin[axis], sizes[axis]
        first, last = np.ceil((low[axis] - origin) / step), np.floor((high[axis] - origin) / step)
        if last - first > MAX_LINES:
            msg = f"border: more than {MAX_LINES} tiles of {step:g} lie across a piece of the data"
            raise RuleError(msg)
        at = origin + step * np.arange(first, last + 1)
        ends = np.empty((len(at), 2, 2))
        ends[:, :, axis] = at[:, np.newaxis]
        ends[:, :, 1 - axis] = [low[1 - axis] - step, high[1 - axis] + step]
        lines.append(shapely.linestrings(ends))
    return np.concatenate(lines)
