"""Splits geometries into points, lines and rings, and these into segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

POINT, LINE, SHELL, HOLE = 0, 1, 2, 3


@dataclass(frozen=True)
class Paths:
    """The points, lines and rings of n geometries, in the order in which they are stored.

    Attributes:
        owner: (m,) the geometry of each path, ascending.
        kind: (m,) ``POINT``, ``LINE``, ``SHELL`` or ``HOLE``.
        size: (m,) vertices of each path; the first vertex of a ring counts twice.
        xy: (k, 2) the vertices of all paths.

    """

    owner: NDArray[np.int64]
    kind: NDArray[np.int64]
    size: NDArray[np.int64]
    xy: NDArray[np.float64]

    @classmethod
    def of(cls, geometry: NDArray[np.object_]) -> Paths:
        """The paths of (n,) geometries in the XY plane; none for null and empty ones."""
        parts, owner = shapely.get_parts(geometry, return_index=True)
        while (shapely.get_type_id(parts) > 3).any():
            parts, inner = shapely.get_parts(parts, return_index=True)
            owner = owner[inner]
        filled = ~shapely.is_empty(parts)
        parts, owner = parts[filled], owner[filled]
        types = shapely.get_type_id(parts)
        areas = np.flatnonzero(types == 3)
        rings, area = shapely.get_rings(parts[areas], return_index=True)
        other = np.flatnonzero(types != 3)
        lines = np.concatenate([parts[other], rings])
        part = np.concatenate([other, areas[area]])
        shell = np.diff(area, prepend=-1) != 0
        kind = np.concatenate(
            [np.where(types[other] == 0, POINT, LINE), np.where(shell, SHELL, HOLE)]
        )
        order = np.argsort(part, kind="stable")
        lines = lines[order]
        return cls(
            owner=owner[part[order]].astype(np.int64),
            kind=kind[order].astype(np.int64),
            size=shapely.get_num_coordinates(lines).astype(np.int64),
            xy=shapely.get_coordinates(lines),
        )


@dataclass(frozen=True)
class Segments:
    """The straight segments of n geometries; a point is a segment of no length.

    Attributes:
        owner: (s,) the geometry of each segment, ascending.
        start: (s, 2) one end.
        end: (s, 2) the other end.

    """

    owner: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]

    @classmethod
    def of(cls, paths: Paths) -> Segments:
        """The segments of all paths, in their order."""
        path = np.repeat(np.arange(len(paths.size)), paths.size)
        lonely = paths.size[path] == 1
        last = np.append(path[1:] != path[:-1], True)[: len(path)]
        start = np.flatnonzero(~last | lonely)
        end = np.where(lonely[start], start, start + 1)
        return cls(paths.owner[path[start]], paths.xy[start], paths.xy[end])

    def take(self, index: Any) -> Segments:
        """The segments at ``index`` (integers or a boolean mask)."""
        return Segments(self.owner[index], self.start[index], self.end[index])


__all__ = ["HOLE", "LINE", "POINT", "SHELL", "Paths", "Segments"]
