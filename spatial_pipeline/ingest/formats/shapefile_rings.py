"""Outer rings and holes of the polygons of a Shapefile.

A clockwise ring is an outer one, and any other is a hole of the smallest outer ring around it. In a
polygon with a hole that lies in no outer ring the winding order cannot be trusted: there a ring
inside of an odd number of others is a hole. A ring without area is a polygon by itself.

Whether a ring lies in another one is decided by one point inside of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RingOrder:
    """Rings put in the order of polygons.

    Attributes:
        rings: (r,) rings: each outer one in the order of the file, its holes behind it.
        shells: (r,) bool in that order: the outer ones.
        rewound: polygons in which winding order could not be trusted.

    """

    rings: Integers
    shells: Mask
    rewound: int


def grouped(xy: NDArray[np.float64], sizes: Integers, owner: Integers) -> RingOrder:
    """Tells outer rings from holes.

    Args:
        xy: (m, 2) positions of all rings, which are closed.
        sizes: (r,) positions of each ring, 4 or more.
        owner: (r,) ascending record of each ring.

    """
    index = np.arange(len(sizes))
    shell = index.copy()
    rewound = 0
    several = np.flatnonzero(np.bincount(owner)[owner] > 1)
    if len(several):
        rings = _Rings(xy, sizes, owner, several)
        found, rewound = rings.shells()
        shell[several] = several[found]
    order = np.lexsort((index, shell != index, shell))
    return RingOrder(order, (shell == index)[order], rewound)


class _Rings:
    """Rings of records that have several.

    Args:
        xy: (m, 2) positions.
        sizes: positions of each ring.
        owner: record of each ring.
        chosen: (k,) the rings; below, they are numbered from 0.

    """

    def __init__(
        self, xy: NDArray[np.float64], sizes: Integers, owner: Integers, chosen: Integers
    ) -> None:
        starts = (np.cumsum(sizes) - sizes)[chosen]
        sizes = sizes[chosen]
        ends = np.cumsum(sizes)
        ring = np.repeat(np.arange(len(chosen)), sizes)
        taken = xy[np.arange(int(ends[-1])) + np.repeat(starts - ends + sizes, sizes)]
        self._owner = owner[chosen]
        with np.errstate(all="ignore"):
            self._area = _signed_area(taken, ends - sizes, ring)
        self._flat = ~np.isfinite(self._area) | (self._area == 0)
        solid = ~self._flat[ring]
        self._place = np.cumsum(~self._flat) - 1
        self._polygons = shapely.polygons(
            shapely.linearrings(taken[solid], indices=self._place[ring[solid]])
        )

    def shells(self) -> tuple[Integers, int]:
        """The outer ring of each ring, itself for outer ones, and the records told by nesting."""
        index = np.arange(len(self._area))
        outer = self._flat | (self._area < 0)
        shell = index.copy()
        holes = np.flatnonzero(~outer)
        hole, ring = self._around(holes, np.flatnonzero(outer & ~self._flat), ties=True)
        shell[holes] = -1
        self._smallest(shell, hole, ring)
        lost = np.unique(self._owner[shell < 0])
        nested = np.flatnonzero(np.isin(self._owner, lost) & ~self._flat)
        if len(nested):
            shell[nested] = nested
            inner, around = self._around(nested, nested, ties=False)
            depth = np.bincount(inner, minlength=len(index))
            odd = (depth % 2 == 1)[inner] & (depth % 2 == 0)[around]
            self._smallest(shell, inner[odd], around[odd])
        return shell, len(lost)

    def _around(self, inner: Integers, outer: Integers, *, ties: bool) -> tuple[Integers, Integers]:
        """Pairs of a ring and a larger one of the same record around it.

        Args:
            inner: rings to look for.
            outer: rings that may be around them.
            ties: whether a ring of the same area may be.

        """
        points = shapely.point_on_surface(self._polygons[self._place[inner]])
        tree = shapely.STRtree(self._polygons[self._place[outer]])
        left, right = tree.query(points, predicate="intersects")
        left, right = inner[left], outer[right]
        size, other = np.abs(self._area[left]), np.abs(self._area[right])
        fits = (other > size) | (ties & (other == size))
        fits &= self._owner[left] == self._owner[right]
        return left[fits], right[fits]

    def _smallest(self, shell: Integers, inner: Integers, around: Integers) -> None:
        """Gives each inner ring the smallest one around it, the first of the same size."""
        order = np.lexsort((-around, -np.abs(self._area[around])))
        shell[inner[order]] = around[order]


def _signed_area(xy: NDArray[np.float64], starts: Integers, ring: Integers) -> NDArray[np.float64]:
    """(k,) twice the area of rings, negative for clockwise ones."""
    local = xy - xy[starts][ring]
    following = np.vstack([local[1:], local[:1]])
    cross = local[:, 0] * following[:, 1] - following[:, 0] * local[:, 1]
    cross[np.append(starts[1:], len(xy)) - 1] = 0
    area: NDArray[np.float64] = np.add.reduceat(cross, starts)
    return area
