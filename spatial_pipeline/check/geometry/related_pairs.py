"""Pairs of geometries in a DE-9IM relation: candidates by box, the predicate exact.

Source of the relations: OGC 06-103r4, 6.1.15. As in ``intersecting_pairs``, the tree is asked for
boxes of a few geometries at a time, and the predicates are ufuncs that release the GIL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

CHUNK = 512
"""Geometries whose boxes are looked up in one call."""
PAIRS = 8192
"""Pairs whose predicate is evaluated in one call."""
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
Predicate = Callable[[NDArray[np.object_], NDArray[np.object_]], Any]


def related(
    asking: NDArray[np.object_],
    several: NDArray[np.object_],
    relation: str,
    cancelled: Callable[[], None] = lambda: None,
) -> Pairs:
    """Pairs that are in a relation, given in the order (asking, other).

    Args:
        asking: (n,) valid geometries that no other thread uses, as they are prepared.
        several: (m,) valid geometries.
        relation: name of a predicate of Shapely, or a DE-9IM mask of nine characters, under which
            disjoint geometries are not in relation.
        cancelled: raises when the time is up.

    Returns:
        (k,) indices of the asking ones, ascending, and (k,) indices of the others, ascending for
        each of them.

    """
    return _pairs(asking, several, predicate(relation), 0.0, cancelled)


def within_reach(
    asking: NDArray[np.object_],
    several: NDArray[np.object_],
    reach: float,
    cancelled: Callable[[], None] = lambda: None,
) -> Pairs:
    """Pairs at most ``reach`` apart; with a reach of 0 those that intersect, decided exactly.

    Args:
        asking: (n,) geometries that no other thread uses, as they are prepared.
        several: (m,) geometries.
        reach: units of the coordinates.
        cancelled: raises when the time is up.

    Returns:
        As :func:`related`.

    """
    if not reach:
        return related(asking, several, "intersects", cancelled)
    return _pairs(asking, several, lambda a, b: shapely.dwithin(a, b, reach), reach, cancelled)


def predicate(relation: str) -> Predicate:
    """The function that decides a relation."""
    if len(relation) == 9 and set(relation) <= set("TF*012"):
        return lambda a, b: shapely.relate_pattern(a, b, relation)
    function: Predicate = getattr(shapely, relation)
    return function


def _pairs(
    asking: NDArray[np.object_],
    several: NDArray[np.object_],
    holds: Predicate,
    reach: float,
    cancelled: Callable[[], None],
) -> Pairs:
    none = np.empty(0, dtype=np.int64)
    left, right = [none], [none]
    tree = shapely.STRtree(several)
    around = np.array([-reach, -reach, reach, reach])
    for start in range(0, len(asking) if len(several) else 0, CHUNK):
        cancelled()
        chunk = asking[start : start + CHUNK]
        boxes = shapely.box(*(shapely.bounds(chunk) + around).T) if reach else chunk
        i, j = tree.query(boxes)
        i += start
        order = np.lexsort([j, i])
        i, j = i[order], j[order]
        shapely.prepare(asking[np.unique(i)])
        kept = np.zeros(len(i), dtype=bool)
        for begin in range(0, len(i), PAIRS):
            cancelled()
            some = slice(begin, begin + PAIRS)
            kept[some] = holds(asking[i[some]], several[j[some]])
        left.append(i[kept])
        right.append(j[kept])
    return np.concatenate(left), np.concatenate(right)


__all__ = ["Pairs", "predicate", "related", "within_reach"]
