"""tile_edges_must_match: pixels on both sides of a seam differ by no more than allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from spatial_pipeline.check.api import (
    BandWindow,
    MarkedPixels,
    RasterUnderCheck,
    RuleOutcome,
    window_rule,
)
from spatial_pipeline.check.raster.grid import (
    SAME_GRID,
    alignment,
    same_crs,
    to_crs,
    to_pixels,
)
from spatial_pipeline.check.raster.lines import numbers
from spatial_pipeline.check.raster.pixel_difference import distance
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.contract.rules.raster_topology import TileEdgesMustMatch
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import RasterReader

SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Steps in rows and columns to a neighbour."""


@dataclass(frozen=True)
class PlacedTile:
    """Another tile in the grid of this one.

    Attributes:
        data: reads it.
        row: row of its first pixel.
        column: column of its first pixel.

    """

    data: RasterReader
    row: int
    column: int


def conclude(
    rule: TileEdgesMustMatch, raster: RasterUnderCheck, bands: Mapping[int, Sequence[MarkedPixels]]
) -> RuleOutcome:
    """One violation per stretch of a seam that jumps, counted by the pixels of this tile."""
    marked = [m for found in bands.values() for m in found]
    violations, note = raster.regions.violations(
        [m.marks for m in marked],
        lambda band, low, high, _: (
            f"band {band}: jumps by "
            f"{number(low) if low == high else f'{number(low)} to {number(high)}'}"
        ),
    )
    checked, count = sum(m.pixels for m in marked), sum(m.marks.count for m in marked)
    tiles = _tiles(raster)
    return RuleOutcome(
        checked=checked,
        violations=violations,
        count=count,
        message=f"{count} of {checked} pixels at seams jump by more than "
        f"{number(rule.max_difference)}"
        if count
        else f"{checked} pixels at seams with {len(tiles)} tiles match",
        notes=(
            *((note,) if note else ()),
            *(("no other tile adjoins this one with data",) if not checked else ()),
        ),
    )


@window_rule(conclude)
def evaluate(rule: TileEdgesMustMatch, pixels: BandWindow) -> MarkedPixels:
    """Valid pixels at the edge of the raster that differ from a valid one beside them."""
    window, profile = pixels.window, pixels.raster.profile
    height, width = pixels.values.shape
    here = numbers(pixels.values, pixels.valid)
    jump = np.zeros((height, width))
    compared = np.zeros((height, width), dtype=bool)
    for down, across in SIDES:
        edge = {
            (-1, 0): window.row_off == 0,
            (1, 0): window.row_off + height == profile.height,
            (0, -1): window.col_off == 0,
            (0, 1): window.col_off + width == profile.width,
        }[down, across]
        if not edge:
            continue
        rows = (
            slice(0, height) if not down else slice(0, 1) if down < 0 else slice(height - 1, height)
        )
        columns = (
            slice(0, width)
            if not across
            else slice(0, 1)
            if across < 0
            else slice(width - 1, width)
        )
        top, left = window.row_off + rows.start + down, window.col_off + columns.start + across
        for tile in _tiles(pixels.raster):
            _compare(pixels, tile, (rows, columns), (top, left), here, jump, compared)
    wrong = jump > rule.max_difference
    return MarkedPixels(int(np.count_nonzero(compared)), pixels.marks(wrong, jump))


def _compare(
    pixels: BandWindow,
    tile: PlacedTile,
    strip: tuple[slice, slice],
    start: tuple[int, int],
    here: Any,
    jump: Any,
    compared: Any,
) -> None:
    """Adds the differences of a strip of pixels from those of a tile beside it."""
    other, profile = tile.data, tile.data.profile
    size = (strip[0].stop - strip[0].start, strip[1].stop - strip[1].start)
    top, left = max(start[0], tile.row), max(start[1], tile.column)
    bottom = min(start[0] + size[0], tile.row + profile.height)
    right = min(start[1] + size[1], tile.column + profile.width)
    if top >= bottom or left >= right:
        return
    read = other.read(top - tile.row, left - tile.column, bottom - top, right - left)
    if pixels.band > profile.count:
        msg = f"needs band {pixels.band}: {profile.uri} has {profile.count}"
        raise RuleError(msg)
    values, valid = read.values[pixels.band - 1], read.valid[pixels.band - 1]
    rows = slice(strip[0].start + top - start[0], strip[0].start + bottom - start[0])
    columns = slice(strip[1].start + left - start[1], strip[1].start + right - start[1])
    place = rows, columns
    both = here[place] & numbers(values, valid)
    gap = np.where(both, distance(pixels.values[place], values), 0.0)
    jump[place] = np.maximum(jump[place], gap)
    compared[place] |= both


def _tiles(raster: RasterUnderCheck) -> list[PlacedTile]:
    """The other tiles, on the grid of this one.

    Raises:
        RuleError: a tile cannot be read, or its pixels are no cells of this grid.

    """

    def make() -> list[PlacedTile]:
        found: list[PlacedTile] = []
        for other in raster.others:
            data = cast("RasterReader", other)
            profile = data.profile
            if profile.error is not None or not same_crs(raster.profile, profile):
                msg = f"needs a readable raster in the same CRS: {profile.uri}"
                raise RuleError(msg)
            lies = alignment(profile, raster.profile.transform)
            ours, theirs = (
                [p.transform[i] for i in (0, 1, 3, 4)] for p in (raster.profile, profile)
            )
            same = np.allclose(ours, theirs, rtol=1e-6)
            if not (lies.cells and same and float(lies.offset.max()) <= SAME_GRID):
                msg = f"needs tiles of one grid: the pixels of {profile.uri} are not cells of it"
                raise RuleError(msg)
            corner = to_pixels(
                to_crs(np.zeros((1, 2)), profile.transform), raster.profile.transform
            )
            column, row = (math.floor(v + 0.5) for v in corner[0])
            found.append(PlacedTile(data, row, column))
        return found

    return raster.memo("tiles", make)
