"""same_pixels_as: pixels equal those of another raster."""

from __future__ import annotations

from spatial_pipeline.check.api import BandPairs, RasterUnderCheck, other_grid, pixel_comparison
from spatial_pipeline.check.raster.warp import Pixels, Warp
from spatial_pipeline.contract.rules.parity import SamePixelsAs
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.readers import RasterReader


@pixel_comparison
def evaluate(rule: SamePixelsAs, raster: RasterUnderCheck) -> BandPairs:
    """The bands of two rasters on one grid, or on this one's after resampling.

    Raises:
        RuleError: a raster lacks a band that the contract names.

    """
    here, other = raster.profile, raster.rasters[0]
    there = other.profile
    obstacles = () if rule.resample else other_grid(here, there)
    if rule.bands is None and here.count != there.count:
        obstacles += (f"{there.count} bands in {there.uri}, not {here.count}",)
    if obstacles:
        return BandPairs(obstacles=obstacles)
    bands = rule.bands or range(1, here.count + 1)
    if max(bands) > min(here.count, there.count):
        msg = f"needs band {max(bands)}: {here.count} here, {there.count} in the other"
        raise RuleError(msg)
    pairs = [(band, other, band) for band in bands]
    if rule.resample is None:
        return BandPairs(pairs)
    warp = Warp(here, other, rule.resample)
    how = f"resampled to this grid ({rule.resample})"

    def read(window: PixelWindow, _: RasterReader) -> Pixels:
        return warp.read(window.row_off, window.col_off, *window.values.shape[1:])

    return BandPairs(pairs, notes=(how, *((warp.note,) if warp.note else ())), read=read)
