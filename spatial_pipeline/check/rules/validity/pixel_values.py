"""pixel_values: valid pixels hold values of a list."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.api import BandWindow, MarkedPixels, pixel_rule
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.check.raster.regions import strips
from spatial_pipeline.contract.rules.pixels import PixelValues


def says(rule: PixelValues, low: Any, high: Any, nan: int) -> str:
    """The values of a region."""
    wrong = "not in the list"
    if math.isnan(low):
        return "NaN" if nan else wrong
    values = number(low) if low == high else f"{number(low)} to {number(high)}"
    return f"{values} {wrong}{f', and {nan} px NaN' if nan else ''}"


@pixel_rule(says)
def evaluate(rule: PixelValues, pixels: BandWindow) -> MarkedPixels:
    """Valid pixels whose value is not in the list; NaN never is."""
    values, valid = pixels.values, pixels.valid
    known = _stored(rule, values.dtype)
    outside, nan = None, 0
    for rows in strips(*values.shape):
        wrong = valid[rows] & ~np.isin(values[rows], known)
        if wrong.any():
            if outside is None:
                outside = np.zeros(values.shape, dtype=bool)
            outside[rows] = wrong
    if outside is not None and values.dtype.kind == "f":
        nan = int(np.count_nonzero(np.isnan(values[outside])))
    told = None if values.dtype.kind == "c" else values
    return MarkedPixels(pixels.valid_count, pixels.marks(outside, told), nan)


def _stored(rule: PixelValues, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values of the list that pixels of this type can hold, as that type stores them."""
    if dtype.kind not in "iu":
        with np.errstate(over="ignore"):
            return np.array(rule.values).astype(dtype)
    limits = np.iinfo(dtype)
    whole = [int(v) for v in rule.values if float(v).is_integer() or isinstance(v, int)]
    return np.array([v for v in whole if limits.min <= v <= limits.max], dtype)
