"""Old features that were split into several new ones, or merged into one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.eligible import LINE, POLYGON

SHARE = 0.95
"""Share of a part that must lie in the whole, and of the whole that its parts must cover."""

CHUNK = 16_384
"""Pairs whose intersections are measured at once."""


@dataclass(frozen=True)
class SplitMerge:
    """A whole and its parts, by their indices."""

    whole: int
    parts: tuple[int, ...]


def families(
    wholes: NDArray[np.object_],
    parts: NDArray[np.object_],
    cancelled: Callable[[], None] = lambda: None,
) -> list[SplitMerge]:
    """The wholes that consist of two or more parts.

    A part belongs to a whole when most of it (``SHARE``) lies in it, by area for polygons and by
    length for lines; together they must cover most of the whole. A part belongs to one whole only:
    the first one.

    Args:
        wholes: (n,) valid geometries; None, points and collections have no parts.
        parts: (m,) valid geometries, likewise.
        cancelled: raises when the time is up.

    Returns:
        Families with ascending wholes, and ascending parts in each.

    """
    found: list[SplitMerge] = []
    for dimension, size in ((LINE, shapely.length), (POLYGON, shapely.area)):
        w, p = (np.flatnonzero(_of(g, dimension)) for g in (wholes, parts))
        i, j = shapely.STRtree(parts[p]).query(wholes[w], predicate="intersects")
        whole, part = w[i], p[j]
        shared = np.zeros(len(whole))
        for start in range(0, len(whole), CHUNK):
            cancelled()
            piece = slice(start, start + CHUNK)
            common = shapely.intersection(wholes[whole[piece]], parts[part[piece]])
            shared[piece] = size(common)
        inside = (shared >= SHARE * size(parts[part])) & (shared > 0)
        whole, part, shared = whole[inside], part[inside], shared[inside]
        covered = np.bincount(whole, shared, minlength=len(wholes))
        several = np.bincount(whole, minlength=len(wholes)) > 1
        held = np.flatnonzero(
            several & (covered >= SHARE * np.nan_to_num(size(wholes), nan=np.inf))
        )
        order = np.lexsort((part, whole))
        whole, part = whole[order], part[order]
        begin, end = (np.searchsorted(whole, held, side) for side in ("left", "right"))
        found += [
            SplitMerge(int(h), tuple(part[b:e].tolist()))
            for h, b, e in zip(held, begin, end, strict=True)
        ]
    return _disjoint(sorted(found, key=lambda f: f.whole))


def _of(geometry: NDArray[np.object_], dimension: int) -> NDArray[np.bool_]:
    """(n,) bool: valid geometries of one dimension that are no collection."""
    plain = (shapely.get_dimensions(geometry) == dimension) & (shapely.get_type_id(geometry) < 7)
    return np.asarray(plain & ~shapely.is_empty(geometry) & shapely.is_valid(geometry), dtype=bool)


def _disjoint(found: Iterable[SplitMerge]) -> list[SplitMerge]:
    taken: set[int] = set()
    kept: list[SplitMerge] = []
    for family in found:
        if taken.isdisjoint(family.parts):
            taken.update(family.parts)
            kept.append(family)
    return kept


__all__ = ["SplitMerge", "families"]
