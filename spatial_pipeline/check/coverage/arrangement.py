"""Polygon boundaries as chains of directed edges, and their residual edges.

Shells run counter-clockwise and holes clockwise, so that the interior lies to the left of every
edge. An edge and its reversed twin cancel: the number of covering polygons is the same on both
sides. The number of polygons that cover a point is the winding number of the whole chain around it,
hence that of the residual edges. So overlaps and voids are faces (see ``faces``) of the arrangement
of the few residual edges: those of the outline, and those whose neighbour does not follow them
exactly. The comparison of coordinates is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.runtime.shared_work import SharedWork

_X_FACTOR = np.uint64(0x9E3779B97F4A7C15)

_Y_FACTOR = np.uint64(0xC2B2AE3D27D4EB4F)

_LAST_FACTOR = np.uint64(0xD6E8FEB86659FD93)

_HALF = np.uint64(32)

AT_ONCE = 8
"""Chains added up at once."""

BUCKETS = 4
"""Buckets per edge: at most one in eight edges of a coverage shares a bucket with a stranger."""

ROUNDS = 2
"""Rounds of hashing edges into buckets before the rest are sorted."""


@dataclass(frozen=True)
class Edges:
    """Directed edges of polygons, the interior to the left of each.

    Attributes:
        x: (p,) float64 x of the vertices, -0.0 replaced by 0.0.
        y: (p,) float64 y of the vertices.
        start: (n,) vertex in which each edge starts.
        end: (n,) vertex in which it ends, at another place than it starts.
        polygon: (n,) the polygon that it belongs to.

    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    polygon: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class EdgeChain:
    """Undirected edges and their multiplicity.

    Attributes:
        edges: (n, 4) float64 x, y of the lower end and x, y of the upper end, by x, then y; each
            edge once.
        net: (n,) int64 runs upwards minus runs downwards, never 0.

    """

    edges: NDArray[np.float64]
    net: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.net)

    @classmethod
    def concat(cls, chains: Sequence[EdgeChain]) -> EdgeChain:
        """All chains one after the other: an edge may occur in several."""
        edges = np.concatenate([np.empty((0, 4)), *(c.edges for c in chains)])
        return cls(edges, np.concatenate([np.empty(0, np.int64), *(c.net for c in chains)]))

    def reduced(self) -> tuple[EdgeChain, NDArray[np.int64]]:
        """The chain with each edge once, and for each of them the index of an edge of this one."""
        ends = self.edges.reshape(-1, 2)
        start = np.arange(0, len(ends), 2)
        edges = Edges(ends[:, 0].copy(), ends[:, 1].copy(), start, start + 1, start // 2)
        chain, left, _ = cancelled(edges, self.net)
        return chain, left

    @classmethod
    def sum(cls, chains: Sequence[EdgeChain]) -> EdgeChain:
        """All chains in one, edges in ascending order, independent of the partitioning.

        Neighbours are added first: most of their residual edges cancel, and are never held together
        with those of all others.
        """
        while len(chains) > AT_ONCE:
            firsts = range(0, len(chains), AT_ONCE)
            some = [partial(cls._added, chains[i : i + AT_ONCE]) for i in firsts]
            chains = SharedWork(some).results()
        chain, _ = cls.concat(chains).reduced()
        order = np.lexsort(chain.edges.T[::-1])
        return cls(chain.edges[order], chain.net[order])

    @classmethod
    def _added(cls, chains: Sequence[EdgeChain]) -> EdgeChain:
        return cls.concat(chains).reduced()[0]


def directed_edges(polygons: NDArray[np.object_]) -> Edges:
    """The edges of valid polygons and multipolygons; those without length are dropped.

    Args:
        polygons: (m,) polygons and multipolygons.

    """
    parts, part_polygon = shapely.get_parts(polygons, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    points, point_ring = shapely.get_coordinates(rings, return_index=True)
    x, y = points[:, 0] + 0.0, points[:, 1] + 0.0
    shell = np.ones(len(rings), dtype=bool)
    shell[1:] = ring_part[1:] != ring_part[:-1]
    backwards = shapely.is_ccw(rings) != shell
    edge = (point_ring[1:] == point_ring[:-1]) & ((x[1:] != x[:-1]) | (y[1:] != y[:-1]))
    start = np.flatnonzero(edge)
    ring = point_ring[start]
    turned = backwards[ring]
    return Edges(x, y, start + turned, start + ~turned, part_polygon[ring_part[ring]])


@dataclass(frozen=True)
class Residue:
    """Residual edges: directed edges that remain when opposite ones cancel.

    Attributes:
        edges: the edges.
        left: (k,) one of the edges for each undirected residual edge.
        net: (k,) runs in the direction of that edge minus runs against it, never 0.
        once: (n,) bool: where the undirected edge occurs only once.

    """

    edges: Edges
    left: NDArray[np.int64]
    net: NDArray[np.int64]
    once: NDArray[np.bool_]

    def chain(self, kept: NDArray[np.bool_] | slice = slice(None)) -> EdgeChain:
        """The residual edges, or some of them."""
        e, left, net = self.edges, self.left[kept], self.net[kept]
        start, end = e.start[left], e.end[left]
        x0, y0, x1, y1 = e.x[start], e.y[start], e.x[end], e.y[end]
        down = (x1 < x0) | ((x1 == x0) & (y1 < y0))
        ends = np.empty((len(left), 4))
        ends[:, 0], ends[:, 1] = np.where(down, x1, x0), np.where(down, y1, y0)
        ends[:, 2], ends[:, 3] = np.where(down, x0, x1), np.where(down, y0, y1)
        return EdgeChain(ends, np.where(down, -net, net))


def residue(edges: Edges, runs: NDArray[np.int64] | None = None) -> Residue:
    """The residual edges of directed edges, after opposite ones cancel.

    Args:
        edges: directed edges, coordinates finite.
        runs: (n,) multiplicity of each edge; 1 unless given.

    """
    n = len(edges)
    vertex = _vertex_hashes(edges)
    key = vertex[edges.start] + vertex[edges.end]
    once = np.zeros(n, dtype=bool)
    shared = np.zeros(n, dtype=bool)
    alone, rest = [], np.arange(n)
    if runs is None:
        for round_ in range(ROUNDS):
            single, crowded = _thrown(edges, key, rest, shared, round_)
            alone.append(single)
            rest = crowded
    once[np.concatenate([rest[:0], *alone])] = True
    some = Edges(edges.x, edges.y, edges.start[rest], edges.end[rest], edges.polygon)
    order, first, upward = _grouped(some, vertex, key[rest])
    sign = np.where(upward, 1, -1)
    if runs is not None:
        sign *= runs
    starts = np.flatnonzero(first)
    net = np.add.reduceat(sign[order], starts) if len(starts) else sign
    size = np.diff(starts, append=len(rest))
    once[rest[order[starts[size == 1]]]] = True
    once &= ~shared
    held = net != 0
    left, net = order[starts[held]], net[held]
    net = np.where(upward[left], net, -net)
    found = np.concatenate([*alone, rest[left]])
    ones = np.ones(len(found) - len(left), np.int64)
    return Residue(edges, found, np.concatenate([ones, net]), once)


def _thrown(
    edges: Edges,
    key: NDArray[np.uint64],
    index: NDArray[np.int64],
    shared: NDArray[np.bool_],
    round_: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edges that occur once, and undecided ones; cancelled pairs of twins are in neither.

    Edges are put into buckets by hash. One that is alone in its bucket has no twin; one that finds
    its twin there cancels with it: most need not be sorted.

    Args:
        edges: all edges.
        key: (n,) their hashes.
        index: (k,) the edges to put into buckets.
        shared: (n,) bool: set to True for a residual edge where equal ones cancelled.
        round_: selects other bits of the hashes each time.

    """
    k = len(index)
    if not k:
        return index, index
    places = (k * BUCKETS - 1).bit_length()
    hashed = key if k == len(key) else key[index]
    bucket = (_remixed(hashed, round_) >> np.uint64(64 - places)).view(np.int64)
    here = np.arange(k, dtype=np.uint16 if k <= 1 << 16 else np.uint32)
    last = np.empty(1 << places, dtype=here.dtype)
    last[bucket] = here
    met = last[bucket]
    single = met == here
    one = np.flatnonzero(~single)
    other = met[one].astype(np.int64)
    single[other] = False
    x, y, start, end = edges.x, edges.y, edges.start, edges.end
    i, j = (one, other) if k == len(key) else (index[one], index[other])
    a, b, c, d = start[i], end[j], end[i], start[j]
    twins = (x[a] == x[b]) & (y[a] == y[b]) & (x[c] == x[d]) & (y[c] == y[d])
    found, mate = one[twins], other[twins]
    gone = np.zeros(k, dtype=bool)
    gone[mate] = True
    if np.count_nonzero(gone) < len(mate):
        # Two edges that run the same way have one opposite: the last one cancels with it.
        last[mate] = found
        chosen = last[mate] == found
        found = found[chosen]
    gone[found] = True
    crowded = np.flatnonzero(~(gone | single))
    beside = met[crowded]
    kin = gone[beside] & (hashed[crowded] == hashed[beside])
    shared[index[crowded[kin]]] = True
    return index[single], index[crowded]


def cancelled(
    edges: Edges, runs: NDArray[np.int64] | None = None
) -> tuple[EdgeChain, NDArray[np.int64], NDArray[np.bool_]]:
    """The chain of residual edges of directed edges, after opposite ones cancel.

    Args:
        edges: directed edges, coordinates finite.
        runs: (n,) multiplicity of each edge; 1 unless given.

    Returns:
        The chain; (len(chain),) the index of one of the ``edges`` for each of its edges; and (n,)
        bool: where the undirected edge occurs only once.

    """
    rest = residue(edges, runs)
    return rest.chain(), rest.left, rest.once


def _vertex_hashes(edges: Edges) -> NDArray[np.uint64]:
    """(p,) a hash of each vertex's position; the sum over both ends ignores direction."""
    hashed = edges.x.view(np.uint64) * _X_FACTOR
    hashed += edges.y.view(np.uint64) * _Y_FACTOR
    return _mixed(hashed)


def _mixed(hashed: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mixes high bits down in place, because round numbers have zeros in the low bits."""
    hashed ^= hashed >> _HALF
    hashed *= _LAST_FACTOR
    hashed ^= hashed >> _HALF
    return hashed


def _remixed(key: NDArray[np.uint64], times: int) -> NDArray[np.uint64]:
    for _ in range(times):
        key = _mixed(key.copy())
    return key


def _grouped(
    edges: Edges, vertex: NDArray[np.uint64], key: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """An order that groups equal edges, the start of each group, and the direction of each edge.

    Sorted by hash; equal hashes are compared by coordinates, and when those differ, sorted by them.
    """
    x, y, start, end = edges.x, edges.y, edges.start, edges.end
    lower, upper = vertex[start], vertex[end]
    upward = lower < upper
    order = np.argsort(key)
    ordered = key[order]
    first = np.ones(len(edges), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    later = np.flatnonzero(~first)
    one, other = order[later], order[later - 1]
    flipped = upward[one] != upward[other]
    a, b = start[one], np.where(flipped, end[other], start[other])
    c, d = end[one], np.where(flipped, start[other], end[other])
    same = (x[a] == x[b]) & (y[a] == y[b]) & (x[c] == x[d]) & (y[c] == y[d])
    if same.all() and not (lower == upper).any():
        return order, first, upward
    upward = (x[start] < x[end]) | ((x[start] == x[end]) & (y[start] < y[end]))
    low, high = np.where(upward, start, end), np.where(upward, end, start)
    columns = (y[high], x[high], y[low], x[low])
    order = np.lexsort(columns)
    first[1:] = np.logical_or.reduce([c[order[1:]] != c[order[:-1]] for c in columns])
    return order, first, upward


def boundary_edges(polygon: shapely.Geometry) -> NDArray[np.float64]:
    """(n, 4) the edges of all rings of one polygon or multipolygon."""
    e = directed_edges(np.array([polygon], dtype=object))
    return np.stack([e.x[e.start], e.y[e.start], e.x[e.end], e.y[e.end]], axis=1)


def segments(edges: NDArray[np.float64]) -> NDArray[np.object_]:
    """(n,) LineStrings of (n, 4) edges."""
    return np.asarray(shapely.linestrings(edges.reshape(-1, 2, 2)), dtype=object)
