"""simple_geometry: lines and multipoints are simple."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import PointsAndLines, Violations, feature_rule
from spatial_pipeline.check.geometry.parts import simple_parts
from spatial_pipeline.check.geometry.path_vertices import PathVertices
from spatial_pipeline.check.geometry.self_intersections import not_simple, self_intersections
from spatial_pipeline.contract.rules.vertices import SimpleGeometry


@feature_rule(judges=PointsAndLines)
def evaluate(rule: SimpleGeometry, features: PointsAndLines) -> Violations:
    """Places at which lines meet themselves or each other, and points that occur again."""
    return Violations.concat([_lines(features), _points(features)])


def _lines(features: PointsAndLines) -> Violations:
    lines = simple_parts(features.geometry, 1)
    chosen = not_simple(lines, len(features))
    if not chosen.any():
        return Violations.none()
    vertices = PathVertices.of(lines)
    found = self_intersections(vertices, chosen)
    stretch = shapely.get_dimensions(found.geometry) == 1
    return features.violations(
        vertices.feature[found.start],
        np.where(stretch, "runs over itself", "self-intersection").tolist(),
        geometry=found.geometry,
        measure=np.where(stretch, shapely.length(found.geometry), np.nan),
        unit=features.length_unit,
        **vertices.place(found.start),
    )


def _points(features: PointsAndLines) -> Violations:
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
