"""Shapes of a .shp file as WKB: all records of a batch at once.

Positions are kept bit by bit. A measure below -1e38 means no data and becomes NaN; a shape whose
measures are all none has no M. Where things are in a record belongs to ``shapefile_layout``, how
rings make polygons to ``shapefile_rings``, the form of WKB to ``shapefile_wkb``.

Source: ESRI Shapefile Technical Description (1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.ingest.formats.shapefile_layout import (
    LINE,
    POINT,
    POLYGON,
    ShapeLayout,
    laid_out,
)
from spatial_pipeline.ingest.formats.shapefile_rings import grouped
from spatial_pipeline.ingest.formats.shapefile_wkb import (
    line_units,
    point_units,
    polygon_units,
    written,
)
from spatial_pipeline.ingest.stretches import doubles

Integers = NDArray[np.int64]
_FLAT = 9
"""Types beyond have Z or M."""
_NO_DATA = -1e38
"""Measures below say that there is none."""


@dataclass(frozen=True)
class Shapes:
    """Shapes of some records.

    Attributes:
        wkb: (n,) ISO WKB, null for null shapes and damaged records.
        damaged: (n,) bool, records whose counts, parts or rings do not fit.
        rewound: polygons in which winding order does not tell outer rings from holes.

    """

    wkb: pa.Array
    damaged: NDArray[np.bool_]
    rewound: int


def shapes_of(data: bytes, kind: int, at: Integers, lengths: Integers) -> Shapes:
    """Shapes of records.

    Args:
        data: a piece of the .shp file.
        kind: shape type of all of them; neither null nor MultiPatch.
        at: (n,) position of the content of each record in ``data``.
        lengths: (n,) bytes of the content, 0 for null shapes.

    """
    base = kind % 10
    there = np.flatnonzero(lengths > 0)
    sound, found = laid_out(data, kind, at[there], lengths[there])
    rows = there[sound]
    damaged = lengths > 0
    damaged[rows] = False
    parts = _Parts.of(found, base)
    body = parts.ordinates(data, found.xy, 2)
    rewound = 0
    if base == POLYGON:
        order = grouped(body.reshape(-1, 2), parts.sizes, parts.owner)
        rewound = order.rewound
        if (np.diff(order.rings) != 1).any():
            parts = parts.taken(order.rings)
            body = parts.ordinates(data, found.xy, 2)
        units = polygon_units(parts.sizes, parts.owner, order.shells, len(rows))
    elif base == LINE:
        units = line_units(parts.sizes, parts.owner, len(rows))
    else:
        units = point_units(found.points, many=base != POINT)
    measured = np.zeros(len(rows), dtype=bool)
    if kind > _FLAT:
        z, m = (parts.ordinates(data, start, 1) for start in (found.z, found.m))
        m = np.where(m >= _NO_DATA, m, np.nan)
        owner = np.repeat(parts.owner, parts.sizes)
        measured[owner[~np.isnan(m)]] = True
        values = np.column_stack([body.reshape(-1, 2), z, m])
        kept = np.ones(values.shape, dtype=bool)
        kept[:, 2], kept[:, 3] = (found.z >= 0)[owner], measured[owner]
        body = values[kept]
    wkb = written(units, found.z >= 0, measured, body)
    if len(rows) < len(at):
        places = np.full(len(at), -1)
        places[rows] = np.arange(len(rows))
        wkb = wkb.take(pa.array(places, mask=places < 0))
    return Shapes(wkb, damaged, rewound)


@dataclass(frozen=True)
class _Parts:
    """Lines, rings, or the points of a record.

    Attributes:
        owner: (p,) record.
        before: (p,) positions of the record before those of the part.
        sizes: (p,) positions.

    """

    owner: Integers
    before: Integers
    sizes: Integers

    @classmethod
    def of(cls, found: ShapeLayout, base: int) -> _Parts:
        """The parts of all records, in the order of the file."""
        if base not in {LINE, POLYGON}:
            records = np.arange(len(found.points))
            return cls(records, np.zeros(len(records), np.int64), found.points)
        before = np.cumsum(found.sizes) - found.sizes
        before -= (np.cumsum(found.points) - found.points)[found.owner]
        return cls(found.owner, before, found.sizes)

    def taken(self, order: Integers) -> _Parts:
        """Some of the parts, or all in another order."""
        return _Parts(self.owner[order], self.before[order], self.sizes[order])

    def ordinates(self, data: bytes, start: Integers, width: int) -> NDArray[np.float64]:
        """(positions * width,) ordinates; NaN for records whose ``start`` is below 0.

        Args:
            data: a piece of the .shp file.
            start: (n,) position in it of the first ordinate of each record.
            width: ordinates of a position that stand together.

        """
        at, counts = start[self.owner] + 8 * width * self.before, width * self.sizes
        there = start[self.owner] >= 0
        if there.all():
            return doubles(data, at, counts)
        found = np.full(int(counts.sum()), np.nan)
        found[np.repeat(there, counts)] = doubles(data, at[there], counts[there])
        return found
