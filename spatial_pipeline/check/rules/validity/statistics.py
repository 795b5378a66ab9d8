"""statistics: mean, standard deviation and percentiles lie within bounds."""

from __future__ import annotations

import math
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
from spatial_pipeline.check.raster.exact_sums import Moments
from spatial_pipeline.check.raster.reading import number, share_text
from spatial_pipeline.check.raster.regions import strips
from spatial_pipeline.contract.rules.pixels import PercentileBounds, Span, Statistics
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import RasterReader

EXACT = 1 << 53


@dataclass(frozen=True)
class PixelMoments:
    """Pixels of one band in one window.

    Attributes:
        moments: of the finite ones.
        below: for each percentile, pixels below its smallest accepted value.
        within: for each percentile, pixels not above its largest accepted value.
        odd: valid pixels that are NaN or infinite.
        rounded: whole numbers beyond 2⁵³, which are judged as float64.

    """

    moments: Moments
    below: tuple[int, ...] = ()
    within: tuple[int, ...] = ()
    odd: int = 0
    rounded: int = 0


def conclude(
    rule: Statistics, raster: RasterUnderCheck, bands: Mapping[int, Sequence[PixelMoments]]
) -> RuleOutcome:
    """One violation for each statistic of a band that is out of bounds."""
    reasons: list[tuple[str, float]] = []
    said: list[str] = []
    checked = odd = rounded = 0
    for band, parts in bands.items():
        odd += sum(p.odd for p in parts)
        rounded += sum(p.rounded for p in parts)
        whole = sum((p.moments for p in parts), Moments())
        if not whole.count:
            said.append(f"band {band}: no pixel has data")
            continue
        checked += 1
        mean, deviation = whole.mean, whole.deviation
        said.append(f"band {band}: mean {number(mean)}, standard deviation {number(deviation)}")
        reasons += _outside(f"band {band}: mean", mean, rule.mean)
        reasons += _outside(f"band {band}: standard deviation", deviation, rule.std)
        for i, bounds in enumerate(rule.percentiles or ()):
            below, within = sum(p.below[i] for p in parts), sum(p.within[i] for p in parts)
            reasons += _percentile(f"band {band}", bounds, whole.count, below, within)
        if rule.other is not None:
            reasons += _changes(rule, raster, band, mean, deviation)
    if not checked:
        msg = "needs pixels: none of the bands has data"
        raise RuleError(msg)
    return RuleOutcome(
        checked=checked,
        violations=Violations.build(
            np.full(len(reasons), -1), [r for r, _ in reasons], measure=[v for _, v in reasons]
        ),
        message="; ".join([r for r, _ in reasons] or said),
        notes=(
            *((f"{odd} pixels that are NaN or infinite were left out",) if odd else ()),
            *((f"{rounded} pixels beyond 2⁵³ were judged as float64",) if rounded else ()),
            *(s for s in said if s.endswith("no pixel has data")),
        ),
    )


@window_rule(conclude)
def evaluate(rule: Statistics, pixels: BandWindow) -> PixelMoments:
    """Exact sums of the pixels of this window, and their numbers beyond the bounds."""
    return _moments(rule.percentiles or (), pixels.values, pixels.valid)


def _moments(
    percentiles: Sequence[PercentileBounds], values: NDArray[Any], valid: NDArray[np.bool_]
) -> PixelMoments:
    if values.dtype.kind == "c":
        msg = "needs ordered values: complex pixels have no percentiles"
        raise RuleError(msg)
    total, odd, rounded = Moments(), 0, 0
    below, within = [0] * len(percentiles), [0] * len(percentiles)
    for rows in strips(*values.shape):
        some = values[rows][valid[rows]]
        if some.dtype.kind == "f":
            finite = np.isfinite(some)
            odd += len(some) - int(np.count_nonzero(finite))
            some = some[finite]
        elif some.dtype.itemsize == 8:
            rounded += int(np.count_nonzero(some > EXACT))
            if some.dtype.kind == "i":
                rounded += int(np.count_nonzero(some < -EXACT))
        try:
            total += Moments.of(some)
        except OverflowError as exc:
            msg = f"cannot be computed exactly: {exc}"
            raise RuleError(msg) from exc
        for i, bounds in enumerate(percentiles):
            if bounds.min is not None:
                below[i] += int(np.count_nonzero(some < bounds.min))
            if bounds.max is not None:
                within[i] += int(np.count_nonzero(some <= bounds.max))
    return PixelMoments(total, tuple(below), tuple(within), odd, rounded)


def _outside(what: str, value: float, span: Span | None) -> list[tuple[str, float]]:
    low, high = span or (None, None)
    if low is not None and value < low:
        return [(f"{what} is {number(value)}, below {number(low)}", value)]
    if high is not None and value > high:
        return [(f"{what} is {number(value)}, above {number(high)}", value)]
    return []


def _percentile(
    band: str, bounds: PercentileBounds, count: int, below: int, within: int
) -> list[tuple[str, float]]:
    """The nearest rank decides; only the numbers of pixels beyond the bounds are needed."""
    rank = max(1, math.ceil(Fraction(str(bounds.at)) * count / 100))
    what = f"{band}: percentile {bounds.at:g}"
    if bounds.min is not None and below >= rank:
        share = share_text(below / count)
        return [(f"{what} is below {number(bounds.min)}: {share} of the pixels are", below / count)]
    if bounds.max is not None and within < rank:
        share = share_text(1 - within / count)
        told = f"{what} is above {number(bounds.max)}: {share} of the pixels are"
        return [(told, 1 - within / count)]
    return []


def _changes(
    rule: Statistics, raster: RasterUnderCheck, band: int, mean: float, deviation: float
) -> list[tuple[str, float]]:
    other = cast("RasterReader", raster.others[0])
    before = raster.memo("other", lambda: _others(raster, other))
    if band > len(before) or not before[band - 1].count:
        msg = f"needs band {band} with data in {other.profile.uri}"
        raise RuleError(msg)
    was = before[band - 1]
    found: list[tuple[str, float]] = []
    for name, now, then in (
        ("mean", mean, was.mean),
        ("standard deviation", deviation, was.deviation),
    ):
        change = abs(now - then) / abs(then) if then else (0.0 if now == then else math.inf)
        if rule.max_change is not None and change > rule.max_change:
            told = f"band {band}: {name} changed by {share_text(change)}, "
            told += f"from {number(then)} to {number(now)}"
            found.append((told, change))
    return found


def _others(raster: RasterUnderCheck, other: RasterReader) -> list[Moments]:
    """Moments of the bands of the other raster, read window by window."""
    found = [Moments() for _ in other.profile.bands]
    for place in other.windows():
        raster.cancelled()
        window = other.read(*place)
        for i in range(len(found)):
            found[i] += _moments((), window.values[i], window.valid[i]).moments
    return found
