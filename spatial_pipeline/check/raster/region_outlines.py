"""Exact polygon outlines of pixel regions."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.raster.grid import Transform, to_crs

Indices = NDArray[np.int64]


def outlines(
    row: Indices, start: Indices, stop: Indices, region: Indices, transform: Transform
) -> NDArray[np.object_]:
    """The outline of every region as a valid polygon along pixel edges, holes included.

    A region is 4-connected and given by its maximal horizontal runs. The corners of its boundary
    are those run ends that no run above or below continues; in each column of corners they pair up
    to vertical edges and in each row to horizontal ones, which gives rings (O'Rourke 1988,
    "Uniqueness of orthogonal connect-the-dots"). Where a region touches itself at a corner, two
    corners coincide and are paired such that the rings stay apart: they touch in that point, which
    OGC Simple Features allows between rings and forbids within one.

    Args:
        row: (n,) row of every run, in ascending order.
        start: (n,) first column, in ascending order within a row.
        stop: (n,) column after the last.
        region: (n,) region of the run, 0 … k-1, every one with a run.
        transform: affine coefficients (a, b, c, d, e, f) from (column, row) to the CRS.

    Returns:
        (k,) polygons in the CRS of the transform.

    """
    x, y, owner, is_tail = _corners(row, start, stop, region)
    if not len(x):
        return np.empty(0, dtype=object)
    below = _paired(np.lexsort((y, x)))
    beside = _paired(np.lexsort((x, y, owner)))
    tail = np.flatnonzero(is_tail)
    place = np.empty(len(x), dtype=np.int64)
    place[tail] = np.arange(len(tail))
    leader, ahead = _cycles(place[beside[below[tail]]])
    order = np.lexsort((-ahead, leader, owner[tail]))
    vertex = np.stack([tail[order], below[tail[order]]], axis=1).ravel()
    begins = np.diff(leader[order], prepend=-1) != 0
    ring = np.repeat(np.cumsum(begins) - 1, 2)
    points = to_crs(np.stack([x[vertex] // 2, y[vertex]], axis=1).astype(np.float64), transform)
    rings = shapely.linearrings(points, indices=ring)
    return np.asarray(shapely.polygons(rings, indices=owner[tail[order]][begins]), dtype=object)


def rectangles(
    top: Any, left: Any, bottom: Any, right: Any, transform: Transform
) -> NDArray[np.object_]:
    """Polygons of (n,) rectangles of pixels, from the first row and column to those behind."""
    ends = np.stack([left, top, right, top, right, bottom, left, bottom], axis=-1)
    points = to_crs(ends.reshape(-1, 2).astype(np.float64), transform)
    return np.asarray(shapely.polygons(points.reshape(-1, 4, 2)), dtype=object)


def _corners(
    row: Indices, start: Indices, stop: Indices, region: Indices
) -> tuple[Indices, Indices, Indices, NDArray[np.bool_]]:
    """Boundary corners: twice the column (plus 1 on a right edge), row, region, and direction.

    Directed with the region on the same hand all along, a left edge runs from its top corner to its
    bottom corner and a right edge from bottom to top: the corners that vertical edges leave from
    are the tails. Left comes before right at one place, which is the order that keeps the
    rings apart where a region touches itself.
    """
    x = np.tile(np.concatenate([start * 2, stop * 2 + 1]), 2)
    y = np.concatenate([row, row, row + 1, row + 1])
    tails = np.repeat([True, False, False, True], len(row))
    order = np.lexsort((x, y))
    same = (np.diff(x[order]) == 0) & (np.diff(y[order]) == 0)
    stays = np.ones(len(x), dtype=bool)
    stays[order[1:][same]] = False
    stays[order[:-1][same]] = False
    keep = np.flatnonzero(stays)
    return x[keep], y[keep], np.tile(region, 4)[keep], tails[keep]


def _paired(order: Indices) -> Indices:
    """Partner of every corner when neighbours in this order belong together, two by two."""
    partner = np.empty(len(order), dtype=np.int64)
    partner[order[0::2]] = order[1::2]
    partner[order[1::2]] = order[0::2]
    return partner


def _cycles(following: Indices) -> tuple[Indices, Indices]:
    """The cycles of a permutation by pointer doubling (Wyllie 1979).

    Returns:
        (n,) smallest member of the cycle, and (n,) steps that lead to it; for the smallest member
        itself the length of a whole round or more.

    """
    n = len(following)
    leader, jump = np.arange(n), following
    while not np.array_equal(lower := np.minimum(leader, leader[jump]), leader):
        leader, jump = lower, jump[jump]
    is_leader = leader == np.arange(n)
    ahead: Any = np.where(is_leader, 0, 1)
    jump = np.where(is_leader, np.arange(n), following)
    while not is_leader[jump].all():
        ahead = ahead + ahead[jump]
        jump = jump[jump]
    return leader, np.where(is_leader, n, ahead)
