"""Rings of polygons, and points, read from WKB as coordinate arrays, without geometry objects.

Decoding a million polygons into objects takes longer than all other work of a coverage rule.
Polygons other than plain ones of one ring (holes, other types, other byte orders, Z, damaged
records) are left to Shapely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

HEADER = 13
"""Bytes before the coordinates of a polygon's first ring: byte order, type, rings, points."""
POINT = 16
BEGINNING = np.frombuffer(b"\x01\x03\x00\x00\x00\x01\x00\x00\x00", np.uint8)
"""First bytes of the little-endian WKB of a polygon of one ring; the point count follows."""
POINT_BEGINNING = np.frombuffer(b"\x01\x01\x00\x00\x00", np.uint8)
"""First bytes of the little-endian WKB of a point; its coordinates follow."""
LONGEST = 2**31 - 1


@dataclass(frozen=True)
class Rings:
    """Closed rings, each a polygon.

    Attributes:
        x: (p,) float64 x of the vertices, the last of a ring equal to its first; -0.0 is 0.0.
        y: (p,) float64 y of the vertices.
        starts: (r + 1,) first vertex of each ring, and the number of vertices.
        polygon: (r,) ascending index of the polygon of each ring.

    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    starts: NDArray[np.int64]
    polygon: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.polygon)

    def take(self, ring: NDArray[np.bool_]) -> Rings:
        """The rings selected by a mask."""
        sizes = np.diff(self.starts)
        point = np.repeat(ring, sizes)
        starts = np.concatenate([[0], np.cumsum(sizes[ring])])
        return Rings(self.x[point], self.y[point], starts, self.polygon[ring])


def plain_rings(wkb: pa.Array) -> Rings:
    """The rings of the plain polygons.

    A polygon is plain when it is little-endian WKB of type 3 with one closed ring of four points or
    more, of exactly the length that its count implies.

    Args:
        wkb: (n,) Arrow binary or large_binary.

    Returns:
        Rings, ``polygon`` an index into ``wkb``.

    """
    raw, begin, size = binary(wkb)
    at = np.flatnonzero(np.asarray(wkb.is_valid()) & (size >= HEADER + 4 * POINT))
    head = (
        raw[begin[at, np.newaxis] + np.arange(HEADER)] if len(at) else np.empty((0, HEADER), "u1")
    )
    plain = (head[:, : len(BEGINNING)] == BEGINNING).all(axis=1)
    points = np.ascontiguousarray(head[:, len(BEGINNING) :]).view("<u4")[:, 0]
    plain &= HEADER + POINT * points.astype(np.int64) == size[at]
    at = at[plain]
    some = wkb if len(at) == len(wkb) else wkb.take(pa.array(at))
    # Arrow strips the headers record by record: looking up each point takes ten times as long.
    values, first, stripped = binary(pc.binary_slice(some, HEADER, LONGEST))
    start = int(first[0]) if len(at) else 0
    xy = values[start : start + int(stripped.sum())].view("<f8").reshape(-1, 2)
    starts = np.concatenate([[0], np.cumsum(stripped // POINT)])
    found = Rings(xy[:, 0] + 0.0, xy[:, 1] + 0.0, starts, at)
    head_, tail = found.starts[:-1], found.starts[1:] - 1
    closed = (found.x[head_] == found.x[tail]) & (found.y[head_] == found.y[tail])
    return found if closed.all() else found.take(closed)


def plain_points(wkb: pa.Array) -> NDArray[np.float64] | None:
    """(n, 2) coordinates of points, NaN for empty ones; None unless all are plain.

    A point is plain when it is little-endian WKB of type 1.

    Args:
        wkb: (n,) Arrow binary or large_binary.

    """
    raw, begin, size = binary(wkb)
    whole = len(POINT_BEGINNING) + POINT
    if not len(wkb) or wkb.null_count or (size != whole).any():
        return None
    records = raw[begin[0] : begin[0] + whole * len(wkb)].reshape(-1, whole)
    if (records[:, : len(POINT_BEGINNING)] != POINT_BEGINNING).any():
        return None
    return np.ascontiguousarray(records[:, len(POINT_BEGINNING) :]).view("<f8")


def binary(
    wkb: pa.Array,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The bytes of a binary array, and (n,) where each value begins in them and how long it is."""
    kind = np.int64 if pa.types.is_large_binary(wkb.type) else np.int32
    _, places, values = wkb.buffers()
    if not len(wkb) or values is None:
        none = np.zeros(len(wkb), np.int64)
        return np.empty(0, np.uint8), none, none
    at = np.frombuffer(places, kind)[wkb.offset : wkb.offset + len(wkb) + 1].astype(np.int64)
    return np.frombuffer(values, np.uint8), at[:-1], np.diff(at)
