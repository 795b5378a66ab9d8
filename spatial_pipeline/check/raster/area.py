"""Pixels of a raster whose centres lie within polygons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.check.raster.grid import to_pixels
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.model.readers import VectorReader

POLYGON, MULTI_POLYGON, COLLECTION = 3, 6, 7


@dataclass(frozen=True)
class PixelArea:
    """The union of polygons, as the edges of their rings in pixel space.

    Attributes:
        upper: (n, 2) column and row of the end of each edge with the smaller row.
        lower: (n, 2) the other end.
        turn: (n,) 1 where the ring runs downwards along the edge, else -1.

    """

    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    turn: NDArray[np.int32]

    @classmethod
    def of(cls, polygons: Any, transform: tuple[float, ...]) -> PixelArea:
        """The area of valid polygons.

        Args:
            polygons: polygons and multipolygons in the CRS of the transform.
            transform: affine coefficients (a, b, c, d, e, f) of the raster.

        """
        # With all shells turning one way and holes the other, the edges that a scan line meets
        # left of a point add up to the number of polygons around it.
        oriented = shapely.orient_polygons(np.asarray(polygons, dtype=object))
        rings = shapely.get_rings(shapely.get_parts(oriented))
        points, ring = shapely.get_coordinates(rings, return_index=True)
        points = to_pixels(points, transform)
        edge = np.flatnonzero(np.diff(ring) == 0)
        start, stop = points[edge], points[edge + 1]
        down = start[:, 1] < stop[:, 1]
        return cls(
            upper=np.where(down[:, None], start, stop),
            lower=np.where(down[:, None], stop, start),
            turn=np.where(down, 1, -1).astype(np.int32),
        )

    def mask(self, row_off: int, col_off: int, height: int, width: int) -> NDArray[np.bool_]:
        """Pixels of a window whose centre is in the area.

        Scan lines through the pixel centres with the nonzero winding rule (Foley et al., Computer
        Graphics, section 3.6). A centre on an edge belongs to the polygon on its right or, on a
        horizontal edge, to the one below, as in GDAL's rasterisation: it is never counted
        for two neighbours and never for none.

        Returns:
            (height, width) bool.

        """
        first = np.maximum(np.ceil(self.upper[:, 1] - 0.5), row_off)
        beyond = np.minimum(np.ceil(self.lower[:, 1] - 0.5), row_off + height)
        lines = np.maximum(beyond - first, 0).astype(np.int64)
        edge = np.repeat(np.arange(len(lines)), lines)
        step = np.arange(len(edge)) - np.repeat(np.cumsum(lines) - lines, lines)
        row = first[edge] + step
        upper, lower = self.upper[edge], self.lower[edge]
        # Both neighbours of a shared edge compute this from the same ends in the same order.
        slope = (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
        crossing = upper[:, 0] + (row + 0.5 - upper[:, 1]) * slope
        column = np.clip(np.ceil(crossing - 0.5) - col_off, 0, width).astype(np.int64)
        winding = np.zeros((height, width + 1), dtype=np.int32)
        np.add.at(winding, (row.astype(np.int64) - row_off, column), self.turn[edge])
        inside: NDArray[np.bool_] = np.cumsum(winding, axis=1)[:, :width] != 0
        return inside


def polygon_area(data: VectorReader, profile: RasterProfile) -> tuple[PixelArea, tuple[str, ...]]:
    """The area of the polygons of a vector version, in the grid of a raster.

    Returns:
        the area, and notes on excluded and repaired features.

    Raises:
        RuleError: see :func:`placed_polygons`.

    """
    placed = placed_polygons(data, profile)
    return PixelArea.of(placed.polygons, profile.transform), placed.notes


@dataclass(frozen=True)
class PlacedPolygons:
    """Polygons of a vector version in the CRS of a raster.

    Attributes:
        polygons: (n,) valid polygons and multipolygons.
        owner: (n,) staged position of the feature of each.
        notes: on excluded and repaired features.

    """

    polygons: NDArray[np.object_]
    owner: NDArray[np.int64]
    notes: tuple[str, ...]


def placed_polygons(data: VectorReader, profile: RasterProfile) -> PlacedPolygons:
    """The polygons of a vector version, in the CRS of a raster.

    Raises:
        RuleError: there is no polygon, or no CRS to locate them.

    """
    crs = data.profile.pyproj_crs
    if crs is None:
        msg = f"needs crs: the polygons of {data.profile.uri} have none"
        raise RuleError(msg)
    batches = [data.batch(i, ()).geometry for i in range(data.batch_count())]
    geometry = np.concatenate(batches) if batches else np.empty(0, dtype=object)
    polygonal = np.isin(shapely.get_type_id(geometry), (POLYGON, MULTI_POLYGON))
    polygonal &= ~shapely.is_empty(geometry)
    chosen, note = transformed(geometry[polygonal], crs, profile.pyproj_crs)
    chosen = np.asarray(chosen, dtype=object)
    owner = np.flatnonzero(polygonal)
    valid = shapely.is_valid(chosen)
    repaired, source = _repaired(chosen[~valid])
    owner = np.concatenate([owner[valid], owner[~valid][source]])
    chosen = np.concatenate([chosen[valid], repaired])
    if not len(chosen):
        msg = f"needs polygons: {data.profile.uri} has none"
        raise RuleError(msg)
    left_out = int(np.count_nonzero(~polygonal))
    notes = (
        note,
        f"{left_out} features of the area are not polygons and were left out" if left_out else "",
        f"{np.count_nonzero(~valid)} polygons of the area are invalid: their area is what "
        "make_valid gives"
        if not valid.all()
        else "",
    )
    return PlacedPolygons(chosen, owner, tuple(n for n in notes if n))


def _repaired(polygons: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Polygons of what make_valid gives, and the index of the source of each."""
    parts, owner = shapely.get_parts(
        shapely.make_valid(np.asarray(polygons, dtype=object)), return_index=True
    )
    parts, inner = shapely.get_parts(parts, return_index=True)
    kept = shapely.get_type_id(parts) == POLYGON
    return np.asarray(parts[kept], dtype=object), owner[inner][kept]
