"""flows_downhill: lines never rise along their direction."""

from __future__ import annotations

from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    Context,
    Features,
    Lines,
    LinesWithZ,
    Violations,
    feature_rule,
)
from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.check.geometry.unjudged import NO_VALUE
from spatial_pipeline.check.raster.sampling import values_at
from spatial_pipeline.contract.rules.networks import FlowsDownhill
from spatial_pipeline.model.readers import RasterReader


def _judged(rule: FlowsDownhill) -> type[Features]:
    return LinesWithZ if rule.raster is None else Lines


@feature_rule(judges=_judged, deep=True)
def evaluate(rule: FlowsDownhill, features: Lines) -> Violations:
    """The vertex of each line that is highest above the lowest one before it, and how high."""
    vertices = features.vertices
    z, path = vertices.xyzm[:, 2], vertices.path
    if not len(z):
        return Violations.none()
    if rule.raster is not None:
        z = _elevations(rule, features)
    lowest = _lowest_before(z, path)
    rise = z - lowest
    first = np.flatnonzero(np.diff(path, prepend=-1))
    most = np.maximum.reduceat(np.nan_to_num(rise), first)
    line = np.cumsum(np.diff(path, prepend=-1) != 0) - 1
    at = np.flatnonzero(rise == most[line])
    at = at[np.unique(line[at], return_index=True)[1]]
    found = at[rise[at] > rule.tolerance]
    return features.violations(
        vertices.feature[found],
        "rises",
        geometry=vertices.points(found),
        measure=rise[found],
        **vertices.place(found),
    )


def _elevations(rule: FlowsDownhill, features: Lines) -> NDArray[np.float64]:
    """(n,) the raster's value at each vertex, NaN where it has none."""
    raster = cast("RasterReader", cast("Context", features.context).others[0])
    vertices = features.vertices
    points = shapely.points(vertices.xyzm[:, :2])
    placed, _ = transformed(points, features.batch.crs, raster.profile.pyproj_crs)
    xy = shapely.get_coordinates(placed)
    z = values_at(raster, xy, rule.band, features.cancelled)
    features.note(NO_VALUE, len(np.unique(vertices.feature[np.isnan(z)])))
    return z


def _lowest_before(z: NDArray[np.float64], path: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) the lowest value up to each vertex of its path; NaN is no value."""
    values, ranks = np.unique(z, return_inverse=True)
    number = np.cumsum(np.diff(path, prepend=-1) != 0)
    # A later path starts below every rank of an earlier one.
    rank = ranks.reshape(-1) - number * (len(values) + 1)
    low = np.minimum.accumulate(rank) + number * (len(values) + 1)
    return np.asarray(values[low], dtype=np.float64)
