"""Geometries taken apart one by one, for oracles of rules about vertices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import shapely

from spatial_pipeline_tests.check.rule_cases import leaves

Place = tuple[float, float]


def of_type(shape: Any, *names: str) -> list[Any]:
    """The simple parts of some types that are not empty."""
    return [p for p in leaves(shape) if p.geom_type in names and not p.is_empty]


def paths(shape: Any, *names: str) -> Iterator[list[Place]]:
    """The coordinates of the points, lines and rings of parts of some types, in the plane."""
    for part in of_type(shape, *names):
        rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
        yield from ([c[:2] for c in ring.coords] for ring in rings)


def segments(shape: Any, *names: str) -> Iterator[tuple[Place, Place]]:
    """The segments of lines and rings."""
    for path in paths(shape, *names):
        yield from pairwise(path)


def corners(shape: Any) -> Iterator[tuple[Place, Place, Place]]:
    """Vertex before, vertex and vertex after, of lines and rings without repeated points."""
    for path, closed in (
        *((p, False) for p in paths(shape, "LineString")),
        *((p, True) for p in paths(shape, "Polygon")),
    ):
        apart = [path[0]] + [b for a, b in pairwise(path) if a != b]
        if not closed:
            yield from zip(apart, apart[1:], apart[2:], strict=False)
            continue
        if len(apart) > 1 and apart[0] == apart[-1]:
            apart.pop()
        if len(apart) > 1:
            for i, here in enumerate(apart):
                yield apart[i - 1], here, apart[(i + 1) % len(apart)]


def line(*places: Place) -> str:
    return str(shapely.LineString(places).wkt)
