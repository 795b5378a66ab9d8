"""Simple parts of geometries: points, lines and polygons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

COLLECTION = 7
FIRST_MULTI = 4


@dataclass(frozen=True)
class Parts:
    """The parts of n geometries, in their order.

    Attributes:
        geometry: (m,) points, lines or polygons, none of them empty.
        feature: (m,) int64 ascending index of the geometry that each is a part of.
        part: (m,) int64 0-based number of the part among all parts of that geometry.

    """

    geometry: NDArray[np.object_]
    feature: NDArray[np.int64]
    part: NDArray[np.int64]


def simple_parts(geometry: NDArray[np.object_], *dimensions: int) -> Parts:
    """Parts of some dimensions, those of collections in collections included.

    Args:
        geometry: (n,) geometries or None.
        dimensions: 0 for points, 1 for lines, 2 for polygons.

    """
    parts, feature = shapely.get_parts(geometry, return_index=True)
    while (shapely.get_type_id(parts) >= FIRST_MULTI).any():
        parts, index = shapely.get_parts(parts, return_index=True)
        feature = feature[index]
    first = np.searchsorted(feature, feature)
    number = np.arange(len(feature)) - first
    chosen = np.isin(shapely.get_dimensions(parts), dimensions) & ~shapely.is_empty(parts)
    return Parts(parts[chosen], feature[chosen], number[chosen])
