"""pixel_range: valid pixels lie between bounds."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from spatial_pipeline.check.api import BandWindow, MarkedPixels, pixel_rule
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.check.raster.regions import strips
from spatial_pipeline.contract.rules.validity import PixelRange
from spatial_pipeline.errors import RuleError

Bound = int | float | np.floating[Any]


def says(rule: PixelRange, low: Any, high: Any, nan: int) -> str:
    """The values of a region, and the bounds."""
    if rule.min is None:
        bounds = f"above {number(rule.max)}"
    elif rule.max is None:
        bounds = f"below {number(rule.min)}"
    else:
        bounds = f"outside [{number(rule.min)}, {number(rule.max)}]"
    if math.isnan(low):
        return "NaN" if nan else bounds
    values = number(low) if low == high else f"{number(low)} to {number(high)}"
    return f"{values} {bounds}{f', and {nan} px NaN' if nan else ''}"


@pixel_rule(says)
def evaluate(rule: PixelRange, pixels: BandWindow) -> MarkedPixels:
    """Valid pixels that are out of bounds or NaN.

    Raises:
        RuleError: the pixels are complex numbers.

    """
    values, valid = pixels.values, pixels.valid
    if values.dtype.kind == "c":
        msg = "needs ordered values: complex pixels have no range"
        raise RuleError(msg)
    bounds = [
        (comparison, _comparable(bound, values.dtype, rounded))
        for bound, comparison, rounded in (
            (rule.min, np.greater_equal, math.ceil),
            (rule.max, np.less_equal, math.floor),
        )
        if bound is not None
    ]
    outside = None
    for rows in strips(*values.shape):
        # The negated test, because NaN compares false with both bounds.
        inside, *others = (comparison(values[rows], bound) for comparison, bound in bounds)
        for other in others:
            inside &= other
        if not inside.all():
            wrong = valid[rows] & ~inside
            if wrong.any():
                if outside is None:
                    outside = np.zeros(values.shape, dtype=bool)
                outside[rows] = wrong
    nan = 0
    if outside is not None and values.dtype.kind == "f":
        nan = int(np.count_nonzero(np.isnan(values[outside])))
    return MarkedPixels(pixels.valid_count, pixels.marks(outside, values), nan)


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
