"""Residual edges of the polygons of a piece: edges along which no neighbour runs back.

Computed once for all rules of a coverage, a few thousand features at a time, so that the working
set stays in the processor's cache. Star-shaped polygons, which are most, are never decoded to
objects.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.arrangement import (
    EdgeChain,
    Edges,
    Residue,
    directed_edges,
    residue,
)
from spatial_pipeline.check.coverage.coverage_delta import inside_near
from spatial_pipeline.check.coverage.feature_lookup import around, bare
from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.check.geometry.eligible import POLYGON, EligibleParts, Excluded, judged
from spatial_pipeline.check.geometry.star_shaped import turning
from spatial_pipeline.check.geometry.wkb_rings import Rings, plain_rings
from spatial_pipeline.model.features import FeatureBatch, computed, decoded
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.runtime.shared_work import SharedWork

CHUNK = 4096
"""Features at a time: of half as many, two threads hand the GIL to each other for a sixth of the
time; of twice as many, threads have less to share."""


@dataclass(frozen=True)
class Remnant:
    """Residual edges of a piece.

    Attributes:
        chain: the residual edges.
        kept: the polygons that they belong to, and most of those beside them.

    """

    chain: EdgeChain
    kept: FeatureBatch


@dataclass(frozen=True)
class Within:
    """Residual edges of a piece, and those of them that lie within some boxes.

    Attributes:
        chain: the residual edges.
        runner: (n,) index of one polygon that contains each of them.
        inside: (n,) bool: those within one of the boxes.

    """

    chain: EdgeChain
    runner: NDArray[np.int64]
    inside: NDArray[np.bool_]

    def take(self, kept: NDArray[np.bool_]) -> EdgeChain:
        """Some of the edges."""
        return EdgeChain(self.chain.edges[kept], self.chain.net[kept])


@dataclass(frozen=True)
class Outlines:
    """The polygons of a piece.

    Attributes:
        batch: the piece.
        stars: (s,) ascending indices of the features known to be valid polygons of one ring.
        rest: (n - s,) ascending indices of the others.
        others: the others, decoded and known to be valid or not.
        areas: the valid polygonal parts of the others; their index is one into the piece.
        remains: residual edges of a few thousand polygons each.
        runners: for each of them, (k,) index of one polygon that contains each residual edge.
        lone: (k,) ascending indices of polygons of one ring that were seen to share no edge.

    """

    batch: FeatureBatch
    stars: NDArray[np.int64]
    rest: NDArray[np.int64]
    others: FeatureBatch
    areas: EligibleParts
    remains: tuple[Residue, ...]
    runners: tuple[NDArray[np.int64], ...]
    lone: NDArray[np.int64]
    _remnants: dict[bytes, Remnant] = field(default_factory=dict, repr=False, compare=False)
    _within: dict[bytes, tuple[Boxes, Within]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def left(self) -> float:
        """Share of residual edges."""
        every = sum(len(r.edges) for r in self.remains)
        return sum(len(r.left) for r in self.remains) / max(every, 1)

    def remnant(self, bounds: NDArray[np.float64], without: NDArray[np.int64]) -> Remnant:
        """The residual edges of all polygons but some, and the polygons needed to report them.

        Computed once for all rules that leave out the same polygons.

        Args:
            bounds: (m, 4) bounds of all features of the dataset.
            without: indices of the polygons left out, which share none of their edges.

        """
        with self._lock:
            key = without.tobytes()
            if key not in self._remnants:
                chain, runner = self.chain(without)
                mine = bounds[self.batch.positions]
                self._remnants[key] = Remnant(
                    chain, bare(self.batch, around(mine, np.flatnonzero(_of(runner, len(mine)))))
                )
            return self._remnants[key]

    def within(
        self, boxes: Boxes, bounds: NDArray[np.float64], without: NDArray[np.int64]
    ) -> Within:
        """The residual edges of all polygons but some, and those that lie within some boxes.

        Computed once for all rules that leave out the same polygons and pass the same array of
        boxes.

        Args:
            boxes: the boxes.
            bounds: (m, 4) bounds of all features of the dataset.
            without: indices of the polygons left out, which share none of their edges.

        """
        with self._lock:
            key = without.tobytes()
            asked, found = self._within.get(key, (None, None))
            if found is None or asked is None or asked.bounds is not boxes.bounds:
                chain, runner = self.chain(without)
                own = bounds[self.batch.positions]
                found = Within(chain, runner, inside_near(chain.edges, runner, own, boxes))
                self._within[key] = boxes, found
            return found

    def chain(self, without: NDArray[np.int64]) -> tuple[EdgeChain, NDArray[np.int64]]:
        """The residual edges of all polygons but some that share none of their edges.

        Args:
            without: indices of the polygons left out.

        Returns:
            The chain, and (len(chain),) index of one polygon that contains each of its edges.

        """
        out = np.zeros(len(self.batch), dtype=bool)
        out[without] = True
        kept = [~out[runner] for runner in self.runners]
        chains = [r.chain(k) for r, k in zip(self.remains, kept, strict=True)]
        runner = np.concatenate(
            [np.empty(0, np.int64), *(r[k] for r, k in zip(self.runners, kept, strict=True))]
        )
        whole = EdgeChain.concat(chains)
        if len(chains) < 2:
            return whole, runner
        whole, left = whole.reduced()
        return whole, runner[left]

    @computed
    def index(self) -> NDArray[np.int64]:
        """(m,) ascending indices of all valid polygons of the piece."""
        return _merged(self.stars, self.areas.index, len(self.batch))

    def layers(
        self, profile: Profile, dimensions: tuple[int, ...]
    ) -> tuple[list[EligibleParts], Excluded]:
        """The other features as ``eligible.judged`` returns them; indices are into the piece."""
        layers, left_out = judged(self.others, profile, dimensions)
        return [EligibleParts(layer.geometry, self.rest[layer.index]) for layer in layers], left_out

    def geometry(self, index: NDArray[np.int64]) -> NDArray[np.object_]:
        """(k,) polygonal parts of the features with these indices, None where there is none."""
        out = np.full(len(index), None, dtype=object)
        at, found = _places(self.areas.index, index)
        out[found] = self.areas.geometry[at[found]]
        _, star = _places(self.stars, index)
        if "geometry" in self.batch.__dict__:
            out[star] = self.batch.geometry[index[star]]
        elif star.any() and self.batch.wkb is not None:
            wanted = self.batch.wkb.take(index[star])
            out[star] = decoded(wanted.to_numpy(zero_copy_only=False))
        return out


def outlines(batch: FeatureBatch, profile: Profile) -> Outlines:
    """The outlines of a piece; concurrent callers share the work.

    Args:
        batch: the piece, with geometry.
        profile: profile of its dataset.

    """
    with _LOCK:
        work = batch.__dict__.get(_MEMO)
        if work is None:
            apart = _apart(batch)
            parts = [partial(_part, apart, begin, profile) for begin in range(0, len(batch), CHUNK)]
            work = _Work(apart, parts)
            # The dataclass is frozen: derived values are stored as ``cached_property`` would.
            batch.__dict__[_MEMO] = work
    return cast("_Work", work).result()


def _apart(batch: FeatureBatch) -> FeatureBatch:
    """The same features without cached values.

    A value cached in a batch must not refer to that batch: the cyclic garbage collector is paused
    during a check (see ``responsive``), and every piece would stay in memory to the end.
    """
    same = replace(batch)
    same.__dict__.update(
        {n: batch.__dict__[n] for n in ("geometry", "valid") if n in batch.__dict__}
    )
    return same


_MEMO = "_outlines"
_LOCK = threading.Lock()


class _Work:
    """Outlines in the making."""

    def __init__(self, batch: FeatureBatch, parts: Sequence[Callable[[], _Part]]) -> None:
        self._batch = batch
        self._parts = SharedWork(parts)
        self._lock = threading.Lock()
        self._whole: Outlines | None = None

    def result(self) -> Outlines:
        parts = self._parts.results()
        with self._lock:
            if self._whole is None:
                self._whole = _joined(self._batch, parts)
            return self._whole


@dataclass(frozen=True)
class _Part:
    """The outlines of some consecutive features; indices are into the piece."""

    stars: NDArray[np.int64]
    rest: NDArray[np.int64]
    others: FeatureBatch
    areas: EligibleParts
    remains: Residue
    runner: NDArray[np.int64]
    lone: NDArray[np.int64]


def _part(batch: FeatureBatch, begin: int, profile: Profile) -> _Part:
    size = min(CHUNK, len(batch) - begin)
    star = np.zeros(size, dtype=bool)
    edges: list[tuple[Edges, NDArray[np.int64]]] = []
    if batch.wkb is not None:
        rings = plain_rings(batch.wkb.slice(begin, size))
        turn = turning(rings)
        star[rings.polygon[turn != 0]] = True
        known = rings if turn.all() else rings.take(turn != 0)
        edges.append((_edges(known, turn[turn != 0]), begin + known.polygon))
    rest = begin + np.flatnonzero(~star)
    others = batch.take(rest)
    (areas,), _ = judged(others, profile, (POLYGON,))
    areas = EligibleParts(areas.geometry, rest[areas.index])
    edges.append((directed_edges(areas.geometry), areas.index))
    remains = residue(_concatenated(e for e, _ in edges))
    polygon = np.concatenate([of[e.polygon] for e, of in edges])
    stars = begin + np.flatnonzero(star)
    simple = areas.index[_one_ring(areas.geometry)]
    shared = np.zeros(size, dtype=bool)
    shared[polygon[~remains.once] - begin] = True
    lone = begin + _merged(stars - begin, simple - begin, size)
    return _Part(
        stars,
        rest,
        others,
        areas,
        remains,
        polygon[remains.left],
        lone[~shared[lone - begin]],
    )


def _edges(rings: Rings, turn: NDArray[np.int8]) -> Edges:
    """The edges of rings that are polygons each, the interior to the left of them."""
    edge = np.ones(len(rings.x), dtype=bool)
    edge[rings.starts[1:] - 1] = False
    start = np.flatnonzero(edge)
    sizes = np.diff(rings.starts) - 1
    ring = np.repeat(np.arange(len(rings)), sizes)
    if (turn > 0).all():
        return Edges(rings.x, rings.y, start, start + 1, ring)
    turned = np.repeat(turn < 0, sizes)
    return Edges(rings.x, rings.y, start + turned, start + ~turned, ring)


def _concatenated(parts: Iterable[Edges]) -> Edges:
    """All edges in one; ``polygon`` is unchanged."""
    parts = [p for p in parts if len(p)]
    if len(parts) == 1:
        return parts[0]
    none = np.empty(0, dtype=np.int64)
    shift = np.cumsum([0, *(len(p.x) for p in parts)])
    return Edges(
        np.concatenate([np.empty(0), *(p.x for p in parts)]),
        np.concatenate([np.empty(0), *(p.y for p in parts)]),
        np.concatenate([none, *(p.start + s for p, s in zip(parts, shift[:-1], strict=True))]),
        np.concatenate([none, *(p.end + s for p, s in zip(parts, shift[:-1], strict=True))]),
        np.concatenate([none, *(p.polygon for p in parts)]),
    )


def _joined(batch: FeatureBatch, parts: list[_Part]) -> Outlines:
    none = np.empty(0, dtype=np.int64)
    rest = np.concatenate([none, *(p.rest for p in parts)])
    others = batch.take(rest)
    if parts and any(len(p.rest) for p in parts):
        nothing = np.empty(0, dtype=object)
        kept = [nothing, *(p.others.geometry for p in parts)]
        others.__dict__["geometry"] = np.concatenate(kept)
        others.__dict__["valid"] = np.concatenate([p.others.valid for p in parts])
    areas = EligibleParts(
        np.concatenate([np.empty(0, dtype=object), *(p.areas.geometry for p in parts)]),
        np.concatenate([none, *(p.areas.index for p in parts)]),
    )
    return Outlines(
        batch=batch,
        stars=np.concatenate([none, *(p.stars for p in parts)]),
        rest=rest,
        others=others,
        areas=areas,
        remains=tuple(p.remains for p in parts),
        runners=tuple(p.runner for p in parts),
        lone=np.concatenate([none, *(p.lone for p in parts)]),
    )


def _one_ring(areas: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(n,) bool: polygons of one part without holes."""
    one = np.asarray(shapely.get_num_geometries(areas) == 1)
    one[one] = shapely.get_num_interior_rings(shapely.get_geometry(areas[one], 0)) == 0
    return one


def _merged(one: NDArray[np.int64], other: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Ascending indices below n that are in one of two arrays."""
    return np.flatnonzero(_of(one, n) | _of(other, n))


def _of(index: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """(n,) bool: indices that occur; much faster than sorting them."""
    held = np.zeros(n, dtype=bool)
    held[index] = True
    return held


def _places(
    ascending: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Positions of values in an ascending array, and whether each is present."""
    at = np.searchsorted(ascending, wanted)
    found = at < len(ascending)
    found[found] = ascending[at[found]] == wanted[found]
    return at, found
