"""Resampling of another raster to the grid of the raster under check, window by window.

The other raster is sampled where the pixel centres of this grid lie in it (inverse mapping), with
the usual kernels and without smoothing when its pixels are smaller. The value of a pixel does not
depend on the window in which it is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.check.raster.grid import same_crs, to_crs, to_pixels
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.model.readers import RasterReader

Method = Literal["nearest", "bilinear", "cubic", "average"]
Floats = NDArray[np.float64]
Pixels = tuple[NDArray[Any], NDArray[np.bool_]]

SOURCE_PIXELS = 1 << 24
"""Pixels of the other raster, all bands together, that are read at once."""

SNAP = float(1 << 20)
"""Positions are rounded to this fraction of a pixel, to remove noise in the last digits."""


@dataclass(frozen=True)
class _Source:
    """A window of the other raster, addressed by the rows and columns of the whole.

    Attributes:
        values: (bands, height, width) pixels.
        valid: (bands, height, width) pixels with data.
        row_off: first row.
        col_off: first column.
        shape: (rows, columns) of the whole raster.

    """

    values: NDArray[Any]
    valid: NDArray[np.bool_]
    row_off: int
    col_off: int
    shape: tuple[int, int]

    def at(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> Pixels:
        """Pixels at broadcast rows and columns; outside the raster there is no data."""
        rows, columns = self.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        _, height, width = self.values.shape
        r = np.clip(row - self.row_off, 0, height - 1)
        c = np.clip(column - self.col_off, 0, width - 1)
        return self.values[:, r, c], self.valid[:, r, c] & inside


class Warp:
    """The other raster on the grid of this one.

    Args:
        profile: the raster that defines the grid.
        other: the raster to resample.
        method: ``nearest``; ``bilinear``, over the neighbours that have data; ``cubic`` (Keys 1981,
            a = -1/2), bilinear where one of the 16 neighbours has no data; ``average``, weighted by
            the area of overlap, over the neighbours that have data.

    Raises:
        RuleError: there is no transformation between the CRSs, or ``average`` is used with grids
            whose axes are not parallel.

    """

    def __init__(self, profile: RasterProfile, other: RasterReader, method: Method) -> None:
        self._profile = profile
        self._other = other
        self._method = method
        self._same_crs = same_crs(profile, other.profile)
        transforms = profile.transform, other.profile.transform
        self._parallel = self._same_crs and not any(t[1] or t[3] for t in transforms)
        if method == "average" and not self._parallel:
            msg = "average needs grids with parallel axes in one CRS: take another way to resample"
            raise RuleError(msg)
        corner = to_crs(np.zeros((1, 2)), profile.transform)
        _, self.note = self._moved(corner)

    def read(self, row_off: int, col_off: int, height: int, width: int) -> Pixels:
        """The pixels of the other raster in a window of this grid.

        Returns:
            (bands, height, width) values in the type of the other raster (64-bit integers that
            were interpolated: float64), and which of them have data.

        """
        if self._method == "average":
            columns = self._along(0, col_off + np.arange(width + 1.0))
            rows = self._along(1, row_off + np.arange(height + 1.0))
            sample: Callable[[_Source], Pixels] = partial(_average, rows=rows, columns=columns)
        else:
            rows, columns = self._centres(row_off, col_off, height, width)
            sample = partial(_SAMPLERS[self._method], row=rows, column=columns)
        top, bottom = _span(rows, self._other.profile.height)
        left, right = _span(columns, self._other.profile.width)
        needed = (bottom - top) * (right - left) * self._other.profile.count
        if needed > SOURCE_PIXELS and height * width > 1:
            return self._halves(row_off, col_off, height, width)
        if not needed:
            top, bottom, left, right = 0, 1, 0, 1
        window = self._other.read(top, left, bottom - top, right - left)
        shape = self._other.profile.height, self._other.profile.width
        return sample(_Source(window.values, window.valid, top, left, shape))

    def _halves(self, row_off: int, col_off: int, height: int, width: int) -> Pixels:
        if height >= width:
            half = height // 2
            parts = [
                self.read(row_off, col_off, half, width),
                self.read(row_off + half, col_off, height - half, width),
            ]
        else:
            half = width // 2
            parts = [
                self.read(row_off, col_off, height, half),
                self.read(row_off, col_off + half, height, width - half),
            ]
        axis = 1 if height >= width else 2
        values, valid = zip(*parts, strict=True)
        return np.concatenate(values, axis=axis), np.concatenate(valid, axis=axis)

    def _centres(
        self, row_off: int, col_off: int, height: int, width: int
    ) -> tuple[Floats, Floats]:
        """Rows and columns in the other raster of this window's pixel centres, broadcastable."""
        columns, rows = col_off + 0.5 + np.arange(width), row_off + 0.5 + np.arange(height)
        if self._parallel:
            return self._along(1, rows)[:, None], self._along(0, columns)[None, :]
        grid = np.stack([a.ravel() for a in np.meshgrid(columns, rows)], axis=1)
        points, _ = self._moved(to_crs(grid, self._profile.transform))
        with np.errstate(invalid="ignore"):
            placed = to_pixels(points, self._other.profile.transform)
        return _snapped(placed[:, 1]).reshape(height, width), _snapped(placed[:, 0]).reshape(
            height, width
        )

    def _along(self, axis: int, positions: NDArray[Any]) -> Floats:
        """Columns (axis 0) or rows (axis 1) in the other raster of those in this one."""
        points = np.zeros((len(positions), 2))
        points[:, axis] = positions
        placed = to_pixels(to_crs(points, self._profile.transform), self._other.profile.transform)
        return _snapped(placed[:, axis])

    def _moved(self, points: Floats) -> tuple[Floats, str]:
        """(n, 2) coordinates in the CRS of the other raster, and a note on the transformation."""
        if self._same_crs:
            return points, ""
        # As one line, because a geometry a point would cost more than the transformation.
        line = shapely.linestrings(np.concatenate([points, points[-1:]]))
        moved, note = transformed(
            np.array([line], dtype=object), self._profile.pyproj_crs, self._other.profile.pyproj_crs
        )
        return shapely.get_coordinates(moved)[:-1], note


def _snapped(positions: Floats) -> Floats:
    """Positions without noise; untransformable ones are moved far outside."""
    finite = np.where(np.isfinite(positions), positions, -1e9)
    return np.asarray(np.round(np.clip(finite, -1e9, 1e9) * SNAP) / SNAP)


def _span(positions: Floats, size: int) -> tuple[int, int]:
    """First index and index after the last that kernels around the positions may touch."""
    first = int(np.clip(np.floor(positions.min()) - 2, 0, size))
    beyond = int(np.clip(np.floor(positions.max()) + 3, 0, size))
    return first, max(first, beyond)


def _nearest(source: _Source, row: Floats, column: Floats) -> Pixels:
    return source.at(np.floor(row).astype(np.int64), np.floor(column).astype(np.int64))


def _bilinear(source: _Source, row: Floats, column: Floats) -> Pixels:
    values, valid = _weighted_bilinear(source, row, column)
    return _as_stored(values, source.values.dtype), valid


def _cubic(source: _Source, row: Floats, column: Floats) -> Pixels:
    values, valid = _weighted_bilinear(source, row, column)
    total: Any = 0.0
    complete = valid
    for r, row_weight in _taps(row, _keys):
        for c, column_weight in _taps(column, _keys):
            pixel, good = _finite(*source.at(r, c))
            complete = complete & good
            total = total + row_weight * column_weight * pixel
    return _as_stored(np.where(complete, total, values), source.values.dtype), valid


def _weighted_bilinear(source: _Source, row: Floats, column: Floats) -> Pixels:
    total: Any = 0.0
    weight: Any = 0.0
    for r, row_weight in _taps(row, _linear):
        for c, column_weight in _taps(column, _linear):
            pixel, good = _finite(*source.at(r, c))
            part = good * (row_weight * column_weight)
            total, weight = total + part * pixel, weight + part
    _, valid = _finite(*_nearest(source, row, column))
    return total / np.where(weight > 0, weight, 1.0), valid


def _average(source: _Source, rows: Floats, columns: Floats) -> Pixels:
    values, valid = _finite(source.values, source.valid)
    weights: Any = valid.astype(np.float64)
    for axis, edges, offset, size in (
        (1, rows, source.row_off, source.shape[0]),
        (2, columns, source.col_off, source.shape[1]),
    ):
        low = np.clip(np.minimum(edges[:-1], edges[1:]), 0, size)
        high = np.clip(np.maximum(edges[:-1], edges[1:]), 0, size)
        first = np.floor(low).astype(np.int64)
        touched = np.maximum(np.ceil(high).astype(np.int64) - first, 1)
        begins = np.cumsum(touched) - touched
        owner = np.repeat(np.arange(len(low)), touched)
        index = first[owner] + np.arange(len(owner)) - begins[owner]
        overlap = np.minimum(high[owner], index + 1) - np.maximum(low[owner], index)
        share = np.maximum(overlap, 0.0).reshape((-1, 1) if axis == 1 else (1, -1))
        local = np.clip(index - offset, 0, values.shape[axis] - 1)
        values, weights = (
            np.add.reduceat(np.take(a, local, axis=axis) * share, begins, axis=axis)
            for a in (values, weights)
        )
    covered = weights > 0
    mean = values / np.where(covered, weights, 1.0)
    return _as_stored(mean, source.values.dtype), covered


def _finite(values: NDArray[Any], valid: NDArray[np.bool_]) -> Pixels:
    """Values to compute with, 0 where there is no data or no finite number."""
    good = valid & np.isfinite(values) if values.dtype.kind in "fc" else valid
    wide = values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)
    return np.where(good, wide, 0), good


def _taps(
    position: Floats, kernel: Callable[[Floats], list[Floats]]
) -> list[tuple[NDArray[np.int64], Floats]]:
    """Indices of the neighbours of each position along one axis, and their weights."""
    first = np.floor(position - 0.5)
    weights = kernel(position - 0.5 - first)
    before = len(weights) // 2 - 1
    return [(first.astype(np.int64) + i - before, w) for i, w in enumerate(weights)]


def _linear(t: Floats) -> list[Floats]:
    return [1 - t, t]


def _keys(t: Floats) -> list[Floats]:
    """Weights of the cubic convolution kernel with a = -1/2."""
    return [
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    ]


def _as_stored(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Interpolated values as a file of this type would hold them: rounded half up and clipped."""
    if dtype.kind not in "iu":
        with np.errstate(over="ignore"):
            return values.astype(dtype)
    whole = np.floor(values + 0.5)
    if dtype.itemsize == 8:
        return whole
    limits = np.iinfo(dtype)
    return np.clip(whole, limits.min, limits.max).astype(dtype)


_SAMPLERS: dict[str, Callable[..., Pixels]] = {
    "nearest": _nearest,
    "bilinear": _bilinear,
    "cubic": _cubic,
}
