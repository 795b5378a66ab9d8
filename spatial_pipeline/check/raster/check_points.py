"""Points of another dataset in the grid of a raster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.check.raster.column_numbers import column_numbers
from spatial_pipeline.check.raster.grid import to_pixels
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.model.readers import VectorReader

POINT = 0


@dataclass(frozen=True)
class CheckPoints:
    """Points of another dataset, as arrays of length n.

    Attributes:
        rows: (n,) source rows.
        geometry: (n,) points in the CRS of the raster.
        place: (n, 2) column and row in pixels, 0 at the corner of the raster.
        value: (n,) number that is expected there.
        notes: on the transformation and on what was left out.

    """

    rows: NDArray[np.int64]
    geometry: NDArray[np.object_]
    place: NDArray[np.float64]
    value: NDArray[np.float64]
    notes: tuple[str, ...]

    def within(self, row_off: int, col_off: int, height: int, width: int) -> NDArray[np.int64]:
        """Indices of the points whose pixel lies in a window."""
        column, row = np.floor(self.place).T
        inside = (row >= row_off) & (row < row_off + height)
        inside &= (column >= col_off) & (column < col_off + width)
        return np.flatnonzero(inside)


def check_points(data: VectorReader, profile: RasterProfile, column: str | None) -> CheckPoints:
    """The points of a vector version with their numbers.

    Args:
        data: the version.
        profile: the raster that they lie in.
        column: column with the number, None for the Z of the points.

    Raises:
        RuleError: there is no point, no column of that name, or no CRS.

    """
    batches = [data.batch(i, ()) for i in range(data.batch_count())]
    geometry = _joined([b.geometry for b in batches])
    rows = np.concatenate([np.empty(0, np.int64), *(b.rows for b in batches)])
    point = (shapely.get_type_id(geometry) == POINT) & ~shapely.is_empty(geometry)
    value = shapely.get_z(geometry) if column is None else column_numbers(data, column)
    kept = point & ~np.isnan(value)
    if not kept.any():
        msg = f"needs points with a number: {data.profile.uri} has none"
        raise RuleError(msg)
    moved, note = transformed(geometry[kept], data.profile.pyproj_crs, profile.pyproj_crs)
    left = int(np.count_nonzero(~kept))
    notes = (
        note,
        f"{left} features are not points with a number and were left out" if left else "",
    )
    return CheckPoints(
        rows[kept],
        np.asarray(moved, dtype=object),
        to_pixels(shapely.get_coordinates(moved), profile.transform),
        np.asarray(value[kept], dtype=np.float64),
        tuple(n for n in notes if n),
    )


def _joined(parts: Sequence[NDArray[np.object_]]) -> NDArray[np.object_]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=object)
