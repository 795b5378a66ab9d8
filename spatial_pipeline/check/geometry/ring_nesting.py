"""Nesting of rings: holes inside their shell, parts side by side, connected interiors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.ring_intersections import Linework, Ring

HOLE_OUTSIDE = "Hole lies outside shell"
NESTED_HOLES = "Holes are nested"
DISCONNECTED = "Interior is disconnected"
NESTED_SHELLS = "Nested shells"


@dataclass(frozen=True)
class Misplaced:
    """A ring in a forbidden position; ``point`` and ``vertex`` locate it."""

    reason: str
    ring: Ring
    point: shapely.Point
    vertex: int = -1


class Nesting:
    """The rings of one geometry, and those of them that can be tested for nesting.

    A ring that intersects itself has no inside, and of two rings that cross or share a stretch
    neither lies inside the other: such rings are left out, because their own defect is reported
    elsewhere.
    """

    def __init__(self, rings: Sequence[Ring], work: Linework) -> None:
        self.rings = rings
        self.work = work
        self.polygons: defaultdict[int, list[int]] = defaultdict(list)
        for r, ring in enumerate(rings):
            self.polygons[ring.polygon].append(r)
        self.conflicts = {m.rings for m in (*work.crossings, *work.overlaps)}
        faulty = {m.rings[0] for m in work.touches if m.rings[0] == m.rings[1]}
        faulty |= {a for a, b in self.conflicts if a == b}
        self.simple = [r not in faulty for r in range(len(rings))]
        self.crossing_polygons = {
            tuple(sorted((rings[a].polygon, rings[b].polygon))) for a, b in self.conflicts
        }

    @cached_property
    def areas(self) -> NDArray[np.object_]:
        """The area that each ring encloses."""
        return _array([ring.polygonal for ring in self.rings])

    def misplaced(self) -> list[Misplaced]:
        """Every ring in a forbidden position, polygon by polygon."""
        found: list[Misplaced] = []
        for members in self.polygons.values():
            outside = self._outside(members)
            nested = self._nested(members)
            found += [*outside.values(), *nested.values()]
            found += self._disconnected([r for r in members if r not in outside | nested])
        return found + self._nested_shells()

    def _apart(self, a: int, b: int) -> bool:
        """True when two rings can be compared: both simple, and not crossing each other."""
        pair = (min(a, b), max(a, b))
        return self.simple[a] and self.simple[b] and pair not in self.conflicts

    def _shell(self, members: Sequence[int]) -> int | None:
        return members[0] if self.rings[members[0]].ring == 0 else None

    def _outside(self, members: Sequence[int]) -> dict[int, Misplaced]:
        """Holes outside their shell."""
        shell = self._shell(members)
        if shell is None:
            return {}
        holes = [h for h in members if h != shell and self._apart(h, shell)]
        shapely.prepare(self.areas[shell])
        inside = shapely.covers(self.areas[shell], _array([self.areas[h] for h in holes]))
        return {
            h: self._at_vertex(HOLE_OUTSIDE, h, shell, inside=False)
            for h, ok in zip(holes, inside, strict=True)
            if not ok
        }

    def _nested(self, members: Sequence[int]) -> dict[int, Misplaced]:
        """Holes inside other holes."""
        holes = [h for h in members if self.rings[h].ring and self.simple[h]]
        areas = _array([self.areas[h] for h in holes])
        inner, outer = shapely.STRtree(areas).query(areas, predicate="covered_by")
        found: dict[int, Misplaced] = {}
        for a, b in zip(inner.tolist(), outer.tolist(), strict=True):
            if a != b and self._apart(holes[a], holes[b]) and holes[a] not in found:
                found[holes[a]] = self._at_vertex(NESTED_HOLES, holes[a], holes[b], inside=True)
        return found

    def _disconnected(self, members: Sequence[int]) -> list[Misplaced]:
        """Touches that cut the interior of a polygon in two.

        Rings and the points at which they touch form a graph: the interior is connected if and only
        if the graph has no cycle. One defect per independent cycle.
        """
        among = {r for r in members if self.simple[r]}
        touching: defaultdict[tuple[float, float], set[int]] = defaultdict(set)
        for meeting in self.work.touches:
            a, b = meeting.rings
            if a != b and {a, b} <= among and self._apart(a, b):
                touching[meeting.geometry.x, meeting.geometry.y] |= {a, b}
        root = {r: r for r in among}

        def find(r: int) -> int:
            while root[r] != r:
                root[r] = root[root[r]]
                r = root[r]
            return r

        found = []
        for (x, y), meeting_rings in sorted(touching.items()):
            first, *others = sorted(meeting_rings)
            for other in others:
                a, b = find(first), find(other)
                if a == b:
                    found.append(Misplaced(DISCONNECTED, self.rings[other], shapely.Point(x, y)))
                root[b] = a
        return found

    def _nested_shells(self) -> list[Misplaced]:
        """Parts whose interiors meet although their rings do not cross."""
        whole = {n: area for n, m in self.polygons.items() if (area := self._whole(m)) is not None}
        numbers, areas = list(whole), _array(list(whole.values()))
        a, b = shapely.STRtree(areas).query(areas, predicate="intersects")
        found = []
        for p, q in zip(a[a < b].tolist(), b[a < b].tolist(), strict=True):
            if (numbers[p], numbers[q]) in self.crossing_polygons:
                continue
            if shapely.relate_pattern(areas[p], areas[q], "T********"):
                shells = [self.polygons[numbers[n]][0] for n in (p, q)]
                inner, outer = sorted(shells, key=lambda s: float(shapely.area(self.areas[s])))
                found.append(self._at_vertex(NESTED_SHELLS, inner, outer, inside=True))
        return found

    def _whole(self, members: Sequence[int]) -> shapely.Polygon | None:
        """The polygon, when its rings are simple and none of them crosses another."""
        shell = self._shell(members)
        number = self.rings[members[0]].polygon
        if (
            shell is None
            or not all(self.simple[r] for r in members)
            or (number, number) in self.crossing_polygons
        ):
            return None
        holes = [self.rings[h].coordinates for h in members if h != shell]
        return shapely.Polygon(self.rings[shell].coordinates, holes)

    def _at_vertex(self, reason: str, ring: int, other: int, *, inside: bool) -> Misplaced:
        """The first vertex of a ring that shows it to lie inside or outside another one."""
        points = shapely.points(self.rings[ring].coordinates[:-1])
        area = self.areas[other]
        shows = shapely.contains_properly(area, points) if inside else ~shapely.covers(area, points)
        k = int(shows.argmax())
        return Misplaced(reason, self.rings[ring], points[k], int(self.rings[ring].vertex[k]))


def _array(geometries: Sequence[shapely.Geometry]) -> NDArray[np.object_]:
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out
