"""Boxes and validity of features, computed without decoding most of them to objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.boxes import finite
from spatial_pipeline.check.geometry.star_shaped import turning
from spatial_pipeline.check.geometry.wkb_rings import plain_points, plain_rings
from spatial_pipeline.model.features import FeatureBatch

AT_ONCE = 2048
"""Features whose rings are tested in one call, which keeps the GIL."""
MANY = 8
"""One part in this many: above it, all features are decoded, for later users too."""


@dataclass(frozen=True)
class Plain:
    """The features of a batch.

    Attributes:
        bounds: (n, 4) as ``shapely.bounds`` has them.
        sure: (n,) bool: 2D points that are not empty, and polygons of one ring that are valid.

    """

    bounds: NDArray[np.float64]
    sure: NDArray[np.bool_]


def plain(batch: FeatureBatch) -> Plain:
    """The boxes and validity of a batch; computed once for all rules."""
    known = batch.__dict__.get(_MEMO)
    if known is None:
        # The dataclass is frozen: derived values are stored as ``cached_property`` would.
        known = batch.__dict__[_MEMO] = _plain(batch)
    return cast("Plain", known)


_MEMO = "_plain"


def _plain(batch: FeatureBatch) -> Plain:
    bounds, sure = np.full((len(batch), 4), np.nan), np.zeros(len(batch), dtype=bool)
    if batch.wkb is None:
        return Plain(bounds, sure)
    points = plain_points(batch.wkb)
    if points is not None:
        return Plain(np.concatenate([points, points], axis=1), finite(points))
    for begin in range(0, len(batch), AT_ONCE):
        rings = plain_rings(batch.wkb.slice(begin, AT_ONCE))
        if len(rings):
            index, first = begin + rings.polygon, rings.starts[:-1]
            sure[index] = turning(rings) != 0
            for side, (least, values) in enumerate(
                (f, v) for f in (np.minimum, np.maximum) for v in (rings.x, rings.y)
            ):
                bounds[index, side] = least.reduceat(values, first)
    rest = np.flatnonzero(~finite(bounds))
    if len(rest):
        few = "geometry" not in batch.__dict__ and MANY * len(rest) <= len(batch)
        shapes = batch.take(rest).geometry if few else batch.geometry[rest]
        bounds[rest] = shapely.bounds(shapes).reshape(-1, 4)
    return Plain(bounds, sure)


__all__ = ["Plain", "plain"]
