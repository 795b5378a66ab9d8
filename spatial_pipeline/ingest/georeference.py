"""Georeference of a raster: its numbers must be finite and give pixels an area."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity.tiff_directory import Directory

UNPLACED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The geotransform of a raster that has none."""
_MATRIX = 16
_DEGENERATE = 4 * float(np.finfo(np.float64).eps)
"""Area of a pixel, as a share of the products that it is the difference of, that is none."""


def check(dataset: Any, page: Directory | None) -> None:
    """Refuses a raster that lies nowhere because of its own numbers.

    A raster without georeferencing is none of them: its pixels are the coordinates.

    Args:
        dataset: opened with rasterio.
        page: the directory of a TIFF, None for other formats.

    Raises:
        SourceError: a geotransform or a ground control point that is not finite, pixels without
            an area, or tags of a GeoTIFF that GDAL passes over.

    """
    transform = transform_of(dataset)
    _transform(transform, int(dataset.width), int(dataset.height))
    for number, point in enumerate(dataset.gcps[0], 1):
        values = (point.col, point.row, point.x, point.y, point.z or 0.0)
        if not all(map(math.isfinite, values)):
            msg = f"ground control point {number} is not finite: {_listed(values)}"
            raise SourceError(msg)
    if page is not None and transform == UNPLACED:
        _passed_over(page)


def placed(dataset: Any) -> bool:
    """True when there is a geotransform, or there are ground control points."""
    return transform_of(dataset) != UNPLACED or bool(dataset.gcps[0])


def transform_of(dataset: Any) -> tuple[float, float, float, float, float, float]:
    """The geotransform as affine coefficients (a, b, c, d, e, f)."""
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    return float(a), float(b), float(c), float(d), float(e), float(f)


def _transform(transform: tuple[float, ...], width: int, height: int) -> None:
    if not all(map(math.isfinite, transform)):
        msg = f"the geotransform is not finite: {_listed(transform)}"
        raise SourceError(msg)
    a, b, c, d, e, f = transform
    ends = [
        c + a * column + b * row + (f + d * column + e * row)
        for column in (0, width)
        for row in (0, height)
    ]
    if not all(map(math.isfinite, ends)):
        msg = f"the extent is not finite: geotransform {_listed(transform)}, {width} × {height} px"
        raise SourceError(msg)
    one, other = a * e, b * d
    if abs(one - other) <= _DEGENERATE * (abs(one) + abs(other)):
        msg = f"the pixels have no area: geotransform {_listed(transform)}"
        raise SourceError(msg)


def _passed_over(page: Directory) -> None:
    """Refuses tags that should place a page and of which GDAL makes nothing."""
    scale, matrix = page.pixel_scale, page.transformation
    if scale and not (len(scale) > 1 and scale[0] and scale[1]):
        msg = f"the pixels have no area: ModelPixelScale {_listed(scale)}"
        raise SourceError(msg)
    if matrix and len(matrix) != _MATRIX:
        msg = f"ModelTransformation has {len(matrix)} numbers, not {_MATRIX}"
        raise SourceError(msg)


def _listed(values: tuple[float, ...]) -> str:
    return f"({', '.join(f'{v:.10g}' for v in values)})"
