"""Written to another format and read back, a raster is what it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import cast

import numpy as np

from spatial_pipeline.check.base import Context, WindowCheck, evaluates
from spatial_pipeline.check.raster.grid import grid_differences
from spatial_pipeline.check.raster.pixel_difference import Difference, conclusion, difference
from spatial_pipeline.check.raster.regions import RegionFinder
from spatial_pipeline.check.rules.validity.raster import needs_pixels, raster_profile, unread
from spatial_pipeline.contract.rules.parity import RoundTrips
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import PixelWindow, RasterData
from spatial_pipeline.model.result import Findings, Outcome
from spatial_pipeline.model.version import BandProfile, RasterProfile

GRID, COUNT, TAGS, PIXELS = "grid", "count", "tags", "pixels"
BAND = tuple(f.name for f in fields(BandProfile))
PROPERTIES = (GRID, COUNT, *BAND, TAGS, PIXELS)
"""What a raster may lose; ``ignore`` takes these names."""

_DEFAULTS = {"AREA_OR_POINT": "Area"}
"""What it means that a tag is absent."""


@evaluates(RoundTrips, kind="raster")
class RasterRoundTripCheck(WindowCheck[RoundTrips]):
    """Compares a raster with itself, written to another format and read back.

    The CRS and grid, the number of bands, type, nodata, description, colour interpretation, scale,
    offset and unit of each band, the tags and every pixel are compared; ``tolerance`` is the
    accepted difference of a pixel, ``ignore`` takes the names of the other properties.
    """

    def __init__(self, rule: RoundTrips, context: Context) -> None:
        super().__init__(rule, context)
        self._finder = RegionFinder(raster_profile(context))
        unknown = sorted(set(rule.ignore) - set(PROPERTIES))
        if unknown:
            msg = f"ignore: {', '.join(unknown)} is none of {', '.join(PROPERTIES)}"
            raise RuleError(msg)

    @property
    def _back(self) -> RasterData:
        if not self.context.others:
            msg = f"nothing was read back from {self.rule.format}"
            raise RuleError(msg)
        return cast("RasterData", self.context.others[0])

    def map(self, window: PixelWindow) -> list[Difference]:
        """Differences of every band in this window."""
        here, there = raster_profile(self.context), self._back.profile
        if PIXELS in self.rule.ignore or grid_differences(here, there):
            return []
        _, height, width = window.values.shape
        back = self._back.read(window.row_off, window.col_off, height, width)
        found = []
        for band in range(min(here.count, there.count)):
            self.context.cancelled()
            pixels = back.values[band], back.valid[band]
            found.append(difference(self._finder, window, band + 1, *pixels, self.rule.tolerance))
        return found

    def reduce(self, partials: Sequence[list[Difference]]) -> Outcome:
        """One finding a property that changed, and one a region of pixels that did."""
        needs_pixels(partials)
        here, there = raster_profile(self.context), self._back.profile
        changes = [c for name, c in _changes(here, there) if name not in self.rule.ignore]
        said = [f"{p.uri}: {n}" for p in (here, there) for n in unread(p)]
        if grid_differences(here, there):
            said.append("pixels not compared: the grids differ")
        if self.rule.ignore:
            said.append(f"accepted without a look: {', '.join(self.rule.ignore)}")
        parts = [d for window in partials for d in window]
        pixels = Outcome(checked=0, notes=tuple(said))
        if parts:
            dtype = here.bands[0].data_type
            pixels = conclusion(self._finder, parts, dtype, self.rule.tolerance, tuple(said))
        changed = sum(p.marks.count for p in parts)
        told = [*changes, *([pixels.message] if changed else [])]
        return Outcome(
            checked=pixels.checked,
            findings=Findings.concat(
                [Findings.build(np.full(len(changes), -1), changes), pixels.findings]
            ),
            violations=len(changes) + changed,
            message="; ".join(told)
            or f"{self.rule.format} keeps {pixels.checked} pixels and their metadata",
            notes=pixels.notes,
        )


def _changes(here: RasterProfile, there: RasterProfile) -> Iterator[tuple[str, str]]:
    """The properties that changed, and how."""
    for told in grid_differences(here, there):
        yield GRID, f"{GRID}: read back as {told}"
    if here.count != there.count:
        yield COUNT, f"{here.count} bands written, {there.count} read back"
    for number, (a, b) in enumerate(zip(here.bands, there.bands, strict=False), 1):
        for name in BAND:
            one, two = getattr(a, name), getattr(b, name)
            if one != two:
                yield name, f"band {number}: {name} {_told(one)}, read back as {_told(two)}"
    for tag in sorted(here.tags):
        one, two = here.tags[tag], there.tags.get(tag, _DEFAULTS.get(tag))
        if one != two:
            yield TAGS, f"tag {tag}: {_told(one)}, read back as {_told(two)}"


def _told(value: object) -> str:
    return "none" if value is None else str(value)


__all__ = ["RasterRoundTripCheck"]
