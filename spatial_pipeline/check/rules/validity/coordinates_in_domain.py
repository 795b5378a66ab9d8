"""coordinates_in_domain: coordinates lie inside the area of use of the CRS."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.check.crs.area_of_use import areas
from spatial_pipeline.check.crs.transformation import in_degrees
from spatial_pipeline.contract.rules.vertices import CoordinatesInDomain


@feature_rule(judges=Geometries)
def evaluate(rule: CoordinatesInDomain, features: Geometries) -> Violations:
    """Features with vertices outside the area, each with these vertices and their number."""
    vertices, crs = features.vertices, features.batch.crs
    if crs is None:
        return Violations.none()
    boxes = np.array(areas(crs))
    out = np.flatnonzero(~_inside(vertices.xy, boxes) & ~vertices.closing)
    feature, first, number = np.unique(
        vertices.feature[out], return_index=True, return_inverse=True
    )
    turned = np.bincount(number, ~_inside(vertices.xy[out][:, ::-1], boxes), len(feature)) == 0
    axes = "longitude and latitude" if in_degrees(crs) else "x and y"
    outside = f"outside the area of use of {crs.name}"
    return features.violations(
        feature,
        np.where(turned, f"{outside}, inside with {axes} swapped", outside).tolist(),
        geometry=shapely.multipoints(vertices.points(out), indices=number),
        measure=np.bincount(number, minlength=len(feature)),
        unit="vertices",
        **vertices.place(out[first]),
    )


def _inside(xy: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(m,) bool: places in one of the boxes."""
    place = xy[:, np.newaxis]
    inside = np.all((place >= boxes[:, :2]) & (place <= boxes[:, 2:]), axis=2)
    return np.asarray(np.any(inside, axis=1), dtype=bool)
