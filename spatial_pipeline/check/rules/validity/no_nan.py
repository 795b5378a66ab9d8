"""no_nan: no valid pixel is NaN or infinite."""

from __future__ import annotations

from typing import Any

import numpy as np

from spatial_pipeline.check.api import BandWindow, MarkedPixels, pixel_rule
from spatial_pipeline.check.raster.regions import strips
from spatial_pipeline.contract.rules.pixels import NoNan


def says(rule: NoNan, low: Any, high: Any, nan: int) -> str:
    """The kinds of pixels in a region, which are told apart by the number of NaN in it."""
    return "NaN or infinite"


@pixel_rule(says)
def evaluate(rule: NoNan, pixels: BandWindow) -> MarkedPixels:
    """Valid pixels that are no finite number; a complex one when a part of it is not."""
    values, valid = pixels.values, pixels.valid
    if values.dtype.kind not in "fc":
        return MarkedPixels(pixels.valid_count, pixels.marks(None))
    wrong, nan = None, 0
    for rows in strips(*values.shape):
        odd = valid[rows] & ~np.isfinite(values[rows])
        if odd.any():
            if wrong is None:
                wrong = np.zeros(values.shape, dtype=bool)
            wrong[rows] = odd
            nan += int(np.count_nonzero(np.isnan(values[rows][odd])))
    return MarkedPixels(pixels.valid_count, pixels.marks(wrong), nan)
