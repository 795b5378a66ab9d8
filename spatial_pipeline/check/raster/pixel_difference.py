"""Pixel differences of two rasters on one grid, window by window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.raster.regions import Marks, RegionFinder
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.violations import RuleOutcome


@dataclass(frozen=True)
class PixelDifference:
    """Differences of one band of one window.

    Attributes:
        compared: pixels with data on at least one side.
        marks: the pixels that differ.
        one_sided: number of those with data, or a number that is not NaN, on one side only.
        paired: pixels with finite differences.
        squares: sum of the squared differences of those.
        largest: largest difference of a pixel with numbers on both sides.
        low: smallest finite valid value of the raster under check, inf when there is none.
        high: largest one, -inf when there is none.

    """

    compared: int
    marks: Marks
    one_sided: int
    paired: int
    squares: float
    largest: float
    low: float
    high: float


def difference(
    finder: RegionFinder,
    window: PixelWindow,
    band: int,
    other: NDArray[Any],
    other_valid: NDArray[np.bool_],
    tolerance: float,
) -> PixelDifference:
    """Compares one band of a window with another raster's pixels at the same places.

    Two pixels agree when neither has data, when both are NaN, or when their values, of any types,
    differ by at most the tolerance.

    Args:
        finder: collects the places that differ.
        window: window of the raster under check.
        band: 1-based band of it.
        other: (height, width) pixels to compare with.
        other_valid: (height, width) True where they have data.
        tolerance: accepted difference.

    """
    values, valid = window.values[band - 1], window.valid[band - 1]
    compared = int(np.count_nonzero(valid | other_valid))
    low, high = _span(values, valid)
    if values.dtype == other.dtype and (valid == other_valid).all() and (values == other).all():
        # The common and cheap case: nothing to measure.
        marks = Marks(band, 0)
        return PixelDifference(compared, marks, 0, compared, 0.0, 0.0, low, high)
    both = valid & other_valid
    nan, other_nan = _nan(values), _nan(other)
    one_sided = (valid != other_valid) | (both & (nan != other_nan))
    both &= ~(nan | other_nan)
    gap = np.where(both, distance(values, other), 0.0)
    marks = finder.mark(
        window, band, one_sided | (gap > tolerance), np.where(one_sided, np.nan, gap)
    )
    paired = gap[both & np.isfinite(gap)]
    with np.errstate(over="ignore"):
        squares = float(np.dot(paired, paired))
    return PixelDifference(
        compared=compared,
        marks=marks,
        one_sided=int(np.count_nonzero(one_sided)),
        paired=len(paired),
        squares=squares,
        largest=float(gap.max(initial=0.0)),
        low=low,
        high=high,
    )


def distance(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Absolute differences by value: no wrapping, and no loss between integers.

    Integers of 64 bits against floating point numbers are compared as float64.
    """
    if a.dtype.kind in "iu" and b.dtype.kind in "iu" and max(a.itemsize, b.itemsize) == 8:
        return _wide(a, b)
    kind = np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
    with np.errstate(invalid="ignore", over="ignore"):
        gap: NDArray[np.float64] = np.abs(a.astype(kind) - b.astype(kind))
    # Infinities have no difference to compute: they are equal, or as far apart as can be.
    apart: NDArray[np.float64] = np.where(np.isnan(gap), np.inf, gap)
    apart[a == b] = 0.0
    return apart


def _nan(values: NDArray[Any]) -> NDArray[np.bool_]:
    """True where a value is NaN."""
    floating = values.dtype.kind in "fc"
    return np.asarray(np.isnan(values) if floating else np.zeros(values.shape), dtype=bool)


def _span(values: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[float, float]:
    """Smallest and largest finite valid value of floating point pixels; (inf, -inf) without one."""
    if values.dtype.kind != "f":
        return math.inf, -math.inf
    kept = values[valid & np.isfinite(values)]
    return float(kept.min(initial=np.inf)), float(kept.max(initial=-np.inf))


def _wide(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Absolute differences of integers of up to 64 bits, rounded once, at the end."""
    if a.dtype.kind != b.dtype.kind:
        signed, unsigned = (a, b) if a.dtype.kind == "i" else (b, a)
        apart = unsigned.astype(np.float64) - signed.astype(np.float64)
        positive = _wide(np.maximum(signed, 0).astype(np.uint64), unsigned.astype(np.uint64))
        return np.where(signed < 0, apart, positive)
    kind = np.int64 if a.dtype.kind == "i" else np.uint64
    high, low = np.maximum(a, b).astype(kind), np.minimum(a, b).astype(kind)
    # Modulo 2⁶⁴ the difference of two 64-bit integers is exact as an unsigned one.
    gap: NDArray[np.uint64] = high.view(np.uint64) - low.view(np.uint64)
    return gap.astype(np.float64)


def conclusion(
    finder: RegionFinder,
    parts: Sequence[PixelDifference],
    dtype: str,
    tolerance: float,
    notes: tuple[str, ...],
) -> RuleOutcome:
    """Combines the differences of all windows and bands into an outcome.

    Args:
        finder: the one that collected the places.
        parts: differences of every window and band.
        dtype: data type of the raster under check.
        tolerance: accepted difference.
        notes: other remarks.

    """
    violations, note = finder.violations([p.marks for p in parts], _reason)
    compared, differing = sum(p.compared for p in parts), sum(p.marks.count for p in parts)
    one_sided, paired = sum(p.one_sided for p in parts), sum(p.paired for p in parts)
    largest = max((p.largest for p in parts), default=0.0)
    error = math.sqrt(math.fsum(p.squares for p in parts) / paired) if paired else 0.0
    if differing:
        said = f"{differing} of {compared} pixels differ ({100 * differing / compared:.4g}%)"
        said += f", {one_sided} of them have data on one side only" if one_sided else ""
    else:
        said = f"{compared} pixels agree" + (f" within {tolerance:g}" if largest else "")
    if largest:
        said += f"; largest difference {largest:.7g}, RMSE {error:.6g}{_psnr(parts, dtype, error)}"
    return RuleOutcome(
        checked=compared,
        violations=violations,
        count=differing,
        message=said,
        notes=(
            *((note,) if note else ()),
            *notes,
            *(() if compared else ("no pixel has data on either side",)),
        ),
    )


def _psnr(parts: Sequence[PixelDifference], dtype: str, error: float) -> str:
    """Peak signal-to-noise ratio; the peak is the range of the integer type, or of the values."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        peak = float(limits.max) - float(limits.min)
    else:
        peak = max(p.high for p in parts) - min(p.low for p in parts)
    if not (0 < error < math.inf and 0 < peak < math.inf):
        return ""
    return f", PSNR {20 * math.log10(peak / error):.4g} dB (peak {peak:.7g})"


def _reason(band: int, low: Any, high: Any, blank: int) -> str:
    if math.isnan(low):
        return f"band {band}: {'data on one side only' if blank else 'differs'}"
    size = f"{low:.7g}" if low == high else f"{low:.7g} to {high:.7g}"
    one_sided = f", and {blank} px have data on one side only" if blank else ""
    return f"band {band}: differs by {size}{one_sided}"
