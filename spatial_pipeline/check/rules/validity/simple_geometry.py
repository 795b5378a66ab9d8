"""simple_geometry: lines, rings and multipoints are simple."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.check.geometry.parts import Parts, simple_parts
from spatial_pipeline.check.geometry.path_vertices import PathVertices
from spatial_pipeline.check.geometry.self_intersections import not_simple, self_intersections
from spatial_pipeline.contract.rules.vertices import SimpleGeometry


@feature_rule(judges=Geometries)
def evaluate(rule: SimpleGeometry, features: Geometries) -> Violations:
    """Places at which lines meet themselves or each other, and points that occur again.

    Each ring of a polygon is judged alone, as GEOS's IsSimpleOp does: how rings lie to each other
    is a matter of validity.
    """
    return Violations.concat([_lines(features), _rings(features), _points(features)])


def _lines(features: Geometries) -> Violations:
    lines = simple_parts(features.geometry, 1)
    chosen = not_simple(lines, len(features))
    if not chosen.any():
        return Violations.none()
    vertices = PathVertices.of(lines)
    found = self_intersections(vertices, chosen)
    owner = vertices.feature[found.start]
    return _meetings(features, found.geometry, owner, **vertices.place(found.start))


def _rings(features: Geometries) -> Violations:
    polygons = simple_parts(features.geometry, 2)
    odd = np.flatnonzero(~shapely.is_simple(polygons.geometry))
    if not len(odd):
        return Violations.none()
    rings, polygon = shapely.get_rings(polygons.geometry[odd], return_index=True)
    each = np.arange(len(rings))
    vertices = PathVertices.of(Parts(rings, each, np.zeros_like(each)))
    found = self_intersections(vertices, ~shapely.is_simple(rings))
    ring = vertices.feature[found.start]
    part = odd[polygon[ring]]
    return _meetings(
        features,
        found.geometry,
        polygons.feature[part],
        part=polygons.part[part],
        ring=(each - np.searchsorted(polygon, polygon))[ring],
        vertex=vertices.vertex[found.start],
    )


def _meetings(
    features: Geometries,
    geometry: NDArray[np.object_],
    feature: NDArray[np.int64],
    **place: Any,
) -> Violations:
    """Violations of points and stretches at which a path meets itself."""
    stretch = shapely.get_dimensions(geometry) == 1
    return features.violations(
        feature,
        np.where(stretch, "runs over itself", "self-intersection").tolist(),
        geometry=geometry,
        measure=np.where(stretch, shapely.length(geometry), np.nan),
        unit=features.length_unit,
        **place,
    )


def _points(features: Geometries) -> Violations:
    points = simple_parts(features.geometry, 0)
    count = np.bincount(points.feature, minlength=len(features))
    several = np.flatnonzero(count[points.feature] > 1)
    places = np.column_stack([points.feature, shapely.get_coordinates(points.geometry)])[several]
    first = np.unique(places, axis=0, return_index=True)[1]
    again = np.delete(several, first)
    return features.violations(
        points.feature[again],
        "repeated point",
        geometry=points.geometry[again],
        part=points.part[again],
    )
