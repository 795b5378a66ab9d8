"""Pairs of geometries in a DE-9IM relation: candidates by box, the predicate exact.

Source of the relations: OGC 06-103r4, 6.1.15. As in ``intersecting_pairs``, the tree is asked for
boxes of a few geometries at a time, and the predicates are ufuncs that release the GIL.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

CHUNK = 512
"""Geometries whose boxes are looked up in one call."""
PAIRS = 8192
"""Pairs whose predicate is evaluated in one call."""
INDEXED = 100
"""Vertices of a geometry above which an index of them is worth while, with a few neighbours."""
TURNED = {"within": "contains", "covered_by": "covers"}
"""Predicates that are faster from the other side, where the larger geometry is prepared."""
BOTH_WAYS = {"intersects", "touches", "crosses", "overlaps"}
"""Predicates that are the same from either side."""
HOLDING = {"contains", "contains_properly", "covers", "equals"}
"""Predicates under which the box of the first geometry holds that of the second one."""
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
Wanted = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
Predicate = Callable[[NDArray[np.object_], NDArray[np.object_]], Any]


def related(
    asking: NDArray[np.object_],
    several: NDArray[np.object_],
    relation: str,
    cancelled: Callable[[], None] = lambda: None,
    wanted: Wanted | None = None,
) -> Pairs:
    """Pairs that are in a relation, given in the order (asking, other).

    Args:
        asking: (n,) valid geometries.
        several: (m,) valid geometries; no other thread uses either, as they are prepared.
        relation: name of a predicate of Shapely, or a DE-9IM mask of nine characters, under which
            disjoint geometries are not in relation.
        cancelled: raises when the time is up.
        wanted: says of pairs of indices which ones are to be decided; all unless given. A predicate
            costs far more than a comparison of numbers.

    Returns:
        (k,) indices of the asking ones, ascending, and (k,) indices of the others, ascending for
        each of them.

    """
    turned = TURNED.get(relation)
    swap = turned is not None or (relation in BOTH_WAYS and _heavier(several, asking))
    holds = predicate(turned or relation)
    if (turned or relation) in HOLDING:
        wanted = _holding(asking, several, swap, wanted)
    return _pairs(asking, several, holds, 0.0, swap, cancelled, wanted)


def within_reach(
    asking: NDArray[np.object_],
    several: NDArray[np.object_],
    reach: float,
    cancelled: Callable[[], None] = lambda: None,
) -> Pairs:
    """Pairs at most ``reach`` apart; with a reach of 0 those that intersect, decided exactly.

    Args:
        asking: (n,) geometries.
        several: (m,) geometries; no other thread uses either, as they are prepared.
        reach: units of the coordinates.
        cancelled: raises when the time is up.

    Returns:
        As :func:`related`.

    """
    if not reach:
        return related(asking, several, "intersects", cancelled)
    swap = _heavier(several, asking)
    near = partial(_dwithin, reach=reach)
    return _pairs(asking, several, near, reach, swap, cancelled)


def apart(
    asking: NDArray[np.object_],
    several: NDArray[np.object_],
    reach: float,
    cancelled: Callable[[], None] = lambda: None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs at most ``reach`` apart and their distances, each measured once.

    Args:
        asking: (n,) geometries.
        several: (m,) geometries.
        reach: units of the coordinates.
        cancelled: raises when the time is up.

    Returns:
        As :func:`related`, and (k,) distances.

    """
    found: list[NDArray[np.float64]] = [np.empty(0)]

    def near(one: NDArray[np.object_], other: NDArray[np.object_]) -> NDArray[np.bool_]:
        distance = np.asarray(shapely.distance(one, other), dtype=np.float64)
        kept = distance <= reach
        found.append(distance[kept])
        return kept

    one, other = _pairs(asking, several, near, reach, False, cancelled)
    return one, other, np.concatenate(found)


def predicate(relation: str) -> Predicate:
    """The function that decides a relation."""
    if len(relation) == 9 and set(relation) <= set("TF*012"):
        return lambda a, b: shapely.relate_pattern(a, b, relation)
    function: Predicate = getattr(shapely, relation)
    return function


def _holding(
    asking: NDArray[np.object_], several: NDArray[np.object_], swap: bool, wanted: Wanted | None
) -> Wanted:
    """Keeps those wanted pairs in which one box holds the other."""
    theirs, mine = (shapely.bounds(some).reshape(-1, 4) for some in (several, asking))

    def kept(i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.bool_]:
        large, small = (theirs[j], mine[i]) if swap else (mine[i], theirs[j])
        held: NDArray[np.bool_] = (large[:, 0] <= small[:, 0]) & (large[:, 1] <= small[:, 1])
        held &= (large[:, 2] >= small[:, 2]) & (large[:, 3] >= small[:, 3])
        if wanted is not None:
            held[held] = wanted(i[held], j[held])
        return held

    return kept


def _dwithin(one: NDArray[np.object_], other: NDArray[np.object_], reach: float) -> Any:
    return shapely.dwithin(one, other, reach)


def _heavier(one: NDArray[np.object_], other: NDArray[np.object_]) -> bool:
    """True when geometries have more vertices than others, so that they gain by an index."""
    if not len(one) or not len(other):
        return False
    vertices = (shapely.get_num_coordinates(side).mean() for side in (one, other))
    return bool(next(vertices) > next(vertices))


def _pairs(
    asking: NDArray[np.object_],
    several: NDArray[np.object_],
    holds: Predicate,
    reach: float,
    swap: bool,
    cancelled: Callable[[], None],
    wanted: Wanted | None = None,
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
        if wanted is not None:
            chosen = wanted(i, j)
            i, j = i[chosen], j[chosen]
        heavy = several[np.unique(j)] if swap else asking[np.unique(i)]
        shapely.prepare(heavy[shapely.get_num_coordinates(heavy) > INDEXED])
        kept = np.zeros(len(i), dtype=bool)
        for begin in range(0, len(i), PAIRS):
            cancelled()
            some = slice(begin, begin + PAIRS)
            one, other = asking[i[some]], several[j[some]]
            kept[some] = holds(other, one) if swap else holds(one, other)
        left.append(i[kept])
        right.append(j[kept])
    return np.concatenate(left), np.concatenate(right)


def shortest_lines(one: NDArray[np.object_], other: NDArray[np.object_]) -> NDArray[np.object_]:
    """(n,) shortest lines in the XY plane between the geometries of each pair.

    Of several equally short lines, GEOS returns another one for prepared geometries. Copies are
    never prepared, so that the line does not depend on what was asked of the geometries before.
    """
    lines: NDArray[np.object_] = shapely.shortest_line(
        shapely.force_2d(one), shapely.force_2d(other)
    )
    return lines


__all__ = ["Pairs", "apart", "predicate", "related", "shortest_lines", "within_reach"]
