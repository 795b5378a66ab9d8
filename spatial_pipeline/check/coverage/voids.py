"""Voids: faces that no polygon covers, the gaps among them, and the features around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.faces import Faces
from spatial_pipeline.check.coverage.polygon_lookup import PolygonLookup, united
from spatial_pipeline.check.geometry.rounding import magnitudes, noise

THOUSANDTH = 1e-3
CELLS = 20_000_000
"""Neighbours named in all: bounds the memory of violations where voids have thousands of them."""
REACH = 1e-12
"""Relative distance at which a polygon still borders on a void: rounding of edge crossings."""


@dataclass(frozen=True)
class Bounds:
    """Area and width between which a void is a gap, ends included; None means no bound."""

    min_area: float | None = None
    max_area: float | None = None
    min_width: float | None = None
    max_width: float | None = None

    @property
    def given(self) -> bool:
        """True when there is any bound."""
        return self != Bounds()


def uncovered_faces(
    made: Faces, polygons: PolygonLookup, interest: shapely.Geometry | None
) -> NDArray[np.object_]:
    """The faces that no polygon covers, larger than noise.

    Args:
        made: faces of the residual edges of ``polygons``, with those of ``interest``.
        polygons: the polygons.
        interest: only faces inside it; None for all.

    """
    cells = made.cells
    large = shapely.area(cells) > noise(cells)
    found, inner = cells[large], made.inner[large]
    if interest is not None:
        shapely.prepare(interest)
        inside = shapely.intersects(interest, inner)
        found, inner = found[inside], inner[inside]
    covered = np.zeros(len(found), dtype=bool)
    for close, _, chunk in polygons.near(inner):
        open_ = close[~covered[close]]
        hit = shapely.STRtree(inner[open_]).query(chunk, predicate="intersects")[1]
        covered[open_[hit]] = True
    return cast("NDArray[np.object_]", found[~covered])


def without(voids: NDArray[np.object_], islands: PolygonLookup) -> NDArray[np.object_]:
    """The parts of voids outside the islands, larger than noise.

    Args:
        voids: (n,) polygons.
        islands: polygons that touch no other one.

    """
    void, island = [np.empty(0, np.int64)], [np.empty(0, dtype=object)]
    for close, _, chunk in islands.near(voids):
        hit, which = shapely.STRtree(chunk).query(voids[close], predicate="intersects")
        void.append(close[hit])
        island.append(chunk[which])
    taken = united(np.concatenate(island), np.concatenate(void), len(voids))
    cut = np.flatnonzero(~shapely.is_missing(taken))
    if not len(cut):
        return voids
    # Overlay starts rings where its hash tables do: normal form makes the result repeatable.
    parts = shapely.get_parts(shapely.normalize(shapely.difference(voids[cut], taken[cut])))
    parts = parts[shapely.area(parts) > noise(parts)]
    return np.concatenate([voids[shapely.is_missing(taken)], parts])


def within_bounds(voids: NDArray[np.object_], bounds: Bounds) -> NDArray[np.bool_]:
    """(n,) bool: voids whose area and width lie within the bounds."""
    kept = np.ones(len(voids), dtype=bool)
    area = shapely.area(voids)
    if bounds.min_area is not None:
        kept &= area >= bounds.min_area
    if bounds.max_area is not None:
        kept &= area <= bounds.max_area
    if bounds.min_width is not None or bounds.max_width is not None:
        left = np.flatnonzero(kept)
        width = widths(voids[left])
        if bounds.min_width is not None:
            kept[left] &= width >= bounds.min_width
        if bounds.max_width is not None:
            kept[left] &= width <= bounds.max_width
    return kept


def widths(polygons: NDArray[np.object_]) -> NDArray[np.float64]:
    """(n,) diameters of the maximum inscribed circles, to a thousandth.

    GEOS searches for the centre of the circle in a bounded number of steps, which thin crosses and
    stars exhaust. The circle that it finds always fits inside; eroding the polygon by that radius
    shows whether a larger one fits: the result is empty when none does.
    """
    # The radius is at least area / perimeter, so a thousandth of that is precise enough.
    tolerance = shapely.area(polygons) / shapely.length(polygons) / 1000
    low = shapely.length(shapely.maximum_inscribed_circle(polygons, tolerance))
    high = np.sqrt(shapely.area(polygons) / np.pi)
    rest = np.flatnonzero(_fits(polygons, low * (1 + THOUSANDTH)))
    while len(rest):
        middle = (low[rest] + high[rest]) / 2
        fits = _fits(polygons[rest], middle)
        low[rest[fits]], high[rest[~fits]] = middle[fits], middle[~fits]
        rest = rest[high[rest] > low[rest] * (1 + THOUSANDTH)]
    return np.asarray(2 * low, dtype=np.float64)


def _fits(polygons: NDArray[np.object_], radius: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) bool: a circle of this radius fits inside."""
    return np.asarray(~shapely.is_empty(shapely.buffer(polygons, -radius)), dtype=bool)


def not_accepted(
    voids: NDArray[np.object_], allowed: NDArray[np.object_], moved: bool
) -> NDArray[np.bool_]:
    """(n,) bool: voids that the union of the known gaps does not cover, up to rounding.

    Args:
        voids: (n,) polygons.
        allowed: known gaps.
        moved: True when these were transformed, which adds rounding.

    """
    void, known = shapely.STRtree(allowed).query(voids, predicate="intersects")
    union = united(allowed[known], void, len(voids))
    rest = np.where(
        shapely.is_missing(union),
        shapely.area(voids),
        shapely.area(shapely.difference(voids, union)),
    )
    slack = noise(voids)
    if moved:
        slack = np.maximum(slack, shapely.length(voids) * REACH * magnitudes(voids))
    return np.asarray(rest > slack, dtype=bool)


def bordering(voids: NDArray[np.object_], polygons: PolygonLookup) -> tuple[NDArray[np.int64], int]:
    """Source rows of the polygons that share boundary points with each void.

    Args:
        voids: (n,) polygons.
        polygons: all polygons.

    Returns:
        (n, k) ascending rows padded with -1, and the number of voids that have more neighbours
        than are named.

    """
    reach = REACH * magnitudes(voids)
    void, row = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    bounds = shapely.bounds(voids).reshape(-1, 4) + np.outer(reach, [-1, -1, 1, 1])
    for close, rows, chunk in polygons.near(shapely.box(*bounds.T)):
        hit, which = shapely.STRtree(chunk).query(
            voids[close], predicate="dwithin", distance=reach[close]
        )
        void.append(close[hit])
        row.append(rows[which])
    of, rows = np.concatenate(void), np.concatenate(row)
    order = np.lexsort([rows, of])
    of, rows = of[order], rows[order]
    count = np.bincount(of, minlength=len(voids))
    rank = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    width = int(min(count.max(initial=1), max(100, CELLS // max(len(voids), 1))))
    out = np.full((len(voids), width), -1, dtype=np.int64)
    named = rank < width
    out[of[named], rank[named]] = rows[named]
    return out, int((count > width).sum())
