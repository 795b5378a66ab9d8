"""Comparison of bands with bands of other rasters: base class of the rules that do so."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, cast

import numpy as np

from spatial_pipeline.check.base import Context, WindowCheck
from spatial_pipeline.check.raster.grid import grid_differences
from spatial_pipeline.check.raster.pixel_difference import PixelDifference, conclusion, difference
from spatial_pipeline.check.raster.reading import needs_pixels, raster_profile, unread
from spatial_pipeline.check.raster.regions import RegionFinder
from spatial_pipeline.check.raster.warp import Pixels
from spatial_pipeline.contract.rules.parity import BandsMatch, SamePixelsAs
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import BandProfile, RasterProfile
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.readers import RasterReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

R = TypeVar("R", bound=SamePixelsAs | BandsMatch)


class _PixelComparison(WindowCheck[R]):
    """Compares bands of this raster with bands of others, once the grids allow it."""

    def __init__(self, rule: R, context: Context) -> None:
        super().__init__(rule, context)
        self._finder = RegionFinder(raster_profile(context))

    @property
    def _others(self) -> list[RasterReader]:
        return [cast("RasterReader", o) for o in self.context.others]

    @abstractmethod
    def _pairs(self) -> list[tuple[int, RasterReader, int]]:
        """(1-based band here, other raster, 1-based band there) of everything to compare."""

    @abstractmethod
    def _obstacles(self) -> tuple[str, ...]:
        """Differences of structure that leave no pixel to compare."""

    @abstractmethod
    def _read(self, window: PixelWindow, other: RasterReader) -> Pixels:
        """(bands, height, width) pixels of another raster at the places of a window."""

    def _notes(self) -> tuple[str, ...]:
        """Notes beside the differences."""
        here = raster_profile(self.context)
        said: dict[str, None] = {}
        for band, other, theirs in self._pairs():
            a, b = here.bands[band - 1], other.profile.bands[theirs - 1]
            said.update(dict.fromkeys(_remarks(a, b)))
        for profile in (here, *(o.profile for o in self._others)):
            said.update(dict.fromkeys(f"{profile.uri}: {n}" for n in unread(profile)))
        return tuple(said)

    def map(self, window: PixelWindow) -> list[PixelDifference]:
        """Differences of every band in this window."""
        for other in self._others:
            if other.profile.error is not None:
                msg = f"needs a readable raster: {other.profile.uri}: {other.profile.error}"
                raise RuleError(msg)
        if self._obstacles():
            return []
        found: list[PixelDifference] = []
        read: dict[int, Pixels] = {}
        for band, other, theirs in self._pairs():
            self.context.cancelled()
            if id(other) not in read:
                read = {id(other): self._read(window, other)}
            values, valid = read[id(other)]
            there = values[theirs - 1], valid[theirs - 1]
            found.append(difference(self._finder, window, band, *there, self.rule.tolerance))
        return found

    def reduce(self, partials: Sequence[list[PixelDifference]]) -> RuleOutcome:
        """One violation per region that differs, counted by its pixels."""
        needs_pixels(partials)
        obstacles = self._obstacles()
        if obstacles:
            return RuleOutcome(
                checked=0,
                violations=Violations.build(np.full(len(obstacles), -1), list(obstacles)),
                passed=False,
                message="; ".join(obstacles),
            )
        dtype = raster_profile(self.context).bands[0].data_type
        parts = [d for window in partials for d in window]
        return conclusion(self._finder, parts, dtype, self.rule.tolerance, self._notes())


def _grid(here: RasterProfile, there: RasterProfile) -> tuple[str, ...]:
    return tuple(f"the grid of {there.uri} differs: {d}" for d in grid_differences(here, there))


def _remarks(here: BandProfile, there: BandProfile) -> list[str]:
    """Differences of two bands apart from their pixels, and their treatment."""
    said: list[str] = []
    if here.data_type != there.data_type:
        types = f"{there.data_type} against {here.data_type}"
        loses = {np.dtype(t).kind in "iu" for t in (here.data_type, there.data_type)} == {
            True,
            False,
        }
        wide = any(t in {"int64", "uint64"} for t in (here.data_type, there.data_type))
        exactly = ", as 64-bit floating point numbers" if loses and wide else ""
        said.append(f"{types}: compared by value{exactly}")
    if (here.scale, here.offset) != (there.scale, there.offset):
        said.append(
            f"scale and offset {there.scale:g} and {there.offset:g} against {here.scale:g} and "
            f"{here.offset:g}: compared as stored"
        )
    return said
