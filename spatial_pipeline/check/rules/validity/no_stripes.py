"""no_stripes: no dropped lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.check.raster.lines import numbers, ranges
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.check.raster.region_outlines import rectangles
from spatial_pipeline.contract.rules.pixels import NoStripes


@dataclass(frozen=True)
class LineRanges:
    """Lines of one band, as far as they lie in a window.

    Attributes:
        first: the first line.
        count: (n,) pixels with a number in each.
        low: (n,) smallest of them.
        high: (n,) largest of them.

    """

    first: int
    count: NDArray[np.int64]
    low: NDArray[Any]
    high: NDArray[Any]


def conclude(
    rule: NoStripes, raster: RasterUnderCheck, bands: Mapping[int, Sequence[LineRanges]]
) -> RuleOutcome:
    """One violation per group of dropped lines, with their number."""
    profile = raster.profile
    size = profile.height if rule.direction == "rows" else profile.width
    found = [_stripes(rule, raster, band, parts, size) for band, parts in bands.items()]
    violations = Violations.concat(found)
    lost = int(violations.measure.sum())
    return RuleOutcome(
        checked=size * len(bands),
        violations=violations,
        message=f"{lost} of {size * len(bands)} {rule.direction} dropped, in "
        f"{len(violations)} stripe{'s' * (len(violations) != 1)}"
        if lost
        else f"no stripe in {size * len(bands)} {rule.direction}",
    )


@window_rule(conclude)
def evaluate(rule: NoStripes, pixels: BandWindow) -> LineRanges:
    """Number of pixels, smallest and largest value of each line in this window."""
    axis = 1 if rule.direction == "rows" else 0
    there = numbers(pixels.values, pixels.valid)
    low, high = ranges(pixels.values, there)
    window = pixels.window
    return LineRanges(
        window.row_off if axis else window.col_off,
        np.count_nonzero(there, axis=axis).astype(np.int64),
        low.min(axis=axis),
        high.max(axis=axis),
    )


def _stripes(
    rule: NoStripes, raster: RasterUnderCheck, band: int, parts: Sequence[LineRanges], size: int
) -> Violations:
    count = np.zeros(size, np.int64)
    low, high = np.zeros(size, parts[0].low.dtype), np.zeros(size, parts[0].high.dtype)
    seen = np.zeros(size, dtype=bool)
    for part in parts:
        place = slice(part.first, part.first + len(part.count))
        fresh = ~seen[place]
        count[place] += part.count
        low[place] = np.where(fresh, part.low, np.minimum(low[place], part.low))
        high[place] = np.where(fresh, part.high, np.maximum(high[place], part.high))
        seen[place] = True
    dropped = (count == 0) | ((count > 1) & (low == high))
    change = np.flatnonzero(np.diff(dropped.astype(np.int8), prepend=0, append=0))
    begin, end = change[0::2], change[1::2]
    # A group at the edge is the outside of the data, or a flat area that is cut.
    keep = (begin > 0) & (end < size)
    if rule.max_rows is not None:
        keep &= end - begin <= rule.max_rows
    begin, end = begin[keep], end[keep]
    profile, none = raster.profile, np.zeros(len(begin), np.int64)
    if rule.direction == "rows":
        sides = begin, none, end, none + profile.width
    else:
        sides = none, begin, none + profile.height, end
    reasons = [
        f"band {band}: {_named(rule, b, e)} {_hold(count[b:e], low[b:e])}"
        for b, e in zip(begin.tolist(), end.tolist(), strict=True)
    ]
    places = rectangles(*sides, profile.transform)
    return Violations.build(np.full(len(begin), -1), reasons, places, end - begin, rule.direction)


def _named(rule: NoStripes, begin: int, end: int) -> str:
    name = rule.direction[:-1]
    return f"{name} {begin}" if end - begin == 1 else f"{name}s {begin} to {end - 1}"


def _hold(count: NDArray[np.int64], low: NDArray[Any]) -> str:
    values = np.unique(low[count > 0])
    if not len(values):
        return "without data"
    value = f"of the value {number(values[0])}" if len(values) == 1 else "of one value each"
    return value if (count > 0).all() else f"{value}, or without data"
