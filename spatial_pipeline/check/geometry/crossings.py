"""Points and sections where lines meet each other, apart from their ends.

Ends are the boundary of OGC 06-103r4, 6.1.6: a closed line has none. The predicate decides which
pairs meet; the places come from a floating-point overlay, in which ends keep their coordinates.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

INTERIORS = "T********"
"""DE-9IM: the interiors of two lines share a point."""
ENDS_ONLY = "FF*F*****"
"""DE-9IM: two lines share ends or nothing."""


def crossings(
    one: NDArray[np.object_], other: NDArray[np.object_], *, touching: bool
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """The points and stretches in which pairs of lines meet, ends apart.

    Args:
        one: (n,) lines that intersect those beside them.
        other: (n,) lines.
        touching: an end on the inside of the other line counts; else only where both go on.

    Returns:
        (k,) points and lines, and (k,) the ascending index of their pair.

    """
    met = (
        ~shapely.relate_pattern(one, other, ENDS_ONLY)
        if touching
        else shapely.relate_pattern(one, other, INTERIORS)
    )
    pair = np.flatnonzero(met)
    one, other = one[pair], other[pair]
    shared = shapely.intersection(one, other)
    lines, points = (_parts(shared, d) for d in (1, 0))
    first, second = (
        shapely.intersects(points[0], shapely.boundary(side[points[1]])) for side in (one, other)
    )
    kept = ~(first & second) if touching else ~(first | second)
    parts = np.concatenate([lines[0], points[0][kept]])
    index = np.concatenate([lines[1], points[1][kept]])
    # Rounding may move a meeting onto an end: then all of it is shown.
    lost = np.setdiff1d(np.arange(len(pair)), index)
    parts, index = np.concatenate([parts, shared[lost]]), np.concatenate([index, lost])
    order = np.argsort(index, kind="stable")
    return parts[order], pair[index[order]]


def _parts(
    shared: NDArray[np.object_], dimension: int
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """The simple parts of one dimension, lines merged, and the index of their geometry."""
    parts, index = shapely.get_parts(shared, return_index=True)
    wanted = (shapely.get_dimensions(parts) == dimension) & ~shapely.is_empty(parts)
    parts, index = parts[wanted], index[wanted]
    if dimension == 1 and len(parts):
        several, compact = np.unique(index, return_inverse=True)
        merged = shapely.line_merge(shapely.multilinestrings(parts, indices=compact))
        parts, index = shapely.get_parts(merged, return_index=True)
        index = several[index]
    return parts, index


__all__ = ["crossings"]
