"""Edges of neighbours that run along each other without being the same edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.segment_conflicts import spans
from spatial_pipeline.check.geometry.boxes import Boxes, diagonals

QUERIED = 4096
"""Edges whose neighbours are looked up in one call."""


@dataclass(frozen=True)
class Alongside:
    """Edges and the stretches of them along which edges of one other polygon run the other way.

    Attributes:
        edge: (k,) ascending indices of edges; each once.
        polygon: (k,) the polygon that runs along most of the edge.
        length: (k,) length of the stretches of that polygon.
        offset: (k,) largest distance between the two along the stretches.

    """

    edge: NDArray[np.int64]
    polygon: NDArray[np.int64]
    length: NDArray[np.float64]
    offset: NDArray[np.float64]


def alongside(
    edges: NDArray[np.float64],
    polygon: NDArray[np.int64],
    asked: NDArray[np.bool_],
    reach: float,
    cancelled: Callable[[], None],
) -> Alongside:
    """Edges along which others run in the opposite direction, no farther than ``reach``.

    The distance between two straight stretches is largest at one of their ends, so those are
    compared, where both edges are. Stretches no longer than ``reach`` do not count: there any two
    edges that meet are near each other.

    Args:
        edges: (n, 4) x, y of the start and x, y of the end of directed edges of some length.
        polygon: (n,) the polygon to the left of each edge.
        asked: (n,) bool: the edges to test; the others are only candidates that run along them.
        reach: largest distance, units of the coordinates.
        cancelled: raises when the check was cancelled.

    """
    boxes = Boxes(spans(edges, reach))
    wanted = np.flatnonzero(asked)
    found = [np.empty((3, 0))]
    pairs = [np.empty((2, 0), dtype=np.int64)]
    for begin in range(0, len(wanted), QUERIED):
        cancelled()
        some = wanted[begin : begin + QUERIED]
        one, other = boxes.query(diagonals(boxes.bounds[some]))
        one = some[one]
        different = polygon[one] != polygon[other]
        one, other = one[different], other[different]
        length, offset = _stretches(edges[one], edges[other])
        near = (offset <= reach) & (length > reach)
        pairs.append(np.stack([one[near], polygon[other[near]]]))
        found.append(np.stack([one[near], length[near], offset[near]]))
    edge, beside = np.concatenate(pairs, axis=1)
    _, length, offset = np.concatenate(found, axis=1)
    return _longest(edge, beside, length, offset)


def equal_rows(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) a number for each row of (n, 4) floats, the same for equal rows only."""
    rows = rows + 0.0
    order = np.lexsort(rows.T)
    number = np.empty(len(rows), dtype=np.int64)
    number[order] = np.cumsum((rows[order] != rows[np.roll(order, 1)]).any(axis=1))
    return number


def _stretches(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(m,) length of each edge with an opposite edge beside it, and their largest distance.

    The length is not positive where there is no such stretch or the edges run in the same
    direction.
    """
    start, along = one[:, :2], one[:, 2:] - one[:, :2]
    size = np.hypot(along[:, 0], along[:, 1])
    along = along / size[:, np.newaxis]
    places, sides = [], []
    for end in (other[:, :2], other[:, 2:]):
        way = end - start
        places.append((way * along).sum(axis=1))
        sides.append(along[:, 0] * way[:, 1] - along[:, 1] * way[:, 0])
    # The other edge runs from the place farther along to the nearer one.
    run = places[0] - places[1]
    low, high = np.maximum(places[1], 0.0), np.minimum(places[0], size)
    length = np.where(run > 0, high - low, 0.0)
    slope = np.divide(sides[0] - sides[1], run, out=np.zeros_like(run), where=run > 0)
    at_low, at_high = (sides[1] + slope * (at - places[1]) for at in (low, high))
    return length, np.maximum(np.abs(at_low), np.abs(at_high))


def _longest(
    edge: NDArray[np.int64],
    polygon: NDArray[np.int64],
    length: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> Alongside:
    """For each edge the polygon that runs along most of it, the lowest of equals."""
    order = np.lexsort((polygon, edge))
    edge, polygon, length, offset = edge[order], polygon[order], length[order], offset[order]
    new = np.ones(len(edge), dtype=bool)
    new[1:] = (edge[1:] != edge[:-1]) | (polygon[1:] != polygon[:-1])
    first = np.flatnonzero(new)
    if len(first):
        length = np.add.reduceat(length, first)
        offset = np.maximum.reduceat(offset, first)
    edge, polygon = edge[first], polygon[first]
    order = np.lexsort((polygon, -length, edge))
    best = order[np.diff(edge[order], prepend=-1) != 0]
    return Alongside(edge[best], polygon[best], length[best], offset[best])


__all__ = ["Alongside", "alongside", "equal_rows"]
