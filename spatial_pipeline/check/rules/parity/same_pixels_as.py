"""same_pixels_as: pixels equal those of another raster."""

from __future__ import annotations

import threading

from spatial_pipeline.check.base import Context, evaluates
from spatial_pipeline.check.forms.pixel_comparison import _grid, _PixelComparison
from spatial_pipeline.check.raster.reading import raster_profile
from spatial_pipeline.check.raster.warp import Pixels, Warp
from spatial_pipeline.contract.rules.parity import SamePixelsAs
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.readers import RasterReader


@evaluates(SamePixelsAs)
class SamePixelsCheck(_PixelComparison[SamePixelsAs]):
    """Compares the bands of two rasters on one grid, or on this one's after resampling."""

    def __init__(self, rule: SamePixelsAs, context: Context) -> None:
        super().__init__(rule, context)
        self._warp: Warp | None = None
        self._lock = threading.Lock()

    def _pairs(self) -> list[tuple[int, RasterReader, int]]:
        other = self._others[0]
        count = raster_profile(self.context).count
        bands = self.rule.bands or range(1, count + 1)
        fewest = min(count, other.profile.count)
        if self.rule.bands is not None and max(bands) > fewest:
            msg = f"needs band {max(bands)}: {count} here, {other.profile.count} in the other"
            raise RuleError(msg)
        return [(b, other, b) for b in bands]

    def _obstacles(self) -> tuple[str, ...]:
        here, there = raster_profile(self.context), self._others[0].profile
        found = () if self.rule.resample else _grid(here, there)
        if self.rule.bands is None and here.count != there.count:
            found += (f"{there.count} bands in {there.uri}, not {here.count}",)
        return found

    def _read(self, window: PixelWindow, other: RasterReader) -> Pixels:
        _, height, width = window.values.shape
        place = window.row_off, window.col_off, height, width
        if self.rule.resample is None:
            there = other.read(*place)
            return there.values, there.valid
        return self._warped(other).read(*place)

    def _warped(self, other: RasterReader) -> Warp:
        with self._lock:
            if self._warp is None:
                if self.rule.resample is None:
                    msg = "the contract asks for no resampling"
                    raise RuleError(msg)
                profile = raster_profile(self.context)
                self._warp = Warp(profile, other, self.rule.resample)
            return self._warp

    def _notes(self) -> tuple[str, ...]:
        if self.rule.resample is None:
            return super()._notes()
        # Created here when other machines have evaluated the windows.
        warp = self._warped(self._others[0])
        how = f"resampled to this grid ({self.rule.resample})"
        return (how, *((warp.note,) if warp.note else ()), *super()._notes())
