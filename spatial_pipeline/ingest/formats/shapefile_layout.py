"""Offsets of parts and positions in the records of a .shp file whose counts fit.

Source: ESRI Shapefile Technical Description (1998).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.ingest.stretches import gathered

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
POINT, LINE, POLYGON, POINTS = 1, 3, 5, 8
"""Shape types without Z and M; with Z they are 10 more, with M 20 more."""
_BOX_BYTES = 36
"""Shape type and box, before the counts."""
_RANGE_BYTES = 16
"""Least and greatest Z or M, before those of the positions."""
MIN_RING, MIN_LINE, MIN_PATCH = 4, 2, 3
"""Fewest positions of a part."""
LAST_PART_TYPE = 5
"""Types of parts of a MultiPatch: strips and fans of triangles, rings."""


@dataclass(frozen=True)
class ShapeLayout:
    """Records of one shape type, and their parts one after the other.

    Attributes:
        points: (n,) number of positions.
        xy: (n,) position in the buffer of the first XY.
        z: (n,) of the first Z, -1 without.
        m: (n,) of the first M, -1 without.
        sizes: (p,) number of positions of each part; none for points.
        owner: (p,) record of each part.

    """

    points: Integers
    xy: Integers
    z: Integers
    m: Integers
    sizes: Integers
    owner: Integers

    def taken(self, mask: Mask) -> ShapeLayout:
        """Some of the records."""
        if mask.all():
            return self
        number = np.cumsum(mask) - 1
        kept = mask[self.owner]
        arrays = {f.name: getattr(self, f.name)[mask] for f in fields(self)[:4]}
        return ShapeLayout(**arrays, sizes=self.sizes[kept], owner=number[self.owner[kept]])


def laid_out(data: bytes, kind: int, at: Integers, lengths: Integers) -> tuple[Mask, ShapeLayout]:
    """The layout of sound records, and which they are.

    Args:
        data: a piece of the .shp file.
        kind: shape type of all of them.
        at: (n,) position of the content of each record in ``data``.
        lengths: (n,) bytes of the content.

    """
    base = kind % 10
    parts, points, sound = _counts(data, base, at, lengths)
    xy = at + (4 if base == POINT else _BOX_BYTES + 4 + 4 * (base != POINTS) + 4 * parts)
    end = xy + 16 * points
    spread = 0 if base == POINT else _RANGE_BYTES
    none = np.full(len(at), -1)
    z, m = none, none
    if kind // 10 == 1:
        z = end + spread
        end = z + 8 * points
    if kind > 10:
        measured = end + spread + 8 * points == at + lengths
        m = np.where(measured, end + spread, -1)
        end = np.where(measured, at + lengths, end)
    sound &= end == at + lengths
    place = np.flatnonzero(sound)
    nothing = np.empty(0, np.int64)
    layout = ShapeLayout(points[place], xy[place], z[place], m[place], nothing, nothing)
    if base not in {LINE, POLYGON}:
        return sound, layout
    parted, layout = _parted(data, layout, parts[place], MIN_RING if base == POLYGON else MIN_LINE)
    sound[place[~parted]] = False
    if base == POLYGON:
        place = place[parted]
        closed = _closed(data, layout)
        sound[place[~closed]] = False
        layout = layout.taken(closed)
    return sound, layout


def patches_fit(data: bytes, at: Integers, lengths: Integers) -> Mask:
    """(n,) bool: MultiPatch records whose counts, parts and types of parts fit.

    Args:
        data: a piece of the .shp file.
        at: (n,) position of the content of each record in ``data``.
        lengths: (n,) bytes of the content.

    """
    parts, points, sound = _counts(data, LINE, at, lengths)
    types = at + _BOX_BYTES + 8 + 4 * parts
    xy = types + 4 * parts
    end = xy + 16 * points + _RANGE_BYTES + 8 * points
    measures = _RANGE_BYTES + 8 * points
    sound &= (at + lengths == end) | (at + lengths == end + measures)
    place = np.flatnonzero(sound)
    nothing = np.empty(0, np.int64)
    # Where each part begins stands before the types.
    none = np.full(len(place), -1)
    layout = ShapeLayout(points[place], types[place], none, none, nothing, nothing)
    parted, layout = _parted(data, layout, parts[place], MIN_PATCH)
    sound[place[~parted]] = False
    place = place[parted]
    first = np.cumsum(parts[place]) - parts[place]
    number = np.arange(len(layout.owner)) - first[layout.owner]
    found = gathered(data, layout.xy[layout.owner] + 4 * number, 4).view("<i4")[:, 0]
    sound[place[layout.owner[(found < 0) | (found > LAST_PART_TYPE)]]] = False
    return sound


def _counts(
    data: bytes, base: int, at: Integers, lengths: Integers
) -> tuple[Integers, Integers, Mask]:
    """Numbers of parts and positions, 0 where they cannot be in the record, and where they can."""
    parts, points = np.zeros(len(at), np.int64), np.ones(len(at), np.int64)
    if base == POINT:
        return parts, points, lengths >= 4 + 16
    counts = 1 if base == POINTS else 2
    sound = lengths >= _BOX_BYTES + 4 * counts
    found = gathered(data, at[sound] + _BOX_BYTES, 4 * counts).view("<i4").astype(np.int64)
    points[:] = 0
    points[sound] = found[:, -1]
    if counts == 2:
        parts[sound] = found[:, 0]
    room = lengths - _BOX_BYTES - 4 * counts
    sound &= (parts >= 0) & (points >= 0) & (4 * parts + 16 * points <= room)
    parts[~sound] = 0
    points[~sound] = 0
    return parts, points, sound


def _parted(
    data: bytes, layout: ShapeLayout, parts: Integers, fewest: int
) -> tuple[Mask, ShapeLayout]:
    """Records whose parts follow each other from the first position on, and their layout."""
    owner = np.repeat(np.arange(len(parts)), parts)
    first = np.cumsum(parts) - parts
    number = np.arange(len(owner)) - first[owner]
    begin = layout.xy[owner] - 4 * (parts[owner] - number)
    starts = gathered(data, begin, 4).view("<i4")[:, 0].astype(np.int64)
    ends = np.append(starts[1:], 0)
    last = number == parts[owner] - 1
    ends[last] = layout.points[owner[last]]
    sizes = ends - starts
    wrong = np.zeros(len(parts), dtype=bool)
    wrong[owner[(sizes < fewest) | (starts < 0) | ((number == 0) & (starts != 0))]] = True
    wrong |= (parts == 0) & (layout.points > 0)
    whole = ShapeLayout(layout.points, layout.xy, layout.z, layout.m, sizes, owner)
    return ~wrong, whole.taken(~wrong)


def _closed(data: bytes, layout: ShapeLayout) -> Mask:
    """Records whose rings end where they begin."""
    ends = np.cumsum(layout.sizes)
    before = (np.cumsum(layout.points) - layout.points)[layout.owner]
    first = layout.xy[layout.owner] + 16 * (ends - layout.sizes - before)
    last = first + 16 * (layout.sizes - 1)
    begins, stops = (gathered(data, at, 16).view("<f8") for at in (first, last))
    closed = np.ones(len(layout.points), dtype=bool)
    closed[layout.owner[~(begins == stops).all(axis=1)]] = False
    return closed
