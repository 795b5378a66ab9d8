"""Values of a raster at places, read window by window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.raster.grid import to_pixels
from spatial_pipeline.check.raster.lines import numbers
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import RasterReader


def values_at(
    data: RasterReader,
    points: NDArray[np.float64],
    band: int,
    cancelled: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """(n,) values of the pixels that contain points; NaN outside and where there is no data.

    A pixel contains its upper and left edge. Only windows with a point in them are read, one at a
    time.

    Args:
        data: the raster.
        points: (n, 2) x and y in the CRS of the raster; NaN is nowhere.
        band: number of the band, from 1.
        cancelled: raises when the time is up.

    Raises:
        RuleError: there is no such band, or its values have no order.

    """
    profile = data.profile
    if band > profile.count:
        msg = f"needs band {band}: {profile.uri} has {profile.count}"
        raise RuleError(msg)
    found = np.full(len(points), np.nan)
    place = np.floor(to_pixels(points, profile.transform))
    inside = (place >= 0).all(axis=1) & (place < (profile.width, profile.height)).all(axis=1)
    index = np.flatnonzero(inside)
    if not len(index):
        return found
    column, row = place[index].astype(np.int64).T
    windows = np.array(data.windows(), dtype=np.int64).reshape(-1, 4)
    first, stop = windows[:, :2], windows[:, :2] + windows[:, 2:]
    near = (first <= (row.max(), column.max())).all(axis=1)
    near &= (stop > (row.min(), column.min())).all(axis=1)
    scale, offset = (
        float(v) for v in (profile.bands[band - 1].scale, profile.bands[band - 1].offset)
    )
    for top, left, height, width in windows[near].tolist():
        here = (row >= top) & (row < top + height) & (column >= left) & (column < left + width)
        if not here.any():
            continue
        cancelled()
        window = data.read(top, left, height, width)
        pixels, valid = window.values[band - 1], window.valid[band - 1]
        at = row[here] - top, column[here] - left
        held = numbers(pixels[at], valid[at])
        found[index[here]] = np.where(held, pixels[at].astype(np.float64) * scale + offset, np.nan)
    return found


__all__ = ["values_at"]
