"""bands_match: the bands equal single-band rasters."""

from __future__ import annotations

from spatial_pipeline.check.base import evaluates
from spatial_pipeline.check.forms.pixel_comparison import _grid, _PixelComparison
from spatial_pipeline.check.raster.reading import raster_profile
from spatial_pipeline.check.raster.warp import Pixels
from spatial_pipeline.contract.rules.parity import BandsMatch
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.readers import RasterReader


@evaluates(BandsMatch)
class BandsMatchCheck(_PixelComparison[BandsMatch]):
    """Compares each band with the single-band raster from which it should come."""

    def _pairs(self) -> list[tuple[int, RasterReader, int]]:
        return [(i, other, 1) for i, other in enumerate(self._others, 1)]

    def _obstacles(self) -> tuple[str, ...]:
        here = raster_profile(self.context)
        found: list[str] = []
        if here.count != len(self._others):
            found.append(f"{here.count} bands, but {len(self._others)} rasters to compare with")
        for other in self._others:
            found += _grid(here, other.profile)
            if not other.profile.count:
                found.append(f"{other.profile.uri} has no band")
        return tuple(found)

    def _read(self, window: PixelWindow, other: RasterReader) -> Pixels:
        _, height, width = window.values.shape
        there = other.read(window.row_off, window.col_off, height, width)
        return there.values, there.valid

    def _notes(self) -> tuple[str, ...]:
        several = tuple(
            f"{o.profile.uri} has {o.profile.count} bands: the first was compared"
            for o in self._others
            if o.profile.count > 1
        )
        return several + super()._notes()
