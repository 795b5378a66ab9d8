"""All defects of an invalid geometry; GEOS reports only one.

The conditions are those of OGC Simple Feature Access 1.2.1 (clauses 6.1.11 and 6.1.14) in the words
of GEOS: rings are simple and do not cross or share a stretch, holes lie inside the shell and not in
each other, the interior of a polygon is connected, the interiors of parts do not meet. Nesting is
undefined where rings cross, so it is tested for the other rings only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.ring_intersections import Linework, Meeting, Ring, linework
from spatial_pipeline.check.geometry.ring_nesting import Nesting
from spatial_pipeline.check.geometry.wkb_vertices import finite_places

INVALID_COORDINATE = "Invalid Coordinate"
TOO_FEW_POINTS = "Too few points in geometry component"
SELF_INTERSECTION = "Self-intersection"
RING_SELF_INTERSECTION = "Ring Self-intersection"
DUPLICATE_RINGS = "Duplicate Rings"


@dataclass(frozen=True)
class ValidityError:
    """One defect of a geometry; part, ring and vertex are -1 where they do not apply."""

    reason: str
    geometry: shapely.Geometry | None
    part: int = -1
    ring: int = -1
    vertex: int = -1


def defects(geometry: shapely.Geometry) -> list[ValidityError]:
    """All defects of a geometry; parts are numbered through nested collections.

    Raises:
        TooManyMeetings: it crosses itself too often for a readable list.

    """
    single = geometry.geom_type in {"Point", "LineString", "LinearRing", "Polygon"}
    parts = iter([-1]) if single else count()
    return list(_defects(geometry, parts))


def _defects(geometry: shapely.Geometry, parts: Iterator[int]) -> Iterator[ValidityError]:
    kind = geometry.geom_type
    if kind in {"Polygon", "MultiPolygon"}:
        polygons = shapely.get_parts(geometry)
        yield from areal_defects(polygons, [next(parts) for _ in polygons])
    elif kind in {"Point", "LineString", "LinearRing"}:
        yield from _path_defects(geometry, next(parts))
    else:
        for member in shapely.get_parts(geometry):
            yield from _defects(member, parts)


def areal_defects(
    polygons: Sequence[shapely.Polygon], parts: Sequence[int]
) -> Iterator[ValidityError]:
    """All defects of polygons that together are one geometry.

    Args:
        polygons: the polygons.
        parts: their numbers as parts.

    """
    rings: list[Ring] = []
    for number, (polygon, part) in enumerate(zip(polygons, parts, strict=True)):
        for n, ring in enumerate([polygon.exterior, *polygon.interiors]):
            xy = shapely.get_coordinates(ring)
            broken = list(_coordinate_defects(xy, part, n))
            yield from broken
            distinct = _distinct(xy)
            if broken or not len(xy):
                continue
            if len(distinct) < 4:
                yield ValidityError(TOO_FEW_POINTS, shapely.Point(xy[0]), part, n, 0)
            else:
                rings.append(Ring(number, part, n, xy[distinct], distinct))
    work = linework(rings)
    yield from _meetings(rings, work)
    for found in Nesting(rings, work).misplaced():
        yield ValidityError(
            found.reason, found.point, found.ring.part, found.ring.ring, found.vertex
        )


def _path_defects(geometry: shapely.Geometry, part: int) -> Iterator[ValidityError]:
    xy = shapely.get_coordinates(geometry)
    line = geometry.geom_type != "Point"
    broken = list(_coordinate_defects(xy, part, -1, line=line))
    yield from broken
    if line and len(xy) and not broken and len(_distinct(xy)) < 2:
        yield ValidityError(TOO_FEW_POINTS, shapely.Point(xy[0]), part, -1, 0)


def _coordinate_defects(
    xy: NDArray[np.float64], part: int, ring: int, *, line: bool = True
) -> Iterator[ValidityError]:
    bad = np.flatnonzero(~np.isfinite(xy).all(axis=1))
    for k, place in zip(bad, finite_places(xy, bad), strict=True):
        yield ValidityError(INVALID_COORDINATE, place, part, ring, int(k) if line else -1)


def _distinct(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the points that differ from the one before them."""
    if not len(xy):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.append(True, (xy[1:] != xy[:-1]).any(axis=1)))


def _meetings(rings: Sequence[Ring], work: Linework) -> Iterator[ValidityError]:
    """Crossings, common stretches and points at which a ring touches itself."""
    doubles = set()
    for meeting in work.overlaps:
        if meeting.rings in doubles:
            continue
        if _equal_rings(rings, meeting):
            doubles.add(meeting.rings)
            ring = rings[meeting.rings[1]]
            whole = shapely.LineString(ring.coordinates)
            yield _defect(DUPLICATE_RINGS, rings, Meeting(meeting.rings, 0, whole))
        else:
            yield _defect(SELF_INTERSECTION, rings, meeting)
    for meeting in work.crossings:
        yield _defect(SELF_INTERSECTION, rings, meeting)
    for meeting in work.touches:
        if meeting.rings[0] == meeting.rings[1]:
            yield _defect(RING_SELF_INTERSECTION, rings, meeting)


def _equal_rings(rings: Sequence[Ring], meeting: Meeting) -> bool:
    one, two = (rings[r] for r in meeting.rings)
    return (
        one is not two
        and len(one) == len(two)
        and shapely.equals_exact(*(shapely.normalize(r.polygonal) for r in (one, two)), 0.0)
    )


def _defect(reason: str, rings: Sequence[Ring], meeting: Meeting) -> ValidityError:
    other, ring = (rings[r] for r in meeting.rings)
    if other is not ring:
        same_part = other.polygon == ring.polygon
        reason += f" with ring {other.ring}" + ("" if same_part else f" of part {other.part}")
    return ValidityError(reason, meeting.geometry, ring.part, ring.ring, meeting.vertex)
