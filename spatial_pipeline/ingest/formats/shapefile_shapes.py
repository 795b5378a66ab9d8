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

from spatial_pipeline.ingest.formats.shapefile_layout import LINE, POINT, POLYGON, laid_out
from spatial_pipeline.ingest.formats.shapefile_rings import grouped
from spatial_pipeline.ingest.formats.shapefile_wkb import (
    Positions,
    line_units,
    point_units,
    polygon_units,
    written,
)
from spatial_pipeline.ingest.integrity.shapefile import gathered

Integers = NDArray[np.int64]
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
    xy = _ordinates(data, found.xy, found.points, 2)
    z, m = (_ordinates(data, start, found.points, 1) for start in (found.z, found.m))
    m[~(m >= _NO_DATA)] = np.nan
    owner = np.repeat(np.arange(len(rows)), found.points)
    measured = np.zeros(len(rows), dtype=bool)
    measured[owner[~np.isnan(m[:, 0])]] = True
    values = np.hstack([xy, z, m])
    rewound = 0
    if base == POLYGON:
        order = grouped(xy, found.sizes, found.owner)
        rewound = order.rewound
        values = values[_moved(found.sizes, order.rings)]
        units = polygon_units(found.sizes[order.rings], found.owner, order.shells, len(rows))
    elif base == LINE:
        units = line_units(found.sizes, found.owner, len(rows))
    else:
        units = point_units(found.points, many=base != POINT)
    wkb = written(units, Positions(values, found.z >= 0, measured))
    places = np.full(len(at), -1)
    places[rows] = np.arange(len(rows))
    return Shapes(wkb.take(pa.array(places, mask=places < 0)), damaged, rewound)


def _ordinates(data: bytes, start: Integers, count: Integers, width: int) -> NDArray[np.float64]:
    """(sum of count, width) doubles from each start on, NaN where it is below 0."""
    owner = np.repeat(np.arange(len(start)), count)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    found = np.full((len(owner), width), np.nan)
    there = start[owner] >= 0
    at = (start[owner] + 8 * width * number)[there]
    found[there] = gathered(data, at, 8 * width).view("<f8")
    return found


def _moved(sizes: Integers, order: Integers) -> Integers:
    """Numbers of the positions when the parts that they belong to are put in another order."""
    starts = (np.cumsum(sizes) - sizes)[order]
    sizes = sizes[order]
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    moved: Integers = np.arange(total) + np.repeat(starts - (ends - sizes), sizes)
    return moved
