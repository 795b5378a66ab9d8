"""Rules about a raster's bands, types and grid, judged on the source as it came."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import shapely

from spatial_pipeline.check.base import ProfileCheck, evaluates
from spatial_pipeline.check.raster.grid import (
    EPSILON,
    ROUNDINGS,
    alignment,
    corners,
    crs_name,
    offset_rounding,
    pixel_size,
    same_crs,
    to_crs,
)
from spatial_pipeline.contract.rules.metadata import (
    BandCount,
    CloudOptimized,
    DataTypeRule,
    GridAlignment,
    Nodata,
    Resolution,
)
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.result import Findings, Outcome
from spatial_pipeline.model.version import BandProfile, Profile, RasterProfile, can_hold


@evaluates(BandCount)
class BandCountCheck(ProfileCheck[BandCount]):
    """Compares the number of bands."""

    def evaluate(self, profile: Profile) -> Outcome:
        """The number of bands is the value."""
        count, promised = cast("RasterProfile", profile).count, self.rule.equals
        reasons = [] if count == promised else [f"{_bands(count)}, expected {promised}"]
        return Outcome(
            checked=1,
            findings=_findings(reasons),
            passed=count == promised,
            value=count,
            threshold=promised,
            message=reasons[0] if reasons else _bands(count),
        )


@evaluates(DataTypeRule)
class DataTypeCheck(ProfileCheck[DataTypeRule]):
    """Compares the data type of every band."""

    def evaluate(self, profile: Profile) -> Outcome:
        """One finding a band of another type."""
        allowed = self.rule.any_of or (self.rule.equals,)
        expected = " or ".join(str(a) for a in allowed)
        return _by_band(
            cast("RasterProfile", profile),
            lambda band: band.data_type in allowed,
            lambda band: f"{band.data_type}, expected {expected}",
        )


@evaluates(Nodata)
class NodataCheck(ProfileCheck[Nodata]):
    """Compares the declared nodata value of every band."""

    def evaluate(self, profile: Profile) -> Outcome:
        """One finding a band that declares another value, or declares one where none may be."""
        raster = cast("RasterProfile", profile)
        impossible = [
            f"band {i}: nodata {_exact(b.nodata)} cannot occur in {b.data_type}"
            for i, b in enumerate(raster.bands, 1)
            if b.nodata is not None and not can_hold(b.data_type, b.nodata)
        ]
        return replace(_by_band(raster, self._declares, self._reason), notes=tuple(impossible[:5]))

    def _declares(self, band: BandProfile) -> bool:
        promised = self.rule.equals
        if band.nodata is None or promised is None:
            return band.nodata is None and promised is None
        declared = _number(band.nodata)
        if _is_nan(declared) or _is_nan(promised):
            return _is_nan(declared) and _is_nan(promised)
        if band.data_type in {"float32", "complex64"}:
            # The pixels and the value that marks them are stored in 32 bits.
            with np.errstate(over="ignore"):
                return bool(np.float32(declared) == np.float32(promised))
        return declared == promised

    def _reason(self, band: BandProfile) -> str:
        declared = "no nodata value" if band.nodata is None else f"nodata {_exact(band.nodata)}"
        promised = self.rule.equals
        return f"{declared}, expected {'none' if promised is None else _exact(promised)}"


@evaluates(Resolution)
class ResolutionCheck(ProfileCheck[Resolution]):
    """Compares the lengths of a pixel's sides; they may be rotated."""

    def evaluate(self, profile: Profile) -> Outcome:
        """The larger difference of the two sides is the value."""
        raster, equals = cast("RasterProfile", profile), self.rule.equals
        promised = equals if isinstance(equals, tuple) else (equals, equals)
        size, unit = pixel_size(raster.transform), _unit(raster)
        tolerance = self.rule.tolerance
        differences = [abs(s - p) for s, p in zip(size, promised, strict=True)]
        rounding = [ROUNDINGS * EPSILON * max(s, p) for s, p in zip(size, promised, strict=True)]
        wrong = [i for i in range(2) if not differences[i] <= tolerance + rounding[i]]
        largest = max(differences)
        if not wrong:
            largest = min(largest, tolerance)
        reasons = [
            f"pixel {('width', 'height')[i]} {size[i]:.10g}, expected {promised[i]:.10g}"
            for i in wrong
        ]
        return Outcome(
            checked=2,
            findings=_findings(reasons, measure=[differences[i] for i in wrong], unit=unit),
            passed=not wrong,
            value=largest,
            threshold=tolerance,
            message="; ".join(reasons) or f"{size[0]:.10g} × {size[1]:.10g} {unit}".rstrip(),
        )


@evaluates(GridAlignment)
class GridAlignmentCheck(ProfileCheck[GridAlignment]):
    """Every pixel is a cell of the grid, up to a drift that is bounded at the raster's corners."""

    def evaluate(self, profile: Profile) -> Outcome:
        """The largest offset of a corner, in pixels, is the value; one finding a corner."""
        raster = cast("RasterProfile", profile)
        grid, notes = self._grid(raster)
        if grid is None:
            return Outcome(4, _findings(notes), passed=False, message=notes[0])
        lies = alignment(raster, grid)
        ours, theirs = pixel_size(raster.transform), pixel_size(grid)
        if not np.allclose(ours, theirs, atol=0):
            cell = f"{theirs[0]:.10g} × {theirs[1]:.10g}"
            notes = (f"pixels are {ours[0]:.10g} × {ours[1]:.10g}, the cells {cell}", *notes)
        if not lies.cells:
            reason = "its pixels are no cells of the grid: other size or turned"
            return Outcome(4, _findings([reason]), passed=False, message=reason, notes=notes)
        tolerance = self.rule.tolerance
        off = np.flatnonzero(~(lies.offset <= tolerance + offset_rounding(raster, grid)))
        worst = float(lies.offset.max())
        if not len(off):
            worst = min(worst, tolerance)
        names = ("first corner", "end of the first row", "last corner", "start of the last row")
        return Outcome(
            checked=4,
            findings=_findings(
                [f"{names[i]} is {lies.offset[i]:.4g} px off the grid" for i in off],
                shapely.points(to_crs(corners(raster)[off], raster.transform)),
                lies.offset[off],
                "px",
            ),
            passed=not len(off),
            value=worst,
            threshold=tolerance,
            message=f"{worst:.4g} px off the grid at most",
            notes=notes,
        )

    def _grid(self, raster: RasterProfile) -> tuple[tuple[float, ...] | None, tuple[str, ...]]:
        """The grid as a transform and notes; or None and why there is none in this CRS."""
        origin, resolution = self.rule.origin, self.rule.resolution
        if origin is not None and resolution is not None:
            x, y = resolution if isinstance(resolution, tuple) else (resolution, resolution)
            return (x, 0.0, origin[0], 0.0, -y, origin[1]), ()
        other = cast("RasterProfile", self.context.others[0].profile)
        if not same_crs(raster, other):
            if raster.crs is None or other.crs is None:
                msg = f"needs crs: {crs_name(raster)} here, {crs_name(other)} in {other.uri}"
                raise RuleError(msg)
            return None, (f"the grid is in {crs_name(other)}, the raster in {crs_name(raster)}",)
        without = ("neither raster has a CRS: coordinates were compared as they are",)
        return other.transform, without if raster.crs is None else ()


@evaluates(CloudOptimized)
class CloudOptimizedCheck(ProfileCheck[CloudOptimized]):
    """Repeats what the validator said of the source when it was ingested."""

    def evaluate(self, profile: Profile) -> Outcome:
        """One finding an error; warnings are findings when the rule is strict, else notes."""
        raster = cast("RasterProfile", profile)
        reasons, warnings = raster.cog_errors, raster.cog_warnings
        if self.rule.strict:
            reasons, warnings = reasons + warnings, ()
        return Outcome(
            checked=1,
            findings=_findings(reasons),
            passed=not reasons,
            value=len(reasons),
            threshold=0,
            message="; ".join(reasons) or "a Cloud Optimized GeoTIFF",
            notes=tuple(f"warning: {w}" for w in warnings),
        )


def _by_band(
    profile: RasterProfile,
    holds: Callable[[BandProfile], bool],
    reason: Callable[[BandProfile], str],
) -> Outcome:
    if not profile.count:
        msg = "needs bands: the raster has none"
        raise RuleError(msg)
    reasons = [
        f"band {i}: {reason(band)}" for i, band in enumerate(profile.bands, 1) if not holds(band)
    ]
    return Outcome(
        checked=profile.count, findings=_findings(reasons), message="; ".join(reasons[:5])
    )


def _findings(
    reasons: Sequence[str], geometry: Any = None, measure: Any = np.nan, unit: str = ""
) -> Findings:
    return Findings.build(np.full(len(reasons), -1), list(reasons), geometry, measure, unit)


def _bands(count: int) -> str:
    return f"{count} band{'' if count == 1 else 's'}"


def _exact(value: float | str) -> str:
    """A nodata value with all its digits, whole numbers without a point."""
    number = _number(value)
    if isinstance(number, int):
        return str(number)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _number(value: float | str) -> float:
    """A nodata value as a number; integers stay what they are, whatever their size."""
    return float(value) if isinstance(value, str) else value


def _is_nan(value: float) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _unit(profile: RasterProfile) -> str:
    crs = profile.pyproj_crs
    return str(crs.axis_info[0].unit_name) if crs is not None and crs.axis_info else ""
