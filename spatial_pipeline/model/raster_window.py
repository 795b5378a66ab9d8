"""Block-aligned window of a raster with its mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.model.features import computed


@dataclass(frozen=True)
class PixelWindow:
    """A block-aligned window of a raster.

    Attributes:
        values: (bands, height, width) pixels as stored (no scale, no offset).
        valid: (bands, height, width) bool: False for nodata and masked pixels.
        row_off: first row of the window in the raster.
        col_off: first column of the window in the raster.
        transform: affine coefficients (a, b, c, d, e, f) of the whole raster.

    """

    values: NDArray[Any]
    valid: NDArray[np.bool_]
    row_off: int
    col_off: int
    transform: tuple[float, float, float, float, float, float]

    @computed
    def valid_counts(self) -> NDArray[np.int64]:
        """(bands,) number of valid pixels of each band."""
        return np.array([np.count_nonzero(band) for band in self.valid], dtype=np.int64)
