"""Intersections of the segments of rings: crossings, overlaps and touches.

The robust predicates of GEOS decide which segments meet and whether an end of one lies on the
other; exact rational arithmetic decides whether two rings cross at a common point. Only the
position of a crossing inside two segments is rounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

MAX_PAIRS = 1_000_000
"""Pairs of meeting, non-adjacent segments above which a geometry is given up."""

QUERIES = 256
"""Segments whose partners are looked up at once."""

Point = tuple[float, float]
Pair = tuple[int, int]


class TooManyMeetings(Exception):  # noqa: N818 - a signal, not an error
    """Raised when a geometry has too many crossings to list."""


@dataclass(frozen=True)
class Ring:
    """A closed ring without repeated points.

    Attributes:
        polygon: number of its polygon.
        part: part of the geometry that the polygon is.
        ring: number in its polygon, 0 is the shell.
        coordinates: (n + 1, 2) with the first point at the end again, n ≥ 3.
        vertex: (n + 1,) number of each point in the ring as it is stored.

    """

    polygon: int
    part: int
    ring: int
    coordinates: NDArray[np.float64]
    vertex: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.coordinates) - 1

    @property
    def polygonal(self) -> shapely.Polygon:
        """The area that the ring encloses."""
        return shapely.Polygon(self.coordinates)


@dataclass(frozen=True)
class Meeting:
    """A place at which two rings, or a ring and itself, meet.

    Attributes:
        rings: numbers of the two rings, ascending; equal for a ring and itself.
        vertex: stored vertex of the second ring at which the segment begins.
        geometry: the common point or line.

    """

    rings: Pair
    vertex: int
    geometry: shapely.Geometry


@dataclass
class Linework:
    """Everything that rings have in common.

    Attributes:
        crossings: proper crossings, and crossings at vertices.
        overlaps: common stretches, merged.
        touches: points at which rings meet without crossing.

    """

    crossings: list[Meeting] = field(default_factory=list)
    overlaps: list[Meeting] = field(default_factory=list)
    touches: list[Meeting] = field(default_factory=list)


def linework(rings: Sequence[Ring]) -> Linework:
    """Finds the intersections of the rings with each other and with themselves.

    A ring's own consecutive segments always meet; where they run back over each other (a spike)
    they overlap.

    Raises:
        TooManyMeetings: there are more than ``MAX_PAIRS``.

    """
    found = Linework()
    if not rings:
        return found
    starts = np.concatenate([r.coordinates[:-1] for r in rings])
    ends = np.concatenate([r.coordinates[1:] for r in rings])
    owner = np.repeat(np.arange(len(rings)), [len(r) for r in rings])
    number = np.concatenate([np.arange(len(r)) for r in rings])
    size = np.asarray([len(r) for r in rings])[owner]
    lines = shapely.linestrings(np.stack([starts, ends], axis=1))
    i, j = _pairs(lines, owner, number, size)
    neighbours = _neighbours(i, j, owner, number, size)
    candidates = np.stack([starts[i], ends[i], starts[j], ends[j]], axis=1)
    on = np.stack(
        [
            shapely.intersects(shapely.points(candidates[:, k]), lines[j if k < 2 else i])
            for k in range(4)
        ],
        axis=1,
    )
    every = np.arange(len(i))
    first = candidates[every, on.argmax(axis=1)]
    another = on & (candidates != first[:, None, :]).any(axis=2)
    overlap = another.any(axis=1)
    second = candidates[every, another.argmax(axis=1)]
    crossing = ~on.any(axis=1)
    touch = ~overlap & ~crossing & ~neighbours

    def meeting(k: int, geometry: shapely.Geometry) -> Meeting:
        pair = int(owner[i[k]]), int(owner[j[k]])
        segment = i[k] if pair[0] == pair[1] else j[k]
        return Meeting(pair, int(rings[pair[1]].vertex[number[segment]]), geometry)

    points = shapely.intersection(lines[i[crossing]], lines[j[crossing]])
    for k, point in zip(np.flatnonzero(crossing).tolist(), points, strict=True):
        place = starts[i[k]] if point.is_empty else shapely.get_coordinates(point)[0]
        found.crossings.append(meeting(k, shapely.Point(place)))
    found.overlaps += _merged(
        [
            meeting(k, shapely.LineString([first[k], second[k]]))
            for k in np.flatnonzero(overlap).tolist()
        ]
    )
    passes: defaultdict[Point, set[Pair]] = defaultdict(set)
    for k in np.flatnonzero(touch).tolist():
        node = first[k]
        for s in (int(i[k]), int(j[k])):
            passes[node[0], node[1]].add(
                (int(owner[s]), _pass(node, starts[s], ends[s], int(number[s]), int(size[s])))
            )
    for node in sorted(passes):
        _at_node(node, sorted(passes[node]), rings, found)
    # Where segments cross, rings do more than touch: a spike may end there.
    crossed = {(m.rings, m.geometry.x, m.geometry.y) for m in found.crossings}
    found.touches = [
        m for m in found.touches if (m.rings, m.geometry.x, m.geometry.y) not in crossed
    ]
    return found


def _pairs(
    lines: NDArray[np.object_],
    owner: NDArray[np.int64],
    number: NDArray[np.int64],
    size: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs i < j of segments that meet."""
    tree = shapely.STRtree(lines)
    parts, strangers = [], 0
    for start in range(0, len(lines), QUERIES):
        i, j = tree.query(lines[start : start + QUERIES], predicate="intersects")
        i = i + start
        i, j = i[i < j], j[i < j]
        strangers += int((~_neighbours(i, j, owner, number, size)).sum())
        if strangers > MAX_PAIRS:
            raise TooManyMeetings
        parts.append((i, j))
    return np.concatenate([i for i, _ in parts]), np.concatenate([j for _, j in parts])


def _neighbours(
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    owner: NDArray[np.int64],
    number: NDArray[np.int64],
    size: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """(n,) bool: pairs of consecutive segments of one ring."""
    step = np.abs(number[i] - number[j])
    return cast("NDArray[np.bool_]", (owner[i] == owner[j]) & ((step == 1) | (step == size[i] - 1)))


def _pass(
    node: NDArray[np.float64],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    number: int,
    size: int,
) -> int:
    """Position of a point on a ring: even numbers at a vertex, odd ones inside a segment."""
    if (start == node).all():
        return 2 * number
    if (end == node).all():
        return 2 * ((number + 1) % size)
    return 2 * number + 1


def _at_node(node: Point, passes: Sequence[Pair], rings: Sequence[Ring], found: Linework) -> None:
    """Distinguishes crossings from touches at a point through which rings pass several times."""
    verdicts: dict[Pair, list[bool]] = defaultdict(list)
    vertex: dict[Pair, int] = {}
    for (r1, p1), (r2, p2) in combinations(passes, 2):
        crosses = _crosses(node, _sides(rings[r1], p1), _sides(rings[r2], p2))
        if crosses is not None:
            verdicts[r1, r2].append(crosses)
            at = rings[r1].vertex[p1 // 2] if r1 == r2 else rings[r2].vertex[p2 // 2]
            vertex.setdefault((r1, r2), int(at))
    for pair, crossings in verdicts.items():
        meetings = found.crossings if any(crossings) else found.touches
        meetings.append(Meeting(pair, vertex[pair], shapely.Point(node)))


def _sides(ring: Ring, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The previous and the next point of a ring, seen from a passing point."""
    k = number // 2
    if number % 2:
        return ring.coordinates[k], ring.coordinates[k + 1]
    return ring.coordinates[k - 1 if k else len(ring) - 1], ring.coordinates[k + 1]


def _crosses(
    node: Point,
    one: tuple[NDArray[np.float64], NDArray[np.float64]],
    two: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> bool | None:
    """True when two paths through a point cross there; None where they coincide."""
    x, y = Fraction(node[0]), Fraction(node[1])
    a, b, c, d = ((Fraction(p[0]) - x, Fraction(p[1]) - y) for p in (*one, *two))
    if any(_cross(u, v) == 0 and _dot(u, v) > 0 for u in (a, b) for v in (c, d)):
        return None
    return _between(a, c, b) != _between(a, d, b)


Vector = tuple[Fraction, Fraction]


def _cross(u: Vector, v: Vector) -> Fraction:
    return u[0] * v[1] - u[1] * v[0]


def _dot(u: Vector, v: Vector) -> Fraction:
    return u[0] * v[0] + u[1] * v[1]


def _between(a: Vector, v: Vector, b: Vector) -> bool:
    """True when a direction lies between ``a`` and ``b``, counter-clockwise."""
    turn = _cross(a, b)
    if turn > 0:
        return _cross(a, v) > 0 and _cross(v, b) > 0
    if turn < 0:
        return not (_cross(b, v) > 0 and _cross(v, a) > 0)
    # Straight on: one half plane. A path that turns back on itself has an empty interior.
    return _dot(a, b) < 0 and _cross(a, v) > 0


def _merged(stretches: Sequence[Meeting]) -> list[Meeting]:
    """Stretches of the same two rings joined to lines."""
    groups: dict[Pair, list[Meeting]] = defaultdict(list)
    for stretch in stretches:
        groups[stretch.rings].append(stretch)
    merged = []
    for pair in sorted(groups):
        lines = np.asarray([m.geometry for m in groups[pair]], dtype=object)
        vertex = np.asarray([m.vertex for m in groups[pair]])
        tree = shapely.STRtree(lines)
        merged += [
            Meeting(pair, int(vertex[tree.query_nearest(line)].min()), line)
            for line in shapely.get_parts(shapely.line_merge(shapely.union_all(lines)))
        ]
    return merged
