"""The faces of the residual edges of a coverage, built in small jobs and shared by all rules.

Edges that touch or nearly touch are connected, and no two sets of connected edges touch each other:
each set can be noded and turned into faces by itself, in any thread, a few thousand edges at a
time. One set may lie inside a face of another, as an island does: its outer rings are then cut out
of the smallest face around it. The result equals an arrangement of all edges at once, without one
long call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.arrangement import segments
from spatial_pipeline.check.coverage.polygon_lookup import united
from spatial_pipeline.check.coverage.segment_conflicts import MARGIN, clashes, spans
from spatial_pipeline.check.geometry.boxes import Boxes, diagonals
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.runtime.shared_work import SharedWork

GROUP = 2048
"""Edges looked up in one call, and arranged in one unless more are connected."""
LINES = 512
"""Lines turned into faces in one call: it holds the GIL meanwhile."""

T = TypeVar("T")


@dataclass(frozen=True)
class Faces:
    """The bounded faces of the arrangement of some segments.

    Intersections are noded in floating point (OverlayNG), so faces may differ from the exact ones
    by the rounding of the coordinates; see ``rounding.noise``.

    Attributes:
        cells: (n,) the faces as polygons in normal form.
        inner: (n,) a point on each; rounding may put it beside a sliver.
        clashing: (m,) bool: segments that come near to another one except at a shared end.
        margin: distance that counts as near.

    """

    cells: NDArray[np.object_]
    inner: NDArray[np.object_]
    clashing: NDArray[np.bool_]
    margin: float


def faces(edges: NDArray[np.float64]) -> Faces:
    """The bounded faces of the arrangement of these segments.

    Args:
        edges: (n, 4) segments.

    """
    return _Arranging(edges).result()


def shared_faces(data: VectorReader, edges: NDArray[np.float64]) -> Faces:
    """The faces of these edges of a dataset, computed once for all rules that need them.

    Args:
        data: the dataset; caches the last requested edges and their faces.
        edges: (n, 4) segments.

    """
    with _LOCK:
        work = vars(data).get(_MEMO)
        if work is None or not np.array_equal(work.edges, edges):
            work = _Arranging(edges)
            vars(data)[_MEMO] = work
    return cast("_Arranging", work).result()


_MEMO = "_faces"
_LOCK = threading.Lock()


@dataclass(frozen=True)
class _Group:
    """The faces of some sets of connected edges; ``of`` is the set of each."""

    cells: NDArray[np.object_]
    inner: NDArray[np.object_]
    of: NDArray[np.int64]


class _Arranging:
    """An arrangement in progress, shared by all threads that need its faces."""

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self.edges = edges
        self._margin = MARGIN * float(np.abs(edges).max(initial=0.0))
        self._boxes = Boxes(spans(edges, self._margin))
        self._near = SharedWork(
            [
                partial(clashes, edges, self._boxes, slice(begin, begin + GROUP), self._margin)
                for begin in range(0, len(edges), GROUP)
            ]
        )
        self._lock = threading.Lock()
        self._made: dict[str, object] = {}

    def result(self) -> Faces:
        pairs = self._near.results()
        groups = self._once("groups", lambda: self._grouped(pairs))
        made = groups.results()
        return self._once("faces", lambda: self._joined(made))

    def _once(self, name: str, make: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            return cast("T", self._made[name])

    def _grouped(
        self, pairs: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]
    ) -> SharedWork[_Group]:
        n = len(self.edges)
        none = [np.empty(0, np.int64)]
        one = np.concatenate([*none, *(p[0] for p in pairs)])
        other = np.concatenate([*none, *(p[1] for p in pairs)])
        self._clashing = np.zeros(n, dtype=bool)
        self._clashing[np.concatenate([*none, *(p[2] for p in pairs)])] = True
        label = connected(n, one, other)
        order = np.argsort(label, kind="stable")
        first = np.flatnonzero(np.diff(label[order], prepend=-1))
        self._some_edge = order[first]
        group = np.diff(first // GROUP, prepend=-1)
        begins = np.append(np.flatnonzero(group), len(first))
        ends = np.append(first, n)
        return SharedWork(
            [
                partial(self._group, int(a), order[ends[a] : ends[b]], ends[a : b + 1] - ends[a])
                for a, b in pairwise(begins)
            ]
        )

    def _group(self, number: int, index: NDArray[np.int64], starts: NDArray[np.int64]) -> _Group:
        """The faces of the sets from ``number`` on, each considered alone."""
        of = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        lines = shapely.multilinestrings(segments(self.edges[index]), indices=of)
        crossing = np.logical_or.reduceat(self._clashing[index], starts[:-1])
        # Noded edge by edge: where lines of several edges cross, the last bit may be another one.
        lines[crossing] = shapely.union_all(lines[crossing, np.newaxis], axis=1)
        # Few long lines instead of many short ones: making faces of them holds the GIL.
        parts, of = shapely.get_parts(shapely.line_merge(lines), return_index=True)
        count = np.bincount(of, minlength=len(lines))
        cells, sets = [np.empty(0, dtype=object)], [np.empty(0, np.int64)]
        for width in np.unique(count[count > 0]):
            some = np.flatnonzero(count == width)
            mine = parts[count[of] == width].reshape(-1, width)
            step = max(LINES // int(width), 1)
            for begin in range(0, len(some), step):
                made = shapely.polygonize(mine[begin : begin + step], axis=1)
                found, which = shapely.get_parts(made, return_index=True)
                cells.append(shapely.normalize(found))
                sets.append(number + some[begin + which])
        polygons = np.concatenate(cells)
        return _Group(polygons, shapely.point_on_surface(polygons), np.concatenate(sets))

    def _joined(self, groups: list[_Group]) -> Faces:
        cells = np.concatenate([np.empty(0, dtype=object), *(g.cells for g in groups)])
        inner = np.concatenate([np.empty(0, dtype=object), *(g.inner for g in groups)])
        of = np.concatenate([np.empty(0, np.int64), *(g.of for g in groups)])
        around, inside = _nested(cells, of, self.edges[self._some_edge, :2])
        for cell in np.unique(around):
            islands = np.isin(of, inside[around == cell])
            cells[cell] = _without(cells[cell], cells[islands], of[islands])
            inner[cell] = shapely.point_on_surface(cells[cell])
        return Faces(cells, inner, self._clashing, self._margin)


def connected(n: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) for each of n things the lowest that it is connected with.

    Every label that has a lower neighbour joins it, until none has (hooking and pointer jumping:
    Y. Shiloach and U. Vishkin, "An O(log n) parallel connectivity algorithm", 1982).

    Args:
        n: number of things.
        one: (k,) members of pairs that are connected.
        other: (k,) the other members.

    """
    label = np.arange(n)
    while True:
        a, b = label[one], label[other]
        apart = a != b
        if not apart.any():
            return label
        one, other, a, b = one[apart], other[apart], a[apart], b[apart]
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
        while (label[label] != label).any():
            label = label[label]


def _nested(
    cells: NDArray[np.object_], of: NDArray[np.int64], places: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs each set of edges with the smallest face that contains it.

    Args:
        cells: (n,) faces, without cutting out the sets inside them.
        of: (n,) the set of each.
        places: (m, 2) a point of each set.

    Returns:
        (k,) faces and (k,) sets, each of these once.

    """
    boxes = Boxes(np.concatenate([places, places], axis=1))
    face, inside = boxes.query(diagonals(shapely.bounds(cells).reshape(-1, 4)))
    # Edges that coincide enclose no face, so nothing can be cut out.
    alien = (of[face] != inside) & np.isin(inside, of)
    face, inside = face[alien], inside[alien]
    shapely.prepare(cells[np.unique(face)])
    held = shapely.contains_xy(cells[face], *places[inside].T)
    face, inside = face[held], inside[held]
    order = np.lexsort([shapely.area(cells)[face], inside])
    face, inside = face[order], inside[order]
    smallest = np.diff(inside, prepend=-1) != 0
    return face[smallest], inside[smallest]


def _without(
    cell: shapely.Polygon, islands: NDArray[np.object_], of: NDArray[np.int64]
) -> shapely.Polygon:
    """A face without the islands inside it.

    Args:
        cell: the face.
        islands: (n,) all faces of the sets that lie in it.
        of: (n,) their sets.

    """
    held, group = np.unique(of, return_inverse=True)
    # Everything inside the sets belongs to them or was cut out of them: only outer rings count.
    shells = shapely.polygons(shapely.get_exterior_ring(islands))
    filled = shapely.get_parts(united(shells, group, len(held)))
    # Faces thinner than rounding may unite to nothing: an empty ring is not a hole.
    filled = filled[~shapely.is_empty(filled)]
    holes = [*cell.interiors, *shapely.get_exterior_ring(filled)]
    return shapely.normalize(shapely.polygons(cell.exterior, holes=holes or None))


__all__ = ["Faces", "connected", "faces", "shared_faces"]
