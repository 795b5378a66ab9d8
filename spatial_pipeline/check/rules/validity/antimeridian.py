"""antimeridian: nothing crosses 180° unsplit."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import LinesAndPolygons, Violations, feature_rule
from spatial_pipeline.check.crs.transformation import in_degrees
from spatial_pipeline.contract.rules.vertices import Antimeridian
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.crs.projection import unit_of


@feature_rule(judges=LinesAndPolygons)
def evaluate(rule: Antimeridian, features: LinesAndPolygons) -> Violations:
    """Segments that jump over half of the world or run across 180°, each with its extent.

    A ring around a pole is right when it runs along the antimeridian to the pole and back: its
    segment along the pole itself is none on the ground.

    Raises:
        RuleError: the coordinates are no longitudes and latitudes.

    """
    vertices, crs = features.vertices, features.batch.crs
    if crs is None or not in_degrees(crs):
        msg = "antimeridian judges longitudes: leave it out, the dataset has no geographic CRS"
        raise RuleError(msg)
    half = np.pi / unit_of(crs)
    start = vertices.steps
    (x0, y0), (x1, y1) = vertices.xy[start].T, vertices.xy[start + 1].T
    west, east = np.minimum(x0, x1), np.maximum(x0, x1)
    # From -180° to 180° a segment runs along its parallel, around the world.
    jumps = (east - west > half) & (east - west < 2 * half)
    across = ((west < half) & (east > half)) | ((west < -half) & (east > -half))
    pole = (np.abs(y0) == half / 2) & (y0 == y1)
    bad = np.flatnonzero((jumps | across) & ~pole)
    # Longitudes of a ring that goes around a pole do not come back to where they started.
    turn = np.where(jumps & ~pole, np.sign(x0 - x1), 0.0)
    around = np.bincount(vertices.path[start], turn, vertices.path[-1] + 1) != 0
    polar = around[vertices.path[start]] & (vertices.ring[start] >= 0) & jumps
    at = start[bad]
    return features.violations(
        vertices.feature[at],
        np.where(
            polar[bad], "runs around a pole and not through it", "crosses the antimeridian unsplit"
        ).tolist(),
        geometry=vertices.segments(at),
        measure=(east - west)[bad],
        unit=features.length_unit,
        **vertices.place(at),
    )
