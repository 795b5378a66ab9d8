"""overviews_match: the overviews of the source are those of its pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np

from spatial_pipeline.check.api import RuleOutcome, Violations
from spatial_pipeline.check.base import Context, PlannedCheck, evaluates
from spatial_pipeline.check.forms.pixel_comparison import same_place
from spatial_pipeline.check.raster.pixel_difference import PixelDifference, conclusion, difference
from spatial_pipeline.check.raster.reading import raster_profile, unread
from spatial_pipeline.check.raster.regions import RegionFinder
from spatial_pipeline.contract.rules.pixels import OverviewsMatch
from spatial_pipeline.model.readers import RasterReader

Found = tuple[int, list[PixelDifference]]
"""Position of a level, and the differences of every band of one of its windows."""


@evaluates(OverviewsMatch)
class OverviewsMatchCheck(PlannedCheck[OverviewsMatch]):
    """Compares each overview with the one that GDAL builds from the pixels as they are now.

    Each connected region of pixels that differ by more than the tolerance, or have data on one side
    only, is a violation; so are a level that is missing and one of another size.
    """

    def __init__(self, rule: OverviewsMatch, context: Context) -> None:
        super().__init__(rule, context)
        profile = raster_profile(context)
        asked = rule.levels
        self._factors = [f for f in profile.overviews if asked is None or f in asked]
        self._missing = [f for f in asked or () if f not in profile.overviews]
        found = [cast("RasterReader", other) for other in context.others]
        self._levels = list(zip(found[::2], found[1::2], strict=True))
        self._finders = [RegionFinder(there.profile) for there, _ in self._levels]

    def plan(self) -> Iterable[Callable[[], Found]]:
        """One piece for each window of each level."""
        for position, (there, right) in enumerate(self._levels):
            if _size(there) == _size(right):
                for window in there.windows():
                    yield partial(self._compare, position, window)

    def reduce(self, partials: Sequence[Found]) -> RuleOutcome:
        """Everything that differs, level by level."""
        profile = raster_profile(self.context)
        lacks = [f"overview 1:{f} is missing" for f in self._missing]
        parts: list[Violations] = []
        told, notes, checked, count = [], list(unread(profile)), 0, 0
        for position, (there, right) in enumerate(self._levels):
            name = f"overview 1:{self._factors[position]}"
            if _size(there) != _size(right):
                sizes = [f"{w} × {h}" for h, w in (_size(there), _size(right))]
                lacks.append(f"{name} has {sizes[0]} pixels, not {sizes[1]}")
                continue
            found = [d for p, bands in partials if p == position for d in bands]
            dtype = profile.bands[0].data_type
            level = conclusion(self._finders[position], found, dtype, self.rule.tolerance, ())
            checked, count = checked + level.checked, count + (level.count or 0)
            told.append(f"{name}: {level.message}")
            notes += [f"{name}: {note}" for note in level.notes]
            reasons = [f"{name}, {reason}" for reason in level.violations.reasons]
            parts.append(replace(level.violations, reasons=np.array(reasons, dtype=object)))
        head = Violations.build(np.full(len(lacks), -1), lacks)
        return RuleOutcome(
            checked=checked,
            violations=Violations.concat([head, *parts]),
            count=len(lacks) + count,
            message="; ".join([*lacks, *told]) or "the source has no overviews",
            notes=tuple(notes),
        )

    def _compare(self, position: int, window: tuple[int, int, int, int]) -> Found:
        there, right = self._levels[position]
        self.context.cancelled()
        pixels = there.read(*window)
        values, valid = same_place(pixels, right)
        return position, [
            difference(
                self._finders[position], pixels, band, values[band - 1], valid[band - 1],
                self.rule.tolerance,
            )
            for band in range(1, len(pixels.values) + 1)
        ]  # fmt: skip


def _size(reader: RasterReader) -> tuple[int, int]:
    return reader.profile.height, reader.profile.width
