"""raster_matches_vector: pixels hold the class of the polygon that they lie in."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import BandWindow, MarkedPixels, RasterUnderCheck, pixel_rule
from spatial_pipeline.check.raster.area import placed_polygons
from spatial_pipeline.check.raster.column_numbers import column_numbers
from spatial_pipeline.check.raster.grid import to_crs
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.check.raster.zones import ZonePixels
from spatial_pipeline.contract.rules.raster_parity import RasterMatchesVector
from spatial_pipeline.model.readers import VectorReader

CHUNK = 1 << 15
"""Wrong pixels whose neighbourhood is looked at together."""


def says(rule: RasterMatchesVector, low: Any, high: Any, nan: int) -> str:
    """The classes of a region of wrong pixels."""
    if math.isnan(low):
        return "not of the class of their polygon"
    values = number(low) if low == high else f"{number(low)} to {number(high)}"
    return f"{values} in polygons of other classes"


@pixel_rule(says)
def evaluate(rule: RasterMatchesVector, pixels: BandWindow) -> MarkedPixels:
    """Valid pixels in polygons, none of which is of their class."""
    zones, polygons, classes = pixels.raster.memo("zones", lambda: _zones(rule, pixels.raster))
    window = pixels.window
    place = window.row_off, window.col_off, *pixels.values.shape
    zone, row, column = zones.within(*place)
    held = pixels.values[row, column]
    covered, right = np.zeros(pixels.values.shape, bool), np.zeros(pixels.values.shape, bool)
    covered[row, column] = True
    same = held == classes[zone]
    right[row[same], column[same]] = True
    covered &= pixels.valid
    wrong = covered & ~right
    if rule.all_touched and wrong.any():
        _forgive(pixels, wrong, polygons, classes)
    told = None if pixels.values.dtype.kind == "c" else pixels.values
    return MarkedPixels(int(np.count_nonzero(covered)), pixels.marks(wrong, told))


def _zones(
    rule: RasterMatchesVector, raster: RasterUnderCheck
) -> tuple[ZonePixels, NDArray[np.object_], NDArray[np.float64]]:
    """Polygons with a class, and their classes."""
    data = cast("VectorReader", raster.others[0])
    placed = placed_polygons(data, raster.profile)
    classes = column_numbers(data, rule.column)[placed.owner]
    some = np.flatnonzero(~np.isnan(classes))
    polygons = placed.polygons[some]
    return ZonePixels(polygons, raster.profile.transform), polygons, classes[some]


def _forgive(
    pixels: BandWindow,
    wrong: NDArray[np.bool_],
    polygons: NDArray[np.object_],
    classes: NDArray[np.float64],
) -> None:
    """Takes pixels from the wrong ones that a polygon of their class touches."""
    tree = pixels.raster.memo("tree", lambda: shapely.STRtree(polygons))
    rows, columns = np.nonzero(wrong)
    window = pixels.window
    for begin in range(0, len(rows), CHUNK):
        pixels.raster.cancelled()
        row, column = rows[begin : begin + CHUNK], columns[begin : begin + CHUNK]
        left, top = column + window.col_off, row + window.row_off
        ends = np.stack([left, top, left + 1, top, left + 1, top + 1, left, top + 1], axis=1)
        points = to_crs(ends.reshape(-1, 2).astype(np.float64), window.transform)
        cells = shapely.polygons(points.reshape(-1, 4, 2))
        cell, polygon = tree.query(cells, predicate="intersects")
        right = cell[pixels.values[row[cell], column[cell]] == classes[polygon]]
        wrong[row[right], column[right]] = False
