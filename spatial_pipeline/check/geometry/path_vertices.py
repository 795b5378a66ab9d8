"""The vertices of many geometries with their addresses, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.parts import Parts


@dataclass(frozen=True)
class PathVertices:
    """The m vertices of the points, lines and rings of n geometries, in their order.

    A path is a point, a line or a ring; a ring ends with its first vertex.

    Attributes:
        xyzm: (m, 4) coordinates; NaN for what a geometry does not have.
        path: (m,) int64 ascending number of the path.
        feature: (m,) int64 ascending index of the geometry.
        part: (m,) int64 number of the part, see ``simple_parts``.
        ring: (m,) int64 number of the ring, 0 is the shell; -1 outside polygons.
        vertex: (m,) int64 number of the vertex in its path.

    """

    xyzm: NDArray[np.float64]
    path: NDArray[np.int64]
    feature: NDArray[np.int64]
    part: NDArray[np.int64]
    ring: NDArray[np.int64]
    vertex: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Parts) -> PathVertices:
        """The vertices of points, lines and polygons.

        Args:
            parts: see :func:`~spatial_pipeline.check.geometry.parts.simple_parts`.

        """
        polygons = np.flatnonzero(shapely.get_type_id(parts.geometry) == 3)
        others = np.setdiff1d(np.arange(len(parts.geometry)), polygons, assume_unique=True)
        rings, index = shapely.get_rings(parts.geometry[polygons], return_index=True)
        lines = np.concatenate([parts.geometry[others], rings])
        owner = np.concatenate([others, polygons[index]])
        number = np.arange(len(index)) - np.searchsorted(index, index)
        ring = np.concatenate([np.full(len(others), -1), number])
        order = np.argsort(owner, kind="stable")
        owner, ring = owner[order], ring[order]
        xyzm, path = shapely.get_coordinates(
            lines[order], include_z=True, include_m=True, return_index=True
        )
        return cls(
            xyzm=xyzm,
            path=path,
            feature=parts.feature[owner][path],
            part=parts.part[owner][path],
            ring=ring[path],
            vertex=np.arange(len(path)) - _runs(path)[0],
        )

    @property
    def xy(self) -> NDArray[np.float64]:
        """(m, 2) coordinates in the plane."""
        return self.xyzm[:, :2]

    @property
    def last(self) -> NDArray[np.bool_]:
        """(m,) bool: the vertex ends its path."""
        return np.append(self.path[1:] != self.path[:-1], True)[: len(self.path)]

    @property
    def closing(self) -> NDArray[np.bool_]:
        """(m,) bool: the vertex is the first one of its ring, at its end again."""
        return self.last & (self.ring >= 0)

    @property
    def steps(self) -> NDArray[np.int64]:
        """(s,) first vertex of each segment; the next vertex is its end."""
        return np.flatnonzero(~self.last)

    @property
    def lengths(self) -> NDArray[np.float64]:
        """(s,) lengths of the segments."""
        step = np.diff(self.xy, axis=0)[self.steps]
        return np.asarray(np.hypot(step[:, 0], step[:, 1]), dtype=np.float64)

    def points(self, index: NDArray[np.integer[Any]]) -> NDArray[np.object_]:
        """(k,) points at vertices."""
        return np.asarray(shapely.points(self.xy[index]), dtype=object)

    def segments(self, start: NDArray[np.integer[Any]]) -> NDArray[np.object_]:
        """(k,) lines from vertices to the next ones."""
        ends = np.stack([self.xy[start], self.xy[start + 1]], axis=1)
        return np.asarray(shapely.linestrings(ends), dtype=object)

    def place(self, index: NDArray[np.integer[Any]]) -> dict[str, Any]:
        """Part, ring and vertex of vertices, as violations name them."""
        return {
            "part": self.part[index],
            "ring": self.ring[index],
            "vertex": self.vertex[index],
        }


@dataclass(frozen=True)
class Corners:
    """Vertices between two others, all as indices of vertices; repeated points are one vertex.

    Attributes:
        at: (c,) the vertices, ascending.
        before: (c,) the vertices before them at another place.
        after: (c,) the vertices after them at another place.

    """

    at: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]

    @classmethod
    def of(cls, vertices: PathVertices) -> Corners:
        """The corners of lines, and of rings all around."""
        xy, path = vertices.xy, vertices.path
        moved = np.ones(len(path), dtype=bool)
        moved[1:] = (path[1:] != path[:-1]) | (xy[1:] != xy[:-1]).any(axis=1)
        kept = np.flatnonzero(moved)
        if not len(kept):
            return cls(kept, kept, kept)
        start, stop = _runs(path[kept])
        here = np.arange(len(kept))
        ends = np.flatnonzero((here == stop) & (here > start) & (vertices.ring[kept] >= 0))
        again = (xy[kept[ends]] == xy[kept[start[ends]]]).all(axis=1)
        kept = np.delete(kept, ends[again])
        start, stop = _runs(path[kept])
        here = np.arange(len(kept))
        cyclic = (vertices.ring[kept] >= 0) & (stop > start)
        inner = (here > start) & (here < stop)
        before = np.where(here > start, here - 1, stop)
        after = np.where(here < stop, here + 1, start)
        chosen = inner | cyclic
        return cls(kept[chosen], kept[before[chosen]], kept[after[chosen]])


def _runs(number: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(m,) first and last place of the run of equal numbers that each of (m,) belongs to."""
    new = np.ones(len(number), dtype=bool)
    new[1:] = number[1:] != number[:-1]
    first = np.flatnonzero(new)
    run = np.cumsum(new) - 1
    return first[run], np.append(first[1:], len(number))[run] - 1
