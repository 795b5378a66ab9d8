"""Walks GeoJSON geometries as their text has them: members of collections, and broken paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PATHS = {"LineString": 0, "MultiLineString": 1, "Polygon": 1, "MultiPolygon": 2}
"""Levels of arrays around the paths of a type."""
_SHORTEST_LINE, SHORTEST_RING = 2, 4


@dataclass(frozen=True)
class PathFaults:
    """Numbers of broken paths of one geometry.

    Attributes:
        lines: of fewer than two positions.
        rings: that are not closed, or of fewer than four positions.

    """

    lines: int
    rings: int


def flattened(values: Iterable[Any]) -> list[Mapping[str, Any]]:
    """Geometry objects and, at any depth, those in their collections."""
    found: list[Mapping[str, Any]] = []
    waiting = list(values)
    while waiting:
        objects = [v for v in waiting if isinstance(v, dict)]
        found += objects
        waiting = [
            p for v in objects if isinstance(v.get("geometries"), list) for p in v["geometries"]
        ]
    return found


def path_faults(value: Any) -> PathFaults:
    """Broken paths of a geometry; those of a collection included."""
    lines = rings = 0
    for one in flattened([value]):
        kind = one.get("type")
        if kind not in PATHS:
            continue
        paths = [one.get("coordinates")]
        for _ in range(PATHS[kind]):
            paths = [p for level in paths if isinstance(level, list) for p in level]
        given = [p for p in paths if isinstance(p, list)]
        if "Line" in kind:
            # An empty array of coordinates may stand for null (section 3.1).
            lines += sum(len(p) < _SHORTEST_LINE for p in given if p or kind != "LineString")
        else:
            rings += sum(len(p) < SHORTEST_RING or p[0] != p[-1] for p in given)
    return PathFaults(lines, rings)
