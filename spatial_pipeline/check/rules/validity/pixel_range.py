"""pixel_range: valid pixels lie between bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from spatial_pipeline.check.base import Context, WindowCheck, evaluates
from spatial_pipeline.check.raster.reading import (
    chosen_bands,
    needs_pixels,
    number,
    raster_profile,
    unread,
)
from spatial_pipeline.check.raster.regions import MarkedPixels, Marks, RegionFinder, strips
from spatial_pipeline.contract.rules.validity import PixelRange
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.violations import RuleOutcome

Bound = int | float | np.floating[Any]


@evaluates(PixelRange)
class PixelRangeCheck(WindowCheck[PixelRange]):
    """Outlines the connected regions of valid pixels that are out of bounds or NaN."""

    def __init__(self, rule: PixelRange, context: Context) -> None:
        super().__init__(rule, context)
        self._finder = RegionFinder(raster_profile(context))

    def map(self, window: PixelWindow) -> list[MarkedPixels]:
        """Pixels checked and regions of violations of each band, in this window."""
        if window.values.dtype.kind == "c":
            msg = "needs ordered values: complex pixels have no range"
            raise RuleError(msg)
        return [
            self._band(window, band)
            for band in chosen_bands(self.rule.band, raster_profile(self.context))
        ]

    def reduce(self, partials: Sequence[list[MarkedPixels]]) -> RuleOutcome:
        """One violation per region, counted by its pixels."""
        needs_pixels(partials)
        judged = [j for window in partials for j in window]
        violations, note = self._finder.violations([j.marks for j in judged], self._reason)
        checked = sum(j.pixels for j in judged)
        count = sum(j.marks.count for j in judged)
        nan = sum(j.nan for j in judged)
        places = f"{len(violations)} {'cell' if note else 'region'}{'s' * (len(violations) != 1)}"
        return RuleOutcome(
            checked=checked,
            violations=violations,
            count=count,
            message=f"{count} of {checked} pixels {self._bounds()}"
            f"{f', {nan} of them NaN' if nan else ''}, in {places}"
            if count
            else f"{checked} pixels checked",
            notes=(
                *((note,) if note else ()),
                *(("no pixel has data",) if not checked else ()),
                *unread(raster_profile(self.context)),
            ),
        )

    def _band(self, window: PixelWindow, band: int) -> MarkedPixels:
        values, valid = window.values[band - 1], window.valid[band - 1]
        bounds = [
            (comparison, _comparable(bound, values.dtype, rounded))
            for bound, comparison, rounded in (
                (self.rule.min, np.greater_equal, math.ceil),
                (self.rule.max, np.less_equal, math.floor),
            )
            if bound is not None
        ]
        pixels, outside = int(window.valid_counts[band - 1]), None
        for rows in strips(*values.shape):
            # The negated test, because NaN compares false with both bounds.
            inside, *others = (comparison(values[rows], bound) for comparison, bound in bounds)
            for other in others:
                inside &= other
            if not inside.all():
                wrong = valid[rows] & ~inside
                if wrong.any():
                    if outside is None:
                        outside = np.zeros(values.shape, dtype=bool)
                    outside[rows] = wrong
        if outside is None:
            return MarkedPixels(pixels, Marks(band, 0))
        marks = self._finder.mark(window, band, outside, values)
        counts_nan = values.dtype.kind == "f"
        nan = int(np.count_nonzero(np.isnan(values[outside]))) if counts_nan else 0
        return MarkedPixels(pixels, marks, nan)

    def _bounds(self) -> str:
        low, high = self.rule.min, self.rule.max
        if low is None:
            return f"above {number(high)}"
        return (
            f"below {number(low)}" if high is None else f"outside [{number(low)}, {number(high)}]"
        )

    def _reason(self, band: int, low: Any, high: Any, blank: int) -> str:
        if math.isnan(low):
            return f"band {band}: NaN" if blank else f"band {band}: {self._bounds()}"
        values = number(low) if low == high else f"{number(low)} to {number(high)}"
        nan = f", and {blank} px NaN" if blank else ""
        return f"band {band}: {values} {self._bounds()}{nan}"


def _comparable(value: float, dtype: np.dtype[Any], rounded: Any) -> Bound:
    """A bound that compares exactly with pixels of this type.

    For integers it is the outermost integer inside the bound. For floating point numbers it is
    the bound as that type stores it, so that a 32-bit pixel stored as 0.1 is not above 0.1.
    """
    if not math.isfinite(value):
        return value
    if dtype.kind in "iu":
        return cast("int", rounded(value))
    with np.errstate(over="ignore"):
        stored = dtype.type(value)
    return stored if np.isfinite(stored) else np.float64(value)
