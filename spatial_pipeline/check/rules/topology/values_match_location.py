"""values_match_location: values of features are those of the polygons where they lie."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Geometries, Overlay, Polygons, Violations, overlay_rule
from spatial_pipeline.check.geometry.related_pairs import related
from spatial_pipeline.contract.rules.boundaries import ValuesMatchLocation
from spatial_pipeline.errors import RuleError


def _reach(rule: ValuesMatchLocation) -> float:
    return rule.max_distance or 0.0


@overlay_rule(
    judges=Geometries,
    against=Polygons,
    halo=_reach,
    columns=lambda rule: tuple(rule.values.values()),
)
def evaluate(rule: ValuesMatchLocation, overlay: Overlay) -> Violations:
    """Features that lie in or beside polygons with other values, or none, and the share that match.

    Shares are those of the area, length or number of points of a feature. Polygons that overlap
    may both count: the share is then more than 1.
    """
    if rule.side == "nearest":
        return _nearest(rule, overlay)
    shapes = overlay.geometry if rule.side == "inside" else _beside(rule, overlay)
    one, other = related(shapes, overlay.other_geometry, "intersects", overlay.cancelled)
    kept = overlay.different(one, other)
    one, other = one[kept], other[kept]
    equal = overlay.equal(one, other, tuple(rule.values), tuple(rule.values.values()))
    shared = shapely.intersection(shapes[one], overlay.other_geometry[other])
    dimension = shapely.get_dimensions(shapes)
    size = _size(shared, dimension[one])
    whole = _size(shapes, dimension)
    share = np.bincount(one[equal], size[equal], len(overlay)) / np.where(whole > 0, whole, 1.0)
    held = np.bincount(one[size > 0], minlength=len(overlay)) > 0
    # Overlay rounds: a share that is whole up to rounding is whole.
    found = np.flatnonzero(share < rule.min_share * (1 - ROUNDING))
    reason = np.where(held[found], OTHER_VALUE, NOTHING)
    return overlay.violations(
        found, reason.tolist(), geometry=overlay.geometry[found], measure=share[found]
    )


def _nearest(rule: ValuesMatchLocation, overlay: Overlay) -> Violations:
    """Features whose nearest polygons have other values, with the line to the nearest one."""
    shapes, areas = overlay.geometry, overlay.other_geometry
    one, other = overlay.near(_reach(rule))
    gap = shapely.distance(shapes[one], areas[other])
    least = np.full(len(overlay), np.inf)
    np.minimum.at(least, one, gap)
    nearest = gap == least[one]
    one, other = one[nearest], other[nearest]
    equal = overlay.equal(one, other, tuple(rule.values), tuple(rule.values.values()))
    found = np.flatnonzero(np.bincount(one[equal], minlength=len(overlay)) == 0)
    # Pairs are in the order of the features: the first of equally near ones is drawn.
    first = np.searchsorted(one, found)
    near = np.isfinite(least[found])
    geometry = shapes[found]
    to = other[first[near]]
    geometry[near] = shapely.shortest_line(shapes[found[near]], areas[to])
    partner = np.full(len(found), -1)
    partner[near] = to
    return overlay.violations(
        found,
        np.where(near, OTHER_VALUE, NOTHING).tolist(),
        geometry=geometry,
        measure=np.where(near, least[found], np.nan),
        unit=overlay.features.length_unit,
        other=partner,
    )


def _beside(rule: ValuesMatchLocation, overlay: Overlay) -> NDArray[np.object_]:
    """(n,) lines at a distance from those of the features, on one side of them.

    Raises:
        RuleError: a feature is no line.

    """
    if (shapely.get_dimensions(overlay.geometry) != 1).any():
        msg = f"side: {rule.side}: only lines have sides; select them with where"
        raise RuleError(msg)
    away = _reach(rule) * (1 if rule.side == "left" else -1)
    moved = shapely.offset_curve(overlay.geometry, away)
    # Where a line turns too sharply for a parallel, it is judged where it runs.
    return np.where(shapely.is_empty(moved), overlay.geometry, moved)


OTHER_VALUE, NOTHING = "other value there", "nothing there"
ROUNDING = 1e-9
"""Relative error of shares that is rounding alone."""


def _size(shapes: NDArray[np.object_], dimension: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) area, length or number of points, by the dimension given beside each."""
    points = shapely.get_num_coordinates(shapes)
    line = np.where(dimension == 1, shapely.length(shapes), points)
    return np.asarray(np.where(dimension == 2, shapely.area(shapes), line), dtype=np.float64)
