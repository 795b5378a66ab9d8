"""no_spikes_in_surface: no pixel stands out from a neighbour too steeply."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from spatial_pipeline.check.api import BandWindow, MarkedPixels, RasterUnderCheck, pixel_rule
from spatial_pipeline.check.crs.transformation import in_degrees
from spatial_pipeline.check.raster.grid import pixel_size, to_crs
from spatial_pipeline.check.raster.lines import numbers
from spatial_pipeline.check.raster.pixel_difference import distance
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.contract.rules.pixels import NoSpikesInSurface


def says(rule: NoSpikesInSurface, low: Any, high: Any, nan: int) -> str:
    """The largest step of a region."""
    bounds = [
        *([f"{number(rule.max_slope)}°"] if rule.max_slope is not None else []),
        *([f"a step of {number(rule.max_step)}"] if rule.max_step is not None else []),
    ]
    wrong = f"steeper than {' or '.join(bounds)}"
    return wrong if math.isnan(high) else f"{wrong}, largest step {number(high)}"


@pixel_rule(says)
def evaluate(rule: NoSpikesInSurface, pixels: BandWindow) -> MarkedPixels:
    """Valid pixels with a valid neighbour that is too far above or below."""
    values, valid = pixels.around(1)
    valid = numbers(values, valid)
    scale = pixels.raster.profile.bands[pixels.band - 1].scale
    factor = abs(float(scale))
    rows = np.arange(values.shape[0]) + pixels.window.row_off - 1
    across, down = pixels.raster.memo("sizes", lambda: _sizes(rule, pixels.raster))
    inside = np.clip(rows, 0, pixels.raster.profile.height - 1)
    step = np.zeros(values.shape)
    steep = np.zeros(values.shape, dtype=bool)
    for one, other, run in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None)), across[inside][:, None]),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None)), down[inside][:-1, None]),
    ):
        rise = distance(values[one], values[other]) * factor
        rise = np.where(valid[one] & valid[other], rise, 0.0)
        wrong = np.zeros(rise.shape, dtype=bool)
        if rule.max_slope is not None:
            wrong |= rise > run * math.tan(math.radians(rule.max_slope))
        if rule.max_step is not None:
            wrong |= rise > rule.max_step
        for side in (one, other):
            steep[side] |= wrong
            step[side] = np.maximum(step[side], np.where(wrong, rise, 0.0))
    core = (slice(1, -1), slice(1, -1))
    checked = int(np.count_nonzero(valid[core]))
    return MarkedPixels(checked, pixels.marks(steep[core], step[core]))


def _sizes(
    rule: NoSpikesInSurface, raster: RasterUnderCheck
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of neighbours in each row, and from each row to the next: units, or metres."""
    profile = raster.profile
    width, height = pixel_size(profile.transform)
    crs = profile.pyproj_crs
    if rule.max_slope is None or crs is None or not in_degrees(crs):
        return np.full(profile.height, width), np.full(profile.height, height)
    middle = profile.width // 2
    place = np.arange(profile.height) + 0.5
    ends = [
        to_crs(
            np.stack([np.full_like(place, middle + 0.5 + x), place + y], axis=1), profile.transform
        )
        for x, y in ((0, 0), (1, 0), (0, 1))
    ]
    geod = crs.get_geod() or pyproj.Geod(ellps="WGS84")
    return tuple(  # type: ignore[return-value]
        np.asarray(geod.inv(*ends[0].T, *end.T)[2]) for end in ends[1:]
    )
