"""Geometries of features that a fold names by their rows."""

from __future__ import annotations

from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import Context
from spatial_pipeline.model.readers import VectorReader

TAKEN = 8192
"""Features read at once."""


def shapes_of(context: Context, rows: NDArray[np.int64]) -> NDArray[np.object_]:
    """(n,) geometries of ascending source rows, in the XY plane.

    Args:
        context: of the check.
        rows: (n,) ascending source rows of the version under check.

    """
    data = cast("VectorReader", context.data)
    shapes = [np.empty(0, dtype=object)]
    for begin in range(0, len(rows), TAKEN):
        context.cancelled()
        batch = data.take(data.rows_to_positions(rows[begin : begin + TAKEN]), ())
        order = np.argsort(batch.rows)
        shapes.append(np.asarray(shapely.force_2d(batch.geometry[order]), dtype=object))
    return np.concatenate(shapes)


__all__ = ["shapes_of"]
