"""Joins the features of two datasets by geometry alone, without a key."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.finite import not_finite_xy
from spatial_pipeline.check.geometry.hausdorff import hausdorff
from spatial_pipeline.check.geometry.normal_form import DIGEST_SIZE
from spatial_pipeline.check.geometry.unjudged import THREE_D, UNDECODABLE, undecodable
from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.join.attribute_difference import common_type
from spatial_pipeline.check.join.geometry_difference import topologically_equal
from spatial_pipeline.check.join.key_join import Join, paired
from spatial_pipeline.check.join.paired_diff import CHUNK, PairedComparison, column_types
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader

CANDIDATES = 1 << 23
"""Pairs of bounding boxes compared at once, at most."""

MAX_PAIRS = 4_000_000
"""Pairs of geometries within the tolerance above which a join is meaningless."""

_NULL = bytes(DIGEST_SIZE)


@dataclass(frozen=True)
class _Marks:
    """Properties that distinguish the features of one dataset; all arrays in staged order.

    Attributes:
        digest: (n,) 128-bit digest of the geometry, zero for null.
        values: (n,) hash of the compared attributes.
        bounds: (n, 4) bounds in the CRS of the dataset under check; NaN for geometries that can
            only be compared by their digest.
        said: number of features for each note.

    """

    digest: NDArray[np.bytes_]
    values: NDArray[np.uint64]
    bounds: NDArray[np.float64]
    said: Counter[str]


def by_geometry(comparison: PairedComparison) -> tuple[Join, Counter[str]]:
    """Joins two datasets on equal geometries, each feature with at most one partner.

    First those with the same bytes and attributes. Of the rest, exact comparison joins the same
    bytes, topological comparison the same shapes, and a tolerance the nearest geometries first; of
    several at the same distance those with equal attributes. Features without geometry are joined
    when all compared attributes are equal.

    Raises:
        RuleError: so many geometries are within the tolerance of each other that a join is
            meaningless.

    """
    here = _marks(comparison, comparison.here, lambda b: b.geometry)
    there = _marks(comparison, comparison.there, comparison.theirs)
    n, m = len(here.digest), len(there.digest)
    digest = _labels(np.concatenate([here.digest, there.digest]))
    values = _labels(np.concatenate([here.values, there.values]))
    both = _labels(digest * (n + m) + values)
    found = [_paired_among(both[:n], both[n:], np.arange(n), np.arange(m))]
    i, j = _left(n, m, found)
    if comparison.mode != "exact":
        found.append(_similar(comparison, here, there, i, j))
        i, j = _left(n, m, found)
        i, j = i[np.isnan(here.bounds[i, 0])], j[np.isnan(there.bounds[j, 0])]
    i, j = i[here.digest[i] != _NULL], j[there.digest[j] != _NULL]
    found.append(_paired_among(digest[:n], digest[n:], i, j))
    i, j = (np.concatenate(x) for x in zip(*found, strict=True))
    order = np.argsort(i)
    new, gone = _left(n, m, found)
    return Join(here=i[order], there=j[order], new=new, gone=gone), here.said + there.said


def _left(
    n: int, m: int, found: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Features of both datasets that have no partner yet."""
    here, there = np.ones(n, dtype=bool), np.ones(m, dtype=bool)
    for i, j in found:
        here[i], there[j] = False, False
    return np.flatnonzero(here), np.flatnonzero(there)


def _paired_among(
    a: NDArray[np.int64], b: NDArray[np.int64], i: NDArray[np.int64], j: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    p, q = paired(a[i], b[j])
    return i[p], j[q]


def _labels(values: NDArray[Any]) -> NDArray[np.int64]:
    """(n,) numbers from 0 on, equal for equal values."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _marks(
    comparison: PairedComparison,
    data: VectorReader,
    shapes: Callable[[FeatureBatch], NDArray[np.object_]],
) -> _Marks:
    """Reads a dataset once."""
    side = 0 if data is comparison.here else 1
    ours = column_types(comparison.here, tuple(c[0] for c in comparison.columns))
    theirs = column_types(comparison.there, tuple(c[1] for c in comparison.columns))
    kinds = [
        (pair[side], common_type(ours[pair[0]], theirs[pair[1]])) for pair in comparison.columns
    ]
    digest, values, bounds = [np.empty(0, f"S{DIGEST_SIZE}")], [np.empty(0, np.uint64)], []
    said: Counter[str] = Counter()
    for index in range(data.batch_count()):
        comparison.cancelled()
        batch = data.batch(index, tuple(dict.fromkeys(name for name, _ in kinds)))
        geometry = shapes(batch)
        with np.errstate(all="ignore"):
            marks, comparable = _digests(geometry, batch, comparison.mode == "exact")
            boxes = shapely.bounds(geometry).reshape(-1, 4)
        boxes[~comparable] = np.nan
        digest.append(marks)
        bounds.append(boxes)
        columns = [batch.table.column(name).cast(kind, safe=False) for name, kind in kinds]
        values.append(
            join_keys.hashes(pa.table(columns, names=[str(i) for i in range(len(columns))]))
            if columns
            else np.zeros(len(batch), dtype=np.uint64)
        )
        said[UNDECODABLE] += int(undecodable(batch, data.profile).sum())
        if comparison.mode != "exact":
            said[THREE_D] += int((shapely.has_z(geometry) | shapely.has_m(geometry)).sum())
    return _Marks(
        np.concatenate(digest),
        np.concatenate(values),
        np.concatenate([np.empty((0, 4)), *bounds]),
        said,
    )


def _digests(
    geometry: NDArray[np.object_], batch: FeatureBatch, exact: bool
) -> tuple[NDArray[np.bytes_], NDArray[np.bool_]]:
    """(n,) digests, and (n,) bool: geometries that can be compared by shape and distance."""
    out = np.full(len(geometry), _NULL, dtype=f"S{DIGEST_SIZE}")
    known = ~shapely.is_missing(geometry)
    if batch.wkb is not None:
        lost = np.flatnonzero(~known & batch.wkb.is_valid().to_numpy(zero_copy_only=False))
        out[lost] = [_digest(b"?" + batch.wkb[int(i)].as_py()) for i in lost]
    empty = shapely.is_empty(geometry)
    index = np.flatnonzero(known)
    plain = _without_negative_zero(geometry[index])
    out[index] = [_digest(w) for w in shapely.to_wkb(plain, flavor="iso", byte_order=1)]
    if not exact:
        out[empty] = _digest(b"empty")
    return out, known & ~empty & ~not_finite_xy(geometry)


def _without_negative_zero(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    xyz, index = shapely.get_coordinates(geometry, include_z=True, return_index=True)
    signed = np.unique(index[((xyz == 0) & np.signbit(xyz)).any(axis=1)])
    geometry = geometry.copy()
    for deep in (False, True):
        chosen = signed[
            (shapely.has_z(geometry[signed]) == deep) & ~shapely.has_m(geometry[signed])
        ]
        geometry[chosen] = shapely.transform(geometry[chosen], lambda x: x + 0.0, include_z=deep)
    return geometry


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=DIGEST_SIZE).digest()


def _similar(
    comparison: PairedComparison,
    here: _Marks,
    there: _Marks,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Joins the remaining features by shape or distance: nearest first, then by attributes."""
    i = i[np.isfinite(here.bounds[i]).all(axis=1)]
    j = j[np.isfinite(there.bounds[j]).all(axis=1)]
    pairs, gaps, count = [], [np.empty(0)], 0
    tolerance = comparison.tolerance if comparison.mode == "tolerance" else 0.0
    for p, q in _chunks(_near_boxes(here.bounds[i], there.bounds[j], tolerance)):
        kept, apart = _alike(comparison, i[p], j[q])
        pairs.append(np.stack([i[p][kept], j[q][kept]]))
        gaps.append(apart[kept])
        count += int(kept.sum())
        if count > MAX_PAIRS:
            msg = (
                f"more than {MAX_PAIRS} pairs of geometries are within the tolerance of each "
                "other: needs a key or a smaller tolerance"
            )
            raise RuleError(msg)
    a, b = np.concatenate([np.empty((2, 0), np.int64), *pairs], axis=1)
    gap = np.concatenate(gaps)
    order = np.lexsort((b, a, here.values[a] != there.values[b], gap))
    return _first_come(a[order], b[order])


def _alike(
    comparison: PairedComparison, i: NDArray[np.int64], j: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Tests which pairs of positions have the same geometry by the rule, and their distance."""
    comparison.cancelled()
    (ours, p), (theirs, q) = (np.unique(x, return_inverse=True) for x in (i, j))
    a = comparison.here.take(ours, ()).geometry[p]
    b = comparison.theirs(comparison.there.take(theirs, ()))[q]
    if comparison.mode == "topological":
        return topologically_equal(a, b), np.zeros(len(a))
    near, _ = hausdorff(a, b, comparison.tolerance, comparison.cancelled)
    apart = np.zeros(len(a))
    apart[near] = shapely.hausdorff_distance(a[near], b[near])
    return near, apart


def _near_boxes(
    a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Index pairs of boxes whose sides are within the tolerance of each other.

    Geometries within a Hausdorff distance have bounds within that distance.
    """
    if not len(a) or not len(b):
        return
    slack = tolerance + 4 * np.spacing(max(np.abs(a).max(), np.abs(b).max()))
    tree = shapely.STRtree(shapely.points(b[:, :2]))
    start, step = 0, max(1, min(CHUNK, CANDIDATES // len(b)))
    while start < len(a):
        corner = a[start : start + step, :2]
        p, q = tree.query(shapely.box(*(corner - slack).T, *(corner + slack).T))
        near = (np.abs(a[start + p] - b[q]) <= slack).all(axis=1)
        yield start + p[near], q[near]
        start += step
        # As many boxes next time as this many would find no more than the limit.
        step = max(1, min(CHUNK, 2 * step, step * CANDIDATES // max(1, len(p))))


def _chunks(
    found: Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The same pairs, rechunked to about the number that is compared at once."""
    held: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    size = 0
    for p, q in found:
        held.append((p, q))
        size += len(p)
        if size >= CHUNK:
            yield from _cut(held)
            held, size = [], 0
    if size:
        yield from _cut(held)


def _cut(
    held: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    p, q = (np.concatenate(x) for x in zip(*held, strict=True))
    for start in range(0, len(p), CHUNK):
        yield p[start : start + CHUNK], q[start : start + CHUNK]


def _first_come(
    a: NDArray[np.int64], b: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs, in order, whose members are in no pair accepted before."""
    taken: list[int] = []
    used_a: set[int] = set()
    used_b: set[int] = set()
    for k, (i, j) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        if i not in used_a and j not in used_b:
            used_a.add(i)
            used_b.add(j)
            taken.append(k)
    return a[taken], b[taken]


__all__ = ["by_geometry"]
