"""Differences between the geometries of paired features: kind, distance and place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.eligible import POLYGON
from spatial_pipeline.check.geometry.finite import not_finite_xy
from spatial_pipeline.check.geometry.hausdorff import hausdorff
from spatial_pipeline.check.geometry.normal_form import digests
from spatial_pipeline.check.geometry.unjudged import THREE_D

Mode = Literal["exact", "topological", "tolerance"]

MOVED = "moved"
RESHAPED = "same place, other vertices"


@dataclass(frozen=True)
class GeometryDifference:
    """Differences of n pairs of geometries.

    Attributes:
        differs: (n,) bool.
        kind: (n,) object: kind of difference; empty where there is none.
        distance: (n,) distance of the geometries, NaN where they do not differ or it is undefined.
        said: number of pairs for each note.

    """

    differs: NDArray[np.bool_]
    kind: NDArray[np.object_]
    distance: NDArray[np.float64]
    said: Counter[str]

    @classmethod
    def none(cls, n: int) -> GeometryDifference:
        """No difference in n pairs."""
        return cls(np.zeros(n, dtype=bool), np.full(n, "", object), np.full(n, np.nan), Counter())


def difference(
    here: NDArray[np.object_],
    there: NDArray[np.object_],
    mode: Mode,
    tolerance: float,
    cancelled: Callable[[], None] = lambda: None,
) -> GeometryDifference:
    """Compares geometries pair by pair, both in one CRS.

    Exact means the same type and the same coordinates (Z and M too) in the same order. Topological
    means the same set of points in the plane, regardless of the start of rings and of vertices on
    straight edges; a multi-geometry of one part equals that part. With a tolerance,
    :func:`hausdorff` decides. Unless compared exactly, all empty geometries are the same.

    Args:
        here: (n,) geometries or None.
        there: (n,) geometries or None.
        mode: how to compare.
        tolerance: distance in the units of the coordinates.
        cancelled: raises when the time is up.

    """
    n = len(here)
    out = GeometryDifference.none(n)
    null, other_null = shapely.is_missing(here), shapely.is_missing(there)
    _mark(out, null & ~other_null, "null here")
    _mark(out, other_null & ~null, "null in the other")
    both = np.flatnonzero(~null & ~other_null)
    with np.errstate(all="ignore"):
        same = np.zeros(len(both), dtype=bool)
        same[:] = shapely.equals_identical(here[both], there[both])
        if mode == "exact":
            _explain(out, here, there, both[~same], mode, cancelled)
            return out
        left = both[~same]
        empty = np.stack([shapely.is_empty(here[left]), shapely.is_empty(there[left])])
        _mark(out, _at(left[empty[0] & ~empty[1]], n), "empty here")
        _mark(out, _at(left[empty[1] & ~empty[0]], n), "empty in the other")
        left = left[~empty.any(axis=0)]
        wild = not_finite_xy(here[left]) | not_finite_xy(there[left])
        _mark(out, _at(left[wild], n), "NaN or infinite coordinates")
        left = left[~wild]
        ours, theirs = here[left], there[left]
        if mode == "topological":
            unlike = ~topologically_equal(ours, theirs)
            _explain(out, here, there, left[unlike], mode, cancelled)
        else:
            near, apart = hausdorff(ours, theirs, tolerance, cancelled)
            _mark(out, _at(left[~near], n), MOVED)
            out.distance[left[~near]] = apart[~near]
            still = left[~near & (apart <= tolerance)]
            _mark(out, _at(still, n), "another kind of geometry")
    deep = shapely.has_z(here[both]) | shapely.has_m(here[both])
    deep |= shapely.has_z(there[both]) | shapely.has_m(there[both])
    out.said[THREE_D] = int(deep.sum())
    return out


def topologically_equal(here: NDArray[np.object_], there: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(n,) bool: pairs of finite geometries that are the same set of points in the plane.

    Invalid geometries, for which this is undefined, are equal when their normal forms are.
    """
    ours, theirs = (shapely.normalize(shapely.force_2d(g)) for g in (here, there))
    same = np.asarray(shapely.equals_identical(ours, theirs), dtype=bool)
    left = np.flatnonzero(~same)
    sound = shapely.is_valid(here[left]) & shapely.is_valid(there[left])
    same[left[sound]] = shapely.equals(here[left[sound]], there[left[sound]])
    odd = left[~sound]
    same[odd] = digests(here[odd]) == digests(there[odd])
    return same


def drawn(here: NDArray[np.object_], there: NDArray[np.object_]) -> NDArray[np.object_]:
    """(n,) the difference of each pair as a geometry.

    For polygons and lines it is the symmetric difference; for points the line from the old place
    (there) to the new one. Where that is undefined (another type, an invalid geometry, the same
    shape with other vertices) it is the geometry here, else the one there.
    """
    out = np.where(shapely.is_missing(here) | shapely.is_empty(here), there, here)
    types, other_types = shapely.get_type_id(here), shapely.get_type_id(there)
    finite = ~(not_finite_xy(here) | not_finite_xy(there))
    filled = finite & ~shapely.is_empty(here) & ~shapely.is_empty(there)
    points = np.flatnonzero(filled & (types == 0) & (other_types == 0))
    xy = np.stack([shapely.get_coordinates(g[points]) for g in (there, here)], axis=1)
    moved = (xy[:, 0] != xy[:, 1]).any(axis=1)
    out[points[moved]] = shapely.linestrings(xy[moved])
    dimension = shapely.get_dimensions(here)
    comparable = filled & (dimension >= 1) & (dimension == shapely.get_dimensions(there))
    comparable &= (types != 7) & (other_types != 7)
    index = np.flatnonzero(comparable)
    index = index[shapely.is_valid(here[index]) & shapely.is_valid(there[index])]
    for chosen in (index[dimension[index] == POLYGON], index[dimension[index] < POLYGON]):
        try:
            only_one = shapely.symmetric_difference(
                shapely.force_2d(here[chosen]), shapely.force_2d(there[chosen])
            )
        except shapely.GEOSException:
            continue
        something = ~shapely.is_empty(only_one)
        out[chosen[something]] = only_one[something]
    return cast("NDArray[np.object_]", out)


def _explain(
    out: GeometryDifference,
    here: NDArray[np.object_],
    there: NDArray[np.object_],
    index: NDArray[np.int64],
    mode: Mode,
    cancelled: Callable[[], None],
) -> None:
    """Describes the difference of pairs that differ by their vertices."""
    n = len(here)
    a, b = here[index], there[index]
    _mark(out, _at(index, n), RESHAPED)
    if mode == "exact":
        lifted = (shapely.has_z(a) != shapely.has_z(b)) | (shapely.has_m(a) != shapely.has_m(b))
        flat_equal = shapely.equals_identical(shapely.force_2d(a), shapely.force_2d(b))
        _mark(out, _at(index[flat_equal], n), "other Z or M")
        for i in index[lifted]:
            out.kind[i] = f"{_axes(here[i])}, in the other {_axes(there[i])}"
        for i in index[shapely.get_type_id(a) != shapely.get_type_id(b)]:
            out.kind[i] = f"{here[i].geom_type}, in the other {there[i].geom_type}"
    empty, other_empty = shapely.is_empty(a), shapely.is_empty(b)
    _mark(out, _at(index[empty & ~other_empty], n), "empty here")
    _mark(out, _at(index[other_empty & ~empty], n), "empty in the other")
    wild = not_finite_xy(a) | not_finite_xy(b)
    _mark(out, _at(index[wild], n), "NaN or infinite coordinates")
    measured = index[~(wild | empty | other_empty)]
    _, apart = hausdorff(here[measured], there[measured], 0.0, cancelled)
    out.distance[measured] = apart
    for i in measured[apart > 0]:
        told = out.kind[i]
        out.kind[i] = MOVED if told == RESHAPED else f"{MOVED}, {told}"


def _axes(geometry: Any) -> str:
    return f"XY{'Z' * bool(geometry.has_z)}{'M' * bool(geometry.has_m)}"


def _at(index: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    mask = np.zeros(n, dtype=bool)
    mask[index] = True
    return mask


def _mark(out: GeometryDifference, mask: NDArray[np.bool_], kind: str) -> None:
    out.differs[mask] = True
    out.kind[mask] = kind


__all__ = [
    "MOVED",
    "RESHAPED",
    "GeometryDifference",
    "Mode",
    "difference",
    "drawn",
    "topologically_equal",
]
