"""The vertices of one geometry with their addresses: part, ring, vertex.

They are read from the WKB itself, so that geometries which GEOS refuses to build (a ring whose end
is NaN, curves) have vertices too. Layout: OGC Simple Feature Access 1.2.1, clause 8, and PostGIS's
EWKB flags.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

_POINT = 1
_LINES = frozenset({2, 8})
_POLYGONS = frozenset({3, 17})
_COLLECTIONS = frozenset({4, 5, 6, 7, 9, 10, 11, 12, 15, 16})
_EWKB_Z, _EWKB_M, _EWKB_SRID = 0x80000000, 0x40000000, 0x20000000
_DEEPEST = 32
"""Maximum nesting of collections that is followed; no real file nests deeper."""


@dataclass(frozen=True)
class Vertices:
    """The vertices of one geometry in the order of its WKB.

    Attributes:
        coordinates: (n, 4) x, y, z, m; 0 for dimensions that the geometry lacks.
        part: (n,) 0-based part, counted through nested collections; -1 in a single geometry.
        ring: (n,) ring of a polygon, 0 is the shell; -1 outside polygons.
        vertex: (n,) 0-based vertex in its ring or line; -1 for points.

    """

    coordinates: NDArray[np.float64]
    part: NDArray[np.int32]
    ring: NDArray[np.int32]
    vertex: NDArray[np.int32]

    def nearest(self, x: float, y: float) -> int:
        """Index of the vertex at (x, y), else of the start of the nearest segment; -1 if none."""
        xy = self.coordinates[:, :2]
        if not len(xy) or not np.isfinite([x, y]).all():
            return -1
        with np.errstate(all="ignore"):
            to_vertex = np.hypot(xy[:, 0] - x, xy[:, 1] - y)
            step = np.zeros_like(xy)
            joined = (self.part[1:] == self.part[:-1]) & (self.ring[1:] == self.ring[:-1])
            joined &= self.vertex[1:] == self.vertex[:-1] + 1
            step[:-1][joined] = (xy[1:] - xy[:-1])[joined]
            length = (step**2).sum(axis=1)
            along = ((np.array([x, y]) - xy) * step).sum(axis=1) / np.where(length, length, 1.0)
            foot = xy + np.clip(along, 0.0, 1.0)[:, None] * step
            to_segment = np.hypot(foot[:, 0] - x, foot[:, 1] - y)
        to_vertex, to_segment = (
            np.where(np.isfinite(d), d, np.inf) for d in (to_vertex, to_segment)
        )
        # GEOS prints positions with 15 digits: a vertex that close is the position itself.
        if to_vertex.min() <= 1e-13 * max(abs(x), abs(y), 1.0):
            return int(to_vertex.argmin())
        return int(to_segment.argmin()) if np.isfinite(to_segment.min()) else -1


def finite_places(xy: NDArray[np.float64], bad: NDArray[np.int64]) -> NDArray[np.object_]:
    """A point for each vertex without a place: the finite vertex before it, else the one after.

    Args:
        xy: (n, 2) coordinates.
        bad: (k,) ascending indices of the vertices without a place.

    Returns:
        (k,) points, None where no vertex is finite.

    """
    places = np.full(len(bad), None, dtype=object)
    here = np.flatnonzero(np.isfinite(xy).all(axis=1))
    if len(here):
        nearest = here[np.clip(np.searchsorted(here, bad, side="right") - 1, 0, None)]
        places[:] = shapely.points(xy[nearest])
    return places


def vertices(wkb: bytes) -> Vertices | None:
    """The vertices of a geometry; None when the WKB is damaged."""
    try:
        paths = list(_VertexReader(wkb).geometry(part=-1, depth=0))
    except (struct.error, ValueError, IndexError):
        return None
    part, ring, arrays, single = [], [], [], []
    for p, r, xyzm, is_point in paths:
        arrays.append(xyzm)
        part.append(np.full(len(xyzm), p, dtype=np.int32))
        ring.append(np.full(len(xyzm), r, dtype=np.int32))
        n = len(xyzm)
        single.append(np.full(n, -1, np.int32) if is_point else np.arange(n, dtype=np.int32))
    none = np.empty(0, dtype=np.int32)
    return Vertices(
        coordinates=np.concatenate([np.empty((0, 4)), *arrays]),
        part=np.concatenate([none, *part]),
        ring=np.concatenate([none, *ring]),
        vertex=np.concatenate([none, *single]),
    )


_Path = tuple[int, int, NDArray[np.float64], bool]
"""Part, ring, coordinates (n, 4), whether it is a point."""


class _VertexReader:
    """Walks through the bytes of one geometry."""

    def __init__(self, wkb: bytes) -> None:
        self.wkb = wkb
        self.at = 0
        self.parts = 0

    def geometry(self, part: int, depth: int) -> Iterator[_Path]:
        """The paths of the geometry that begins here.

        Raises:
            ValueError: the bytes are no WKB.

        """
        order = "<" if self.wkb[self.at] else ">"
        (code,) = struct.unpack_from(f"{order}I", self.wkb, self.at + 1)
        self.at += 5 + (4 if code & _EWKB_SRID else 0)
        plain = code & 0x0FFFFFFF
        layout = (
            bool(code & _EWKB_Z) or plain // 1000 in {1, 3},
            bool(code & _EWKB_M) or plain // 1000 in {2, 3},
        )
        kind = plain % 1000
        if kind in _COLLECTIONS:
            if depth > _DEEPEST:
                msg = "too many nested collections"
                raise ValueError(msg)
            for _ in range(self.count(order)):
                yield from self.geometry(0, depth + 1)
            return
        if depth:
            part, self.parts = self.parts, self.parts + 1
        if kind == _POINT:
            xyzm = self.coordinates(order, 1, layout)
            if not np.isnan(xyzm[:, :2]).all():
                yield part, -1, xyzm, True
        elif kind in _LINES:
            yield part, -1, self.coordinates(order, self.count(order), layout), False
        elif kind in _POLYGONS:
            for ring in range(self.count(order)):
                yield part, ring, self.coordinates(order, self.count(order), layout), False
        else:
            msg = f"unknown WKB type {code}"
            raise ValueError(msg)

    def count(self, order: str) -> int:
        """The number that stands here."""
        (n,) = struct.unpack_from(f"{order}I", self.wkb, self.at)
        self.at += 4
        return int(n)

    def coordinates(self, order: str, n: int, layout: tuple[bool, bool]) -> NDArray[np.float64]:
        """(n, 4) coordinates that stand here."""
        width = 2 + sum(layout)
        flat = np.frombuffer(self.wkb, dtype=f"{order}f8", count=n * width, offset=self.at)
        self.at += flat.nbytes
        out = np.zeros((n, 4))
        places = [0, 1, *([2] if layout[0] else []), *([3] if layout[1] else [])]
        out[:, places] = flat.reshape(n, width)
        return out
