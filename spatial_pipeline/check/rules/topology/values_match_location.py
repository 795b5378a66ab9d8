"""values_match_location: values of features are those of the polygons in which they lie."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Geometries, Overlay, Polygons, Violations, overlay_rule
from spatial_pipeline.contract.rules.boundaries import ValuesMatchLocation


@overlay_rule(judges=Geometries, against=Polygons, columns=lambda rule: tuple(rule.values.values()))
def evaluate(rule: ValuesMatchLocation, overlay: Overlay) -> Violations:
    """Features that lie in polygons with other values, or in none, and the share that matches.

    Shares are those of the area, length or number of points of a feature. Polygons that overlap
    may both count: the share is then more than 1.
    """
    one, other = overlay.pairs("intersects")
    equal = overlay.equal(one, other, tuple(rule.values), tuple(rule.values.values()))
    shapes = overlay.geometry
    shared = shapely.intersection(shapes[one], overlay.other_geometry[other])
    dimension = shapely.get_dimensions(shapes)
    size = _size(shared, dimension[one])
    whole = _size(shapes, dimension)
    share = np.bincount(one[equal], size[equal], len(overlay)) / np.where(whole > 0, whole, 1.0)
    held = np.bincount(one[size > 0], minlength=len(overlay)) > 0
    # Overlay rounds: a share that is whole up to rounding is whole.
    found = np.flatnonzero(share < rule.min_share * (1 - ROUNDING))
    reason = np.where(held[found], "other value there", "nothing there")
    return overlay.violations(found, reason.tolist(), geometry=shapes[found], measure=share[found])


ROUNDING = 1e-9
"""Relative error of shares that is rounding alone."""


def _size(shapes: NDArray[np.object_], dimension: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) area, length or number of points, by the dimension given beside each."""
    points = shapely.get_num_coordinates(shapes)
    line = np.where(dimension == 1, shapely.length(shapes), points)
    return np.asarray(np.where(dimension == 2, shapely.area(shapes), line), dtype=np.float64)
