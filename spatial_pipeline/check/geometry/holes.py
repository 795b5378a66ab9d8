"""Interior rings of polygons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.parts import Parts


@dataclass(frozen=True)
class Holes:
    """Interior rings of the parts of features, in their order.

    Attributes:
        polygon: (m,) the area inside each ring.
        feature: (m,) int64 index of the feature.
        part: (m,) int64 number of the part.
        ring: (m,) int64 number of the ring in its polygon; 0 is the shell.

    """

    polygon: NDArray[np.object_]
    feature: NDArray[np.int64]
    part: NDArray[np.int64]
    ring: NDArray[np.int64]


def interior_rings(parts: Parts) -> Holes:
    """All interior rings of polygons.

    Args:
        parts: polygons, see :func:`~spatial_pipeline.check.geometry.parts.simple_parts`.

    """
    having = np.flatnonzero(shapely.get_num_interior_rings(parts.geometry) > 0)
    rings, owner = shapely.get_rings(parts.geometry[having], return_index=True)
    number = np.arange(len(owner)) - np.searchsorted(owner, owner)
    inner = number > 0
    which = having[owner[inner]]
    return Holes(
        np.asarray(shapely.polygons(rings[inner]), dtype=object),
        parts.feature[which],
        parts.part[which],
        number[inner],
    )
