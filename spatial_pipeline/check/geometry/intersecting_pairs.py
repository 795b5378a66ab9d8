"""Intersecting pairs of geometries of two sets, without keeping the GIL for long.

``shapely.STRtree.query`` keeps the GIL until it has answered for all geometries, including their
exact predicates. Here the tree only finds pairs whose boxes meet, for a few geometries per call;
the predicates are ufuncs, which release the GIL, so that other threads can work.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

CHUNK = 512
"""Geometries whose boxes are looked up in one call."""
PAIRS = 8192
"""Pairs whose predicate is evaluated in one call."""


def meeting(
    several: NDArray[np.object_],
    asking: NDArray[np.object_],
    predicate: Literal["intersects", "covers"],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As ``shapely.STRtree(several).query(asking, predicate)``: pairs for which it holds.

    Args:
        several: (n,) geometries; None and empty ones meet nothing.
        asking: (m,) geometries, likewise; they are prepared, so no other thread may use them.
        predicate: relation of the asking geometry to one of the others, in this order.

    Returns:
        (k,) indices of the asking ones, ascending, and (k,) indices of the others.

    """
    tree = shapely.STRtree(several)
    holds = getattr(shapely, predicate)
    none = np.empty(0, dtype=np.int64)
    left, right = [none], [none]
    for start in range(0, len(asking), CHUNK):
        i, j = tree.query(asking[start : start + CHUNK])
        i += start
        shapely.prepare(asking[np.unique(i)])
        kept = np.zeros(len(i), dtype=bool)
        for begin in range(0, len(i), PAIRS):
            some = slice(begin, begin + PAIRS)
            kept[some] = holds(asking[i[some]], several[j[some]])
        left.append(i[kept])
        right.append(j[kept])
    return np.concatenate(left), np.concatenate(right)


__all__ = ["meeting"]
