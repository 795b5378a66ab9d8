"""Rules over the pixels of one raster."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import shapely

from spatial_pipeline.check.base import Context, WindowCheck, evaluates
from spatial_pipeline.check.raster.area import PixelArea, polygon_area
from spatial_pipeline.check.raster.regions import Marks, RegionFinder, strips, union
from spatial_pipeline.contract.rules.validity import NodataFraction, PixelRange, ReadablePixels
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import PixelWindow, VectorData
from spatial_pipeline.model.result import Findings, Outcome
from spatial_pipeline.model.version import RasterProfile

Bound = int | float | np.floating[Any]


@evaluates(ReadablePixels)
class ReadablePixelsCheck(WindowCheck[ReadablePixels]):
    """Names the blocks that ingest could not decode and decodes every staged pixel once more."""

    def map(self, window: PixelWindow) -> int:
        """Number of pixels decoded."""
        return window.values.size

    def reduce(self, partials: Sequence[int]) -> Outcome:
        """One finding a broken block; without a single pixel the source itself is the finding."""
        profile = raster_profile(self.context)
        blocks = profile.broken_blocks
        reasons = [
            f"band {b.band}, {f'overview {b.overview}, ' if b.overview else ''}"
            f"block row {b.row}, column {b.column}: {b.reason}"
            for b in blocks
        ]
        places = [shapely.box(*b.bounds) for b in blocks]
        decoded, expected = sum(partials), profile.count * profile.height * profile.width
        message = f"{len(blocks)} blocks do not decode" if blocks else f"{decoded} pixels decoded"
        if not reasons and (profile.error is not None or not partials):
            reasons, places = [profile.error or "no pixel was read"], [None]
        elif partials and decoded != expected:
            reasons.append(f"{decoded} of {expected} staged pixels decode")
            places.append(None)
        return Outcome(
            checked=decoded,
            findings=Findings.build(np.full(len(reasons), -1), reasons, places),
            message=message if blocks or not reasons else reasons[0],
        )


@dataclass(frozen=True)
class _Part:
    """Pixels of one band in one window.

    Attributes:
        pixels: how many were judged.
        marks: those that are marked: out of range, or without data.
        nan: how many of the marked ones are NaN.

    """

    pixels: int
    marks: Marks
    nan: int = 0


@evaluates(PixelRange)
class PixelRangeCheck(WindowCheck[PixelRange]):
    """Outlines the connected regions of valid pixels that are out of bounds or NaN."""

    def __init__(self, rule: PixelRange, context: Context) -> None:
        super().__init__(rule, context)
        self._finder = RegionFinder(raster_profile(context))

    def map(self, window: PixelWindow) -> list[_Part]:
        """Pixels judged and regions of violations of each band, in this window."""
        if window.values.dtype.kind == "c":
            msg = "needs ordered values: complex pixels have no range"
            raise RuleError(msg)
        return [
            self._band(window, band)
            for band in chosen_bands(self.rule.band, raster_profile(self.context))
        ]

    def reduce(self, partials: Sequence[list[_Part]]) -> Outcome:
        """One finding a region; every pixel of it is a violation."""
        needs_pixels(partials)
        judged = [j for window in partials for j in window]
        findings, note = self._finder.findings([j.marks for j in judged], self._reason)
        checked = sum(j.pixels for j in judged)
        violations = sum(j.marks.count for j in judged)
        nan = sum(j.nan for j in judged)
        places = f"{len(findings)} {'cell' if note else 'region'}{'s' * (len(findings) != 1)}"
        return Outcome(
            checked=checked,
            findings=findings,
            violations=violations,
            message=f"{violations} of {checked} pixels {self._bounds()}"
            f"{f', {nan} of them NaN' if nan else ''}, in {places}"
            if violations
            else f"{checked} pixels checked",
            notes=(
                *((note,) if note else ()),
                *(("no pixel has data",) if not checked else ()),
                *unread(raster_profile(self.context)),
            ),
        )

    def _band(self, window: PixelWindow, band: int) -> _Part:
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
            # Asked the other way round, because NaN is inside no bounds.
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
            return _Part(pixels, Marks(band, 0))
        marks = self._finder.mark(window, band, outside, values)
        counts_nan = values.dtype.kind == "f"
        nan = int(np.count_nonzero(np.isnan(values[outside]))) if counts_nan else 0
        return _Part(pixels, marks, nan)

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


@evaluates(NodataFraction)
class NodataFractionCheck(WindowCheck[NodataFraction]):
    """Counts pixels without data, inside an area when the contract names one."""

    def __init__(self, rule: NodataFraction, context: Context) -> None:
        super().__init__(rule, context)
        self._finder = RegionFinder(raster_profile(context))
        self._lock = threading.Lock()
        self._known: tuple[PixelArea, tuple[str, ...]] | None = None

    def map(self, window: PixelWindow) -> list[_Part]:
        """Pixels that count and pixels without data of each band, in this window."""
        _, height, width = window.values.shape
        area, _ = self._area()
        inside = None if area is None else area.mask(window.row_off, window.col_off, height, width)
        pixels = height * width if inside is None else int(np.count_nonzero(inside))
        found: list[_Part] = []
        for band in chosen_bands(self.rule.band, raster_profile(self.context)):
            if window.valid_counts[band - 1] == height * width:
                found.append(_Part(pixels, Marks(band, 0)))
                continue
            missing = ~window.valid[band - 1]
            if inside is not None:
                missing &= inside
            found.append(_Part(pixels, self._finder.mark(window, band, missing)))
        return found

    def reduce(self, partials: Sequence[list[_Part]]) -> Outcome:
        """The worst band decides; one finding a failing band, with the places without data."""
        needs_pixels(partials)
        _, notes = self._area()
        bands = chosen_bands(self.rule.band, raster_profile(self.context))
        by_band = [[window[i] for window in partials] for i in range(len(bands))]
        pixels = sum(m.pixels for m in by_band[0])
        if not pixels:
            msg = "needs pixels to count: no pixel centre lies within the area"
            raise RuleError(msg)
        shares = [sum(m.marks.count for m in band) / pixels for band in by_band]
        failing = [i for i, share in enumerate(shares) if share > self.rule.max]
        places: list[Any] = []
        for i in failing:
            regions, note = self._finder.findings(
                [m.marks for m in by_band[i]], lambda *_: "no data"
            )
            places.append(union(regions))
            notes = (*notes, *((f"band {bands[i]}: {note}",) if note else ()))
        worst = max(range(len(bands)), key=lambda i: shares[i])
        return Outcome(
            checked=pixels * len(bands),
            findings=Findings.build(
                np.full(len(failing), -1),
                [
                    f"band {bands[i]}: {share_text(shares[i])} without data, "
                    f"more than {share_text(self.rule.max)}"
                    for i in failing
                ],
                places,
                [shares[i] for i in failing],
                "share",
            ),
            passed=not failing,
            value=shares[worst],
            threshold=self.rule.max,
            message=f"{share_text(shares[worst])} of {pixels} pixels without data in band "
            f"{bands[worst]}, {share_text(self.rule.max)} accepted",
            notes=(*notes, *unread(raster_profile(self.context))),
        )

    def _area(self) -> tuple[PixelArea | None, tuple[str, ...]]:
        """The area that counts, made once for all threads; None for the whole raster."""
        within = self.rule.within
        if within is None:
            return None, ()
        with self._lock:
            if self._known is None:
                profile = raster_profile(self.context)
                if isinstance(within, tuple):
                    self._known = PixelArea.of([shapely.box(*within)], profile.transform), ()
                else:
                    polygons = cast("VectorData", self.context.others[0])
                    self._known = polygon_area(polygons, profile)
            return self._known


def raster_profile(context: Context) -> RasterProfile:
    """The profile of the raster under check."""
    return cast("RasterProfile", context.data.profile)


def chosen_bands(band: int | None, profile: RasterProfile) -> list[int]:
    """The 1-based bands that a rule judges.

    Raises:
        RuleError: the raster has no such band.

    """
    if band is None:
        return list(range(1, profile.count + 1))
    if band > profile.count:
        msg = f"needs band {band}: the raster has {profile.count}"
        raise RuleError(msg)
    return [band]


def needs_pixels(partials: Sequence[Any]) -> None:
    """Refuses to conclude anything from no window at all.

    Raises:
        RuleError: there is no window.

    """
    if not partials:
        msg = "needs readable pixels"
        raise RuleError(msg)


def unread(profile: RasterProfile) -> tuple[str, ...]:
    """What must be said of a source with broken blocks."""
    count = len(profile.broken_blocks)
    return (f"{count} blocks of the source do not decode and were not judged",) if count else ()


def number(value: Any) -> str:
    """A pixel value for people."""
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    return f"{float(value):.7g}"


def share_text(value: float) -> str:
    """A share in percent for people."""
    return f"{100 * value:.4g}%"


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


__all__ = [
    "NodataFractionCheck",
    "PixelRangeCheck",
    "ReadablePixelsCheck",
    "chosen_bands",
    "needs_pixels",
    "number",
    "raster_profile",
    "share_text",
    "unread",
]
