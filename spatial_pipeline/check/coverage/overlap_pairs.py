"""Pairs of features that share interior, decided exactly, most of them without a predicate.

In a coverage nearly every edge cancels with its twin (see ``arrangement``). The residual edges
bound every region that several polygons cover, so only pairs whose boxes meet such a region need
the exact predicate. The search for regions errs on the safe side of rounding: edges that cross,
touch or nearly touch count as doubtful themselves, because rounding could hide the sliver between
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.arrangement import EdgeChain, cancelled, directed_edges
from spatial_pipeline.check.coverage.faces import Faces, faces
from spatial_pipeline.check.coverage.segment_conflicts import spans
from spatial_pipeline.check.crs.transformation import area_unit, length_unit
from spatial_pipeline.check.geometry.eligible import POLYGON, of_dimension
from spatial_pipeline.model.violations import Violations

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

QUERIED = 4096
"""Features whose neighbours are looked up at once."""
DECIDED = 1 << 14
"""Pairs decided at once."""
WORTH = 0.1
"""Share of residual edges above which testing every pair is cheaper than the arrangement."""
CROWD = 8
"""Polygons over one point above which its face counts as doubtful without testing pairs."""

OVERLAP, SHARED_LINE = "overlap", "shared line"
"""Reasons of violations."""
AREA = "2********"
STRETCH = "1********"


def meeting(
    geometry: NDArray[np.object_],
    position: NDArray[np.int64],
    owned: NDArray[np.bool_],
    pattern: str,
    together: Callable[[Pairs], NDArray[np.bool_]] | None = None,
    cancel: Callable[[], None] = lambda: None,
) -> Pairs:
    """Pairs of geometries whose interiors meet in the dimension of the pattern, decided exactly.

    Args:
        geometry: (n,) valid (multi)polygons or (multi)lines.
        position: (n,) distinct staged positions.
        owned: (n,) bool: pairs are found from the member of lower position, when this is owned.
        pattern: DE-9IM pattern, ``AREA`` or ``STRETCH``.
        together: pairs to compare; None for all.
        cancel: raises when the time is up.

    Returns:
        Indices of the lower and of the higher members.

    """
    found: list[Pairs] = []
    if together is None and pattern == AREA:
        candidates = _doubtful_pairs(geometry, position, owned)
    else:
        candidates = _near_pairs(geometry, position, owned)
    for pairs in candidates:
        if together is not None:
            kept = together(pairs)
            pairs = pairs[0][kept], pairs[1][kept]
        for begin in range(0, len(pairs[0]), DECIDED):
            cancel()
            one, other = (p[begin : begin + DECIDED] for p in pairs)
            met = interiors_meet(geometry[one], geometry[other], pattern)
            found.append((one[met], other[met]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def interiors_meet(
    one: NDArray[np.object_], other: NDArray[np.object_], pattern: str
) -> NDArray[np.bool_]:
    """Elementwise; most pairs of boxes hold geometries that do not even touch."""
    met = np.asarray(shapely.intersects(one, other))
    met[met] = shapely.relate_pattern(one[met], other[met], pattern)
    return met


def _near_pairs(
    geometry: NDArray[np.object_], position: NDArray[np.int64], owned: NDArray[np.bool_]
) -> Iterator[Pairs]:
    """Pairs whose boxes touch, from the owned member of lower position."""
    tree = shapely.STRtree(geometry)
    lower = np.flatnonzero(owned)
    for begin in range(0, len(lower), QUERIED):
        chosen = lower[begin : begin + QUERIED]
        one, other = tree.query(geometry[chosen])
        one = chosen[one]
        ahead = position[one] < position[other]
        yield one[ahead], other[ahead]


def _doubtful_pairs(
    areas: NDArray[np.object_], position: NDArray[np.int64], owned: NDArray[np.bool_]
) -> Iterator[Pairs]:
    """Pairs of polygons whose boxes meet in a region that may be covered more than once."""
    edges = directed_edges(areas)
    chain, _, _ = cancelled(edges)
    if len(chain) > WORTH * len(edges):
        yield from _near_pairs(areas, position, owned)
        return
    regions = doubtful_regions(chain, lambda _: areas)
    if len(regions):
        yield from pairs_in(regions, areas, position, owned)


def pairs_in(
    regions: NDArray[np.float64],
    areas: NDArray[np.object_],
    position: NDArray[np.int64],
    owned: NDArray[np.bool_],
) -> Iterator[Pairs]:
    """Pairs of polygons whose boxes meet in one of the regions.

    Args:
        regions: (k, 4) boxes.
        areas: (n,) polygons.
        position: (n,) distinct staged positions.
        owned: (n,) bool: pairs are found from the member of lower position, when this is owned.

    Yields:
        Indices of the lower and of the higher members.

    """
    tree = shapely.STRtree(shapely.box(*regions.T))
    near = np.unique(tree.query(areas)[0])
    bounds = shapely.bounds(areas)
    for one, other in _near_pairs(areas[near], position[near], owned[near]):
        first, second = near[one], near[other]
        low = np.maximum(bounds[first, :2], bounds[second, :2])
        high = np.minimum(bounds[first, 2:], bounds[second, 2:])
        hit = np.unique(tree.query(shapely.box(*low.T, *high.T))[0])
        yield first[hit], second[hit]


def doubtful_regions(
    chain: EdgeChain,
    over: Callable[[NDArray[np.object_]], NDArray[np.object_]],
    arranged: Callable[[NDArray[np.float64]], Faces] | None = None,
) -> NDArray[np.float64]:
    """(k, 4) boxes that contain every region covered by two or more of the polygons.

    Args:
        chain: residual edges of valid polygons and multipolygons.
        over: the polygons whose boxes contain one of some points; a superset is allowed.
        arranged: builds the faces of the residual edges; ``faces`` unless given.

    """
    made = (arranged or faces)(chain.edges)
    cells, inner = made.cells, made.inner
    doubtful = ~shapely.intersects(cells, inner)
    sure = np.flatnonzero(~doubtful)
    doubtful[sure] = _shared(inner[sure], over(inner[sure]))
    boxes = shapely.bounds(cells[doubtful]).reshape(-1, 4)
    boxes += made.margin * np.array([-1, -1, 1, 1])
    return np.concatenate([boxes, spans(chain.edges[made.clashing], made.margin)])


def _shared(points: NDArray[np.object_], areas: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(k,) bool: points over which two polygons lie that share interior somewhere."""
    point, polygon = shapely.STRtree(areas).query(points, predicate="intersects")
    order = np.lexsort([polygon, point])
    point, polygon = point[order], polygon[order]
    shared = np.bincount(point, minlength=len(points)) >= CROWD
    for step in range(1, CROWD):
        pair = np.flatnonzero(point[step:] == point[:-step])
        pair = pair[~shared[point[pair]]]
        met = interiors_meet(areas[polygon[pair]], areas[polygon[pair + step]], AREA)
        shared[point[pair[met]]] = True
    return shared


def share_area(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) bool: boxes that share more than their borders."""
    low = np.maximum(one[:, :2], other[:, :2])
    high = np.minimum(one[:, 2:], other[:, 2:])
    return cast("NDArray[np.bool_]", (low < high).all(axis=1))


def shared_parts(
    one: NDArray[np.object_], other: NDArray[np.object_], dimension: int
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The intersection of pairs of geometries, and its area or length.

    Where the intersection rounds to a lower dimension, that geometry is returned, with measure 0;
    where it rounds to nothing, the middle of where the two boxes meet.

    Args:
        one: (n,) valid polygons (dimension 2) or lines (dimension 1).
        other: (n,) as many others, whose interiors meet the former's.
        dimension: dimension of the requested part.

    """
    flat = shapely.force_2d(one), shapely.force_2d(other)
    # Overlay starts rings where its hash tables do: normal form makes the result repeatable.
    whole = np.asarray(shapely.normalize(shapely.intersection(*flat)), dtype=object)
    parts = of_dimension(whole, dimension)
    lost = shapely.is_missing(parts)
    parts[lost] = whole[lost]
    gone = np.flatnonzero(shapely.is_empty(parts))
    if len(gone):
        bounds = np.sort(np.stack([shapely.bounds(f[gone]) for f in flat]), axis=0)
        parts[gone] = shapely.points((bounds[1, :, :2] + bounds[0, :, 2:]) / 2)
    measure = shapely.area(parts) if dimension == POLYGON else shapely.length(parts)
    return parts, np.where(lost, 0.0, measure)


def shared_violations(
    geometry: NDArray[np.object_],
    rows: NDArray[np.int64],
    pairs: Pairs,
    dimension: int,
    crs: pyproj.CRS | None,
) -> Violations:
    """One violation per pair whose interiors meet: the shared part, with its area or length.

    Args:
        geometry: (n,) polygons, or lines.
        rows: (n,) their source rows.
        pairs: indices of both sides.
        dimension: of the geometries.
        crs: CRS of the coordinates, for the unit.

    """
    one, other = pairs
    of_areas = dimension == POLYGON
    met = interiors_meet(geometry[one], geometry[other], AREA if of_areas else STRETCH)
    one, other = one[met], other[met]
    shared, measure = shared_parts(geometry[one], geometry[other], dimension)
    return Violations.build(
        np.sort(np.stack([rows[one], rows[other]], axis=1), axis=1),
        OVERLAP if of_areas else SHARED_LINE,
        shared,
        measure,
        area_unit(crs) if of_areas else length_unit(crs),
    )
