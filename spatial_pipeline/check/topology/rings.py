"""Rings of polygons straight from WKB, as coordinate arrays: no geometry is built.

Decoding a million polygons into objects takes longer than everything that a coverage needs of them.
What is not plain (other types, other byte orders, Z, damaged records) is left to Shapely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

HEADER = 13
"""Bytes before the coordinates of a polygon's first ring: byte order, type, rings, points."""
POINT = 16
POLYGON = 3
MOST_RINGS = 64
"""Rings of one polygon that are worth a step each; those with more are left to Shapely."""


@dataclass(frozen=True)
class Rings:
    """Closed rings of polygons.

    Attributes:
        x: (p,) float64 x of the vertices, the last of a ring equal to its first; -0.0 is 0.0.
        y: (p,) float64 y of the vertices.
        starts: (r + 1,) first vertex of each ring, and the number of vertices.
        polygon: (r,) ascending index of the polygon of each ring, its shell first.

    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    starts: NDArray[np.int64]
    polygon: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.polygon)

    def take(self, ring: NDArray[np.bool_]) -> Rings:
        """The rings of a mask."""
        sizes = np.diff(self.starts)
        point = np.repeat(ring, sizes)
        starts = np.concatenate([[0], np.cumsum(sizes[ring])])
        return Rings(self.x[point], self.y[point], starts, self.polygon[ring])


def plain_rings(wkb: pa.Array) -> tuple[Rings, NDArray[np.bool_]]:
    """The rings of the plain polygons, and which these are.

    A polygon is plain when it is little-endian WKB of type 3 of exactly the length that its counts
    say, with at least one ring, and every ring has four points or more and is closed.

    Args:
        wkb: (n,) Arrow binary or large_binary.

    Returns:
        Rings, ``polygon`` an index into ``wkb``; and (n,) bool.

    """
    n = len(wkb)
    raw, begin, end = _bytes(wkb)
    plain = np.asarray(wkb.is_valid()) & (end - begin >= HEADER + 4 * POINT)
    at = np.flatnonzero(plain)
    head = raw[begin[at, np.newaxis] + np.arange(9)] if len(at) else np.empty((0, 9), np.uint8)
    rings = _uint32(head, 5)
    fits = (head[:, 0] == 1) & (_uint32(head, 1) == POLYGON) & (rings > 0) & (rings <= MOST_RINGS)
    at, rings = at[fits], rings[fits]
    of, first, count = _ring_table(raw, at, begin[at] + 9, end[at], rings)
    plain = np.zeros(n, dtype=bool)
    plain[of] = True
    starts = np.concatenate([[0], np.cumsum(count)])
    where = np.repeat(first - POINT * starts[:-1], count) + POINT * np.arange(starts[-1])
    points = _points(raw, where)
    found = Rings(points[:, 0] + 0.0, points[:, 1] + 0.0, starts, of)
    head_, tail = found.starts[:-1], found.starts[1:] - 1
    closed = (found.x[head_] == found.x[tail]) & (found.y[head_] == found.y[tail])
    if not closed.all():
        plain[of[~closed]] = False
        found = found.take(plain[of])
    return found, plain


def _ring_table(
    raw: NDArray[np.uint8],
    polygon: NDArray[np.int64],
    cursor: NDArray[np.int64],
    end: NDArray[np.int64],
    rings: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Polygon, first byte and number of points of every ring of the polygons that add up."""
    sound = np.ones(len(polygon), dtype=bool)
    table: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
    left = np.arange(len(polygon))
    step = 0
    while len(left):
        here = cursor[left]
        held = here + 4 <= end[left]
        count = np.zeros(len(left), dtype=np.int64)
        count[held] = _uint32(raw[here[held, np.newaxis] + np.arange(4)], 0)
        held &= (count >= 4) & (here + 4 + POINT * count <= end[left])
        sound[left[~held]] = False
        left, here, count = left[held], here[held], count[held]
        cursor[left] = here + 4 + POINT * count
        table.append((left, here + 4, count))
        step += 1
        left = left[rings[left] > step]
    sound &= cursor == end
    if not table:
        return (np.empty(0, np.int64),) * 3
    which, first, count = (np.concatenate(column) for column in zip(*table, strict=True))
    if step > 1:
        order = np.argsort(which, kind="stable")
        which, first, count = which[order], first[order], count[order]
    kept = sound[which]
    return polygon[which[kept]], first[kept], count[kept]


def _bytes(
    wkb: pa.Array,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The values of a binary array, and where each begins and ends in them."""
    kind = np.int64 if pa.types.is_large_binary(wkb.type) else np.int32
    _, places, values = wkb.buffers()
    if not len(wkb) or values is None:
        none = np.zeros(len(wkb), np.int64)
        return np.empty(0, np.uint8), none, none
    at = np.frombuffer(places, kind)[wkb.offset : wkb.offset + len(wkb) + 1].astype(np.int64)
    return np.frombuffer(values, np.uint8), at[:-1], at[1:]


def _uint32(rows: NDArray[np.uint8], column: int) -> NDArray[np.int64]:
    """(n,) little-endian numbers of four bytes each."""
    four = np.ascontiguousarray(rows[:, column : column + 4])
    return four.view("<u4")[:, 0].astype(np.int64)


def _points(raw: NDArray[np.uint8], where: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 2) coordinates that begin at these bytes, aligned or not."""
    if not len(where):
        return np.empty((0, 2))
    anywhere = np.ndarray((len(raw) - POINT + 1,), dtype="V16", buffer=raw, strides=(1,))
    return anywhere[where].view("<f8").reshape(-1, 2)
