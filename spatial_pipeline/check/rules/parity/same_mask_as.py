"""same_mask_as: another raster has data where this one has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from spatial_pipeline.check.api import (
    BandWindow,
    MarkedPixels,
    RasterUnderCheck,
    RuleOutcome,
    window_rule,
)
from spatial_pipeline.check.raster.grid import grid_differences
from spatial_pipeline.check.raster.profile_text import source_violations
from spatial_pipeline.check.raster.reading import unread
from spatial_pipeline.contract.rules.raster_parity import SameMaskAs
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import RasterReader

HERE, THERE = 1, 2


def conclude(
    rule: SameMaskAs,
    raster: RasterUnderCheck,
    bands: Mapping[int, Sequence[MarkedPixels]],
) -> RuleOutcome:
    """One violation per region with data on one side only, counted by its pixels."""
    other = cast("RasterReader", raster.others[0])
    obstacles = _obstacles(raster)
    if obstacles:
        return RuleOutcome(
            0, source_violations(obstacles), passed=False, message="; ".join(obstacles)
        )
    marked = [m for found in bands.values() for m in found]
    violations, note = raster.regions.violations([m.marks for m in marked], _says)
    checked, count = sum(m.pixels for m in marked), sum(m.marks.count for m in marked)
    return RuleOutcome(
        checked=checked,
        violations=violations,
        count=count,
        message=f"{count} of {checked} pixels have data on one side only"
        if count
        else f"the masks of {checked} pixels agree",
        notes=(
            *((note,) if note else ()),
            *(f"{other.profile.uri}: {n}" for n in unread(other.profile)),
        ),
    )


@window_rule(conclude)
def evaluate(rule: SameMaskAs, pixels: BandWindow) -> MarkedPixels:
    """Pixels that are valid in one raster only.

    Raises:
        RuleError: the other raster cannot be read, or lacks the band.

    """
    raster = pixels.raster
    other = cast("RasterReader", raster.others[0])
    if other.profile.error is not None:
        msg = f"needs a readable raster: {other.profile.uri}: {other.profile.error}"
        raise RuleError(msg)
    if pixels.band > other.profile.count:
        msg = f"needs band {pixels.band}: {other.profile.uri} has {other.profile.count}"
        raise RuleError(msg)
    if raster.memo("obstacles", lambda: _obstacles(raster)):
        return MarkedPixels(0, pixels.marks(None))
    place = pixels.window.row_off, pixels.window.col_off, *pixels.valid.shape
    there = pixels.once("there", lambda: other.read(*place)).valid[pixels.band - 1]
    differs = pixels.valid != there
    side = np.where(pixels.valid, HERE, THERE).astype(np.uint8)
    return MarkedPixels(pixels.valid.size, pixels.marks(differs, side))


def _obstacles(raster: RasterUnderCheck) -> tuple[str, ...]:
    other = cast("RasterReader", raster.others[0]).profile
    differences = grid_differences(raster.profile, other)
    return tuple(f"the grid of {other.uri} differs: {d}" for d in differences)


def _says(band: int, low: Any, high: Any, _blank: int) -> str:
    if low != high:
        return f"band {band}: data on one side only"
    return f"band {band}: data {'here' if low == HERE else 'in the other raster'} only"
