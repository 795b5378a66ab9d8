"""Parts of a geometry outside the union of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.area_difference import MANY, areas_without
from spatial_pipeline.check.coverage.line_difference import lines_without
from spatial_pipeline.check.coverage.polygon_lookup import united
from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.check.geometry.eligible import LINE, POINT, POLYGON, of_dimension
from spatial_pipeline.check.geometry.intersecting_pairs import meeting
from spatial_pipeline.check.geometry.rounding import magnitudes, noise

COMPARED = 1024
"""Covers compared with points at once."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def uncovered(
    features: NDArray[np.object_],
    covers: Sequence[NDArray[np.object_]],
    dimension: int,
    tolerance: float,
    cancelled: Callable[[], None] = lambda: None,
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The parts of features outside the union of the covers, None for those that are covered.

    Most features are decided earlier, see ``inscribed_circles`` and ``winding_grid``. A feature
    within one cover is found by the predicate. Lines are first cut with lines, by their segments,
    see ``line_difference``. For the others, the covers that meet them are united, the predicate
    decides, and only the rest is cut. Union and difference round coordinates: parts that may be
    rounding alone (see ``rounding.noise``) are dropped.

    Args:
        features: (n,) valid geometries of one dimension.
        covers: valid polygons, lines, … that may cover them, one array per dimension.
        dimension: dimension of the features.
        tolerance: parts of at most this area (lines: length) are dropped as well.
        cancelled: raises when the time is up.

    Returns:
        (n,) geometries or None, and (n,) their areas, lengths, or NaN for points.

    """
    if dimension == POINT:
        rest = _outside(features, covers)
        return rest, np.full(len(features), np.nan)
    rest = features.copy()
    linear = [dimension == LINE and _lines(cover) for cover in covers]
    for cover in [c for c, line in zip(covers, linear, strict=True) if not line]:
        cancelled()
        left = np.flatnonzero(~shapely.is_missing(rest))
        held = meeting(rest[left], cover, "covers")[1]
        rest[left[held]] = None
    # A cut with polygons moves the points where it is made, off the lines that run through them.
    for line, cover in sorted(zip(linear, covers, strict=True), key=lambda pair: not pair[0]):
        cancelled()
        left = np.flatnonzero(~shapely.is_missing(rest))
        if line:
            rest[left] = lines_without(rest[left], cover, cancelled)
        else:
            rest[left] = _cut(rest[left], cover, dimension)
    return _measured(rest, dimension, tolerance)


def _lines(geometries: NDArray[np.object_]) -> bool:
    """True when none is other than a line."""
    return bool(np.isin(shapely.get_dimensions(geometries), (-1, LINE)).all())


def _cut(
    features: NDArray[np.object_], covers: NDArray[np.object_], dimension: int
) -> NDArray[np.object_]:
    """(n,) the features without the union of those covers that meet them."""
    cover, feature = meeting(features, covers, "intersects")
    order = np.lexsort([cover, feature])
    cover, feature = cover[order], feature[order]
    rest = features.copy()
    many = (np.bincount(feature, minlength=len(features)) >= MANY) & (dimension == POLYGON)
    if many.any():
        several = np.flatnonzero(many)
        place, mine = np.cumsum(many) - 1, many[feature]
        rest[several] = areas_without(features[several], covers, place[feature[mine]], cover[mine])
        cover, feature = cover[~mine], feature[~mine]
    met, member, first = _alike(feature, cover)
    unions = united(covers[cover[first]], member[first], int(member.max(initial=-1)) + 1)
    shapely.prepare(unions)
    begins = np.flatnonzero(np.diff(feature, prepend=-1))
    union = unions[member[begins]]
    open_ = ~shapely.covers(union, features[met])
    rest[met] = None
    left = met[open_]
    rest[left] = of_dimension(shapely.difference(features[left], union[open_]), dimension)
    return rest


def _alike(
    feature: NDArray[np.int64], cover: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Features that meet the same covers, so that each set of covers is united once.

    Args:
        feature: (m,) ascending.
        cover: (m,) ascending for each feature.

    Returns:
        (k,) the features; (m,) the number of the set of covers of each pair's feature; and (m,)
        bool: the pairs of one feature for each set.

    """
    begins = np.flatnonzero(np.diff(feature, prepend=-1))
    size = np.diff(begins, append=len(feature))
    bits = (cover.astype(np.uint64) + np.uint64(1)) * _FACTOR
    bits = (bits ^ (bits >> _HALF)) * _FACTOR
    key = np.add.reduceat(bits, begins) if len(begins) else bits
    _, leader, member = np.unique(key, return_index=True, return_inverse=True)
    # Equal hashes are no proof: every set is compared with that of the first feature of its hash.
    rank = np.arange(len(feature)) - np.repeat(begins, size)
    twin = np.repeat(begins[leader[member]], size) + rank
    fits = np.repeat(size == size[leader[member]], size)
    fits[fits] = cover[fits] == cover[twin[fits]]
    if not fits.all():
        leader = member = np.arange(len(begins))
    first = np.zeros(len(begins), dtype=bool)
    first[leader] = True
    return feature[begins], np.repeat(member, size), np.repeat(first, size)


def _measured(
    rest: NDArray[np.object_], dimension: int, tolerance: float
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The parts larger than rounding and tolerance, and their sizes."""
    out = np.full(len(rest), None, dtype=object)
    measure = np.full(len(rest), np.nan)
    # Overlay starts rings where its hash tables do: normal form makes the result repeatable.
    parts, index = shapely.get_parts(shapely.normalize(rest), return_index=True)
    if dimension == POLYGON:
        size = shapely.area(parts)
        least = noise(parts)
    else:
        size = shapely.length(parts)
        least = 8 * np.spacing(magnitudes(parts))
    kept = size > np.maximum(least, tolerance)
    parts, index, size = parts[kept], index[kept], size[kept]
    if len(index):
        held, group = np.unique(index, return_inverse=True)
        make = shapely.multipolygons if dimension == POLYGON else shapely.multilinestrings
        several = make(parts, indices=group)
        single = shapely.get_num_geometries(several) == 1
        several[single] = shapely.get_geometry(several[single], 0)
        out[held] = several
        measure[held] = np.bincount(group, size)
    return out, measure


def _outside(
    features: NDArray[np.object_], covers: Sequence[NDArray[np.object_]]
) -> NDArray[np.object_]:
    """(n,) the points of each feature that lie on no cover, None when all do."""
    points, index = features, np.arange(len(features))
    if (shapely.get_type_id(features) != shapely.GeometryType.POINT).any():
        points, index = shapely.get_parts(features, return_index=True)
    x, y = shapely.get_x(points), shapely.get_y(points)
    outside = np.ones(len(points), dtype=bool)
    places = Boxes(np.stack([x, y, x, y], axis=1))
    for cover in covers:
        for begin in range(0, len(cover), COMPARED):
            some = cover[begin : begin + COMPARED]
            one, point = places.query(some)
            shapely.prepare(some)
            # Coordinates are located without making a tree of objects first.
            outside[point[shapely.intersects_xy(some[one], x[point], y[point])]] = False
    out = np.full(len(features), None, dtype=object)
    if outside.any():
        held, group = np.unique(index[outside], return_inverse=True)
        several = shapely.multipoints(points[outside], indices=group)
        single = shapely.get_num_geometries(several) == 1
        several[single] = shapely.get_geometry(several[single], 0)
        out[held] = several
    return out


COVERS = {POLYGON: (POLYGON,), LINE: (POLYGON, LINE), POINT: (POLYGON, LINE, POINT)}
"""Dimensions of covers for each dimension of geometries."""
