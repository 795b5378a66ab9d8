"""Form of rules that compare bands pixel by pixel with bands of other rasters.

A rule is a function decorated by :func:`pixel_comparison`. It gets its model and the
:class:`RasterUnderCheck` and returns :class:`BandPairs`: the bands to compare, or why no pixel can
be compared. Reading, comparing (up to ``rule.tolerance``), outlining, notes on types, scales and
damaged blocks, and registration are done here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, get_type_hints

import numpy as np

from spatial_pipeline.check.base import Context, WindowCheck, evaluates
from spatial_pipeline.check.forms.window_rule import RasterUnderCheck
from spatial_pipeline.check.raster.grid import grid_differences
from spatial_pipeline.check.raster.pixel_difference import PixelDifference, conclusion, difference
from spatial_pipeline.check.raster.reading import needs_pixels, unread
from spatial_pipeline.check.raster.warp import Pixels
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import BandProfile, RasterProfile
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.readers import RasterReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

Read = Callable[[PixelWindow, RasterReader], Pixels]


def same_place(window: PixelWindow, other: RasterReader) -> Pixels:
    """(bands, height, width) pixels of another raster of the same grid, at those of a window."""
    _, height, width = window.values.shape
    there = other.read(window.row_off, window.col_off, height, width)
    return there.values, there.valid


@dataclass(frozen=True)
class BandPairs:
    """The bands that a rule compares.

    Attributes:
        pairs: (1-based band here, other raster, 1-based band there).
        obstacles: differences of structure that leave no pixel to compare.
        notes: notes beside those on the bands.
        read: pixels of another raster at the places of a window.

    """

    pairs: Sequence[tuple[int, RasterReader, int]] = ()
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    read: Read = same_place


Evaluate = Callable[[Any, RasterUnderCheck], BandPairs]
E = TypeVar("E", bound=Evaluate)


class PixelComparisonCheck(WindowCheck[Rule]):
    """Evaluates a function that :func:`pixel_comparison` decorates."""

    function: ClassVar[Evaluate]

    def __init__(self, rule: Rule, context: Context) -> None:
        super().__init__(rule, context)
        self._raster = RasterUnderCheck(context)

    @property
    def _tolerance(self) -> float:
        return float(getattr(self.rule, "tolerance", 0.0))

    @property
    def _bands(self) -> BandPairs:
        return self._raster.memo("bands", lambda: type(self).function(self.rule, self._raster))

    def map(self, window: PixelWindow) -> list[PixelDifference]:
        """Differences of every pair of bands in this window.

        Raises:
            RuleError: another raster cannot be read.

        """
        for other in self._raster.rasters:
            if other.profile.error is not None:
                msg = f"needs a readable raster: {other.profile.uri}: {other.profile.error}"
                raise RuleError(msg)
        bands, finder = self._bands, self._raster.regions
        if bands.obstacles:
            return []
        found: list[PixelDifference] = []
        read: dict[int, Pixels] = {}
        for band, other, theirs in bands.pairs:
            self.context.cancelled()
            if id(other) not in read:
                read = {id(other): bands.read(window, other)}
            values, valid = read[id(other)]
            there = values[theirs - 1], valid[theirs - 1]
            found.append(difference(finder, window, band, *there, self._tolerance))
        return found

    def reduce(self, partials: Sequence[list[PixelDifference]]) -> RuleOutcome:
        """One violation per region that differs, counted by its pixels.

        Raises:
            RuleError: no window was read.

        """
        needs_pixels(partials)
        obstacles = self._bands.obstacles
        if obstacles:
            return RuleOutcome(
                checked=0,
                violations=Violations.build(np.full(len(obstacles), -1), list(obstacles)),
                passed=False,
                message="; ".join(obstacles),
            )
        dtype = self._raster.profile.bands[0].data_type
        parts = [d for window in partials for d in window]
        return conclusion(self._raster.regions, parts, dtype, self._tolerance, self._notes())

    def _notes(self) -> tuple[str, ...]:
        """Notes beside the differences, each once."""
        here = self._raster.profile
        said: dict[str, None] = {}
        for band, other, theirs in self._bands.pairs:
            a, b = here.bands[band - 1], other.profile.bands[theirs - 1]
            said.update(dict.fromkeys(_remarks(a, b)))
        for profile in (here, *(o.profile for o in self._raster.rasters)):
            said.update(dict.fromkeys(f"{profile.uri}: {n}" for n in unread(profile)))
        return (*self._bands.notes, *said)


def pixel_comparison(function: E) -> E:
    """Registers a function as the evaluation of the rule model of its first parameter."""
    model = next(iter(get_type_hints(function).values()))
    parts = {
        "function": staticmethod(function),
        "__doc__": function.__doc__,
        "__module__": function.__module__,
    }
    evaluates(model)(type(f"{model.__name__}Check", (PixelComparisonCheck,), parts))
    return function


def other_grid(here: RasterProfile, there: RasterProfile) -> tuple[str, ...]:
    """Differences of the grids of two rasters."""
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
