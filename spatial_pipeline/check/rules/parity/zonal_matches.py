"""zonal_matches: a statistic of the pixels in each polygon equals a column of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.check.raster.area import PlacedPolygons, placed_polygons
from spatial_pipeline.check.raster.column_numbers import column_numbers
from spatial_pipeline.check.raster.exact_sums import exact_sums
from spatial_pipeline.check.raster.lines import numbers
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.check.raster.zones import ZonePixels
from spatial_pipeline.contract.rules.raster_parity import ZonalMatches
from spatial_pipeline.model.readers import VectorReader

Zones = tuple[ZonePixels, PlacedPolygons, NDArray[np.float64]]


@dataclass(frozen=True)
class ZoneSums:
    """Features whose pixels a window holds, as arrays of length n.

    Attributes:
        feature: (n,) staged position.
        count: (n,) valid pixels that are numbers.
        total: (n,) exact sums, as fractions.
        low: (n,) smallest pixel.
        high: (n,) largest pixel.

    """

    feature: NDArray[np.int64]
    count: NDArray[np.int64]
    total: NDArray[np.object_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def conclude(
    rule: ZonalMatches, raster: RasterUnderCheck, bands: Mapping[int, Sequence[ZoneSums]]
) -> RuleOutcome:
    """One violation per polygon whose statistic is not the number of its column."""
    (parts,) = bands.values()
    _, placed, expected = _zones(rule, raster)
    size = len(expected)
    count = np.zeros(size, np.int64)
    total = np.full(size, Fraction(0), dtype=object)
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    for part in parts:
        count[part.feature] += part.count
        total[part.feature] += part.total
        low[part.feature] = np.minimum(low[part.feature], part.low)
        high[part.feature] = np.maximum(high[part.feature], part.high)
    zoned = np.zeros(size, dtype=bool)
    zoned[placed.owner] = True
    counted = rule.statistic in {"count", "sum"}
    judged = zoned & ~np.isnan(expected) & ((count > 0) | counted)
    place = np.flatnonzero(judged)
    found = np.array(
        [_statistic(rule, count[i], total[i], low[i], high[i]) for i in place], dtype=np.float64
    )
    gap = np.abs(found - expected[place])
    wrong = np.flatnonzero(gap > rule.tolerance)
    data = cast("VectorReader", raster.others[0])
    rows = data.take(place[wrong], (), geometry=False).rows
    owners = {int(o): placed.polygons[k] for k, o in reversed(list(enumerate(placed.owner)))}
    left = int(np.count_nonzero(zoned & np.isnan(expected)))
    empty = int(np.count_nonzero(zoned & ~np.isnan(expected) & ~judged))
    return RuleOutcome(
        checked=len(place),
        violations=Violations.build(
            np.full(len(wrong), -1),
            [
                f"{rule.statistic} {number(found[i])}, not {number(expected[place[i]])}"
                for i in wrong
            ],
            [owners[int(place[i])] for i in wrong],
            gap[wrong],
            keys=[((int(row),),) for row in rows],
        ),
        message=f"the {rule.statistic} of {len(wrong)} of {len(place)} polygons differs, "
        f"by up to {number(gap.max())}"
        if len(wrong)
        else f"the {rule.statistic} of {len(place)} polygons agrees",
        notes=(
            *placed.notes,
            *(
                (f"{left} polygons without a number in {rule.column} were left out",)
                if left
                else ()
            ),
            *((f"{empty} polygons hold no valid pixel and were left out",) if empty else ()),
        ),
    )


@window_rule(conclude)
def evaluate(rule: ZonalMatches, pixels: BandWindow) -> ZoneSums:
    """Sums and ranges of the pixels of each polygon, as far as they lie in this window."""
    zones, placed, _ = _zones(rule, pixels.raster)
    window = pixels.window
    there = numbers(pixels.values, pixels.valid)
    if pixels.values.dtype.kind == "f":
        there = there & np.isfinite(pixels.values)
    zone, row, column = zones.within(window.row_off, window.col_off, *there.shape)
    kept = there[row, column]
    feature = placed.owner[zone[kept]]
    values = pixels.values[row[kept], column[kept]].astype(np.float64)
    order = np.argsort(feature, kind="stable")
    feature, values = feature[order], values[order]
    first = np.flatnonzero(np.diff(feature, prepend=-1))
    if not len(first):
        none: Any = np.empty(0)
        return ZoneSums(feature, feature, none.astype(object), none, none)
    counts = np.diff(np.append(first, len(feature)))
    return ZoneSums(
        feature[first],
        counts,
        exact_sums(values, np.repeat(np.arange(len(first)), counts)),
        np.minimum.reduceat(values, first),
        np.maximum.reduceat(values, first),
    )


def _zones(rule: ZonalMatches, raster: RasterUnderCheck) -> Zones:
    """The polygons in pixel space, as they are, and the expected number of every feature."""

    def make() -> Zones:
        data = cast("VectorReader", raster.others[0])
        placed = placed_polygons(data, raster.profile)
        expected = column_numbers(data, rule.column)
        return ZonePixels(placed.polygons, raster.profile.transform), placed, expected

    return raster.memo("zones", make)


def _statistic(rule: ZonalMatches, count: int, total: Any, low: float, high: float) -> float:
    if rule.statistic == "count":
        return float(count)
    if rule.statistic == "mean":
        return float(total / int(count))
    return {"sum": float(total), "min": float(low), "max": float(high)}[rule.statistic]
