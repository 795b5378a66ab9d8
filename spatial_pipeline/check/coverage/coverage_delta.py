"""Updates the residual edges of a coverage after an edit, from those before the edit.

The multiplicity of an edge can have changed only where a polygon came or went, hence only if the
edge lies in the box of one of them. All polygons that contain such an edge have boxes that meet
that box: the residual edges inside the boxes are computed from these polygons alone, those outside
all boxes are unchanged. Boxes are compared exactly, so this is no approximation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.arrangement import EdgeChain
from spatial_pipeline.check.coverage.segment_conflicts import spans
from spatial_pipeline.check.geometry.boxes import Boxes

if TYPE_CHECKING:
    from spatial_pipeline.check.incremental.feature_cache import Facts

EDGES, NET = "edges", "net"
"""Prefix under which a chain is stored among the extras of a check."""
MOST = 4
"""Residual edges per feature above which none are cached."""
COMPARED = 1 << 20
"""Edges looked up at once."""


@dataclass(frozen=True)
class Former:
    """The residual edges of an earlier version, and the differences of this one.

    Attributes:
        chain: the residual edges.
        changed: boxes of features that came, went or changed since.

    """

    chain: EdgeChain
    changed: Boxes

    @classmethod
    def of(cls, known: Facts) -> Self | None:
        """The residual edges in the extras of these facts; None when there are none."""
        if not {EDGES, NET} <= set(known.extras):
            return None
        return cls(EdgeChain(known.extras[EDGES], known.extras[NET]), Boxes(known.changed))

    def now(
        self, chains: Sequence[EdgeChain], gone: NDArray[np.float64] | None = None
    ) -> EdgeChain:
        """All residual edges now, in ascending order.

        Args:
            chains: residual edges where something changed, piece by piece.
            gone: (k, 4) boxes of other polygons that no longer have edges in the chain.

        """
        changed = self.changed
        if gone is not None and len(gone):
            changed = Boxes(np.concatenate([changed.bounds, gone]))
        return EdgeChain.sum([*chains, outside(self.chain, changed)])


def remembered(chain: EdgeChain | None, count: int) -> Mapping[str, NDArray[Any]] | None:
    """The extras under which a chain is cached; None when there is none, or it is too long.

    Args:
        chain: all residual edges.
        count: number of features.

    """
    if chain is None or len(chain) > MOST * count:
        return None
    return {EDGES: chain.edges, NET: chain.net}


def inside(edges: NDArray[np.float64], boxes: Boxes) -> NDArray[np.bool_]:
    """(n,) bool: edges that lie in one of the boxes, ends on the border included.

    Args:
        edges: (n, 4) segments.
        boxes: the boxes.

    """
    out = np.zeros(len(edges), dtype=bool)
    around = spans(edges, 0.0)
    for begin in range(0, len(edges), COMPARED):
        own = around[begin : begin + COMPARED]
        edge, box = boxes.meetings(own)
        out[begin + edge[_within(own[edge], boxes.bounds[box])]] = True
    return out


def inside_near(
    edges: NDArray[np.float64],
    owner: NDArray[np.int64],
    owners: NDArray[np.float64],
    boxes: Boxes,
) -> NDArray[np.bool_]:
    """Variant of :func:`inside` that looks the boxes up once for all edges of a polygon.

    Args:
        edges: (n, 4) segments.
        owner: (n,) the polygon of each.
        owners: (m, 4) boxes of the polygons.
        boxes: the boxes.

    """
    polygon, box = boxes.pairs(owners)
    count = np.bincount(polygon, minlength=len(owners))
    first = np.cumsum(count) - count
    around = spans(edges, 0.0)
    out = np.zeros(len(edges), dtype=bool)
    for step in range(int(count.max(initial=0))):
        # Polygons meet few boxes: those that meet the most of them are tested last.
        left = np.flatnonzero(~out & (count[owner] > step))
        out[left[_within(around[left], boxes.bounds[box[first[owner[left]] + step]])]] = True
    return out


def outside(chain: EdgeChain, boxes: Boxes) -> EdgeChain:
    """The edges of a chain that lie in none of the boxes."""
    kept = ~inside(chain.edges, boxes)
    return EdgeChain(chain.edges[kept], chain.net[kept])


def _within(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) bool: boxes that lie in others."""
    low = (one[:, :2] >= other[:, :2]).all(axis=1)
    return np.asarray(low & (one[:, 2:] <= other[:, 2:]).all(axis=1))


__all__ = ["EDGES", "NET", "Former", "inside", "inside_near", "outside", "remembered"]
