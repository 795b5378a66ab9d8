"""Alignment of two pixel grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.crs.comparison import same_horizontally, same_text
from spatial_pipeline.model.profile import RasterProfile

Transform = tuple[float, ...]

SAME_GRID = 1e-3
"""Pixels by which the corners of equal grids may differ, due to rounding in file headers."""
ROUNDINGS = 8
"""Number of roundings in a computed coordinate or offset.

In units in the last place of the largest number: the roundings of the stored decimal numbers, and
of a product, two sums and a quotient. A tolerance is exceeded only beyond them.
"""
EPSILON = float(np.finfo(np.float64).eps)


def to_pixels(points: NDArray[np.float64], transform: Transform) -> NDArray[np.float64]:
    """Columns and rows (fractions of pixels, 0 at the raster's corner) of points.

    Args:
        points: (n, 2) x and y in the CRS of the transform.
        transform: affine coefficients (a, b, c, d, e, f).

    Raises:
        RuleError: the transform is degenerate.

    """
    a, b, c, d, e, f = transform
    determinant = a * e - b * d
    if not (np.isfinite(transform).all() and determinant):
        msg = f"needs a pixel grid: the transform {tuple(transform)} is degenerate"
        raise RuleError(msg)
    x, y = points[:, 0] - c, points[:, 1] - f
    return np.stack([(e * x - b * y) / determinant, (a * y - d * x) / determinant], axis=1)


def to_crs(points: NDArray[np.float64], transform: Transform) -> NDArray[np.float64]:
    """Coordinates of (n, 2) columns and rows; the inverse of :func:`to_pixels`."""
    a, b, c, d, e, f = transform
    column, row = points[:, 0], points[:, 1]
    return np.stack([a * column + b * row + c, d * column + e * row + f], axis=1)


def corners(profile: RasterProfile) -> NDArray[np.float64]:
    """(4, 2) columns and rows of the corners, clockwise from the first pixel's."""
    w, h = profile.width, profile.height
    return np.array([[0, 0], [w, 0], [w, h], [0, h]], dtype=np.float64)


@dataclass(frozen=True)
class Alignment:
    """Position of a raster relative to a grid.

    Attributes:
        offset: (4,) largest distance of each corner (see :func:`corners`) along an axis of the grid
            from its ideal position, with every pixel a cell of the grid, in cells.
        cells: True when a pixel is as large as a cell and its sides are parallel to the cell's.

    """

    offset: NDArray[np.float64]
    cells: bool


def alignment(profile: RasterProfile, grid: Transform) -> Alignment:
    """The alignment of a raster with the grid of another transform in the same CRS."""
    ends = to_pixels(to_crs(corners(profile), profile.transform), grid)
    sides = to_pixels(
        to_crs(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), profile.transform), grid
    )
    steps = np.round(sides[1:] - sides[0])
    whole = np.round(ends[0]) + corners(profile) @ steps
    # Whole numbers with one 1 or -1 in each row and column: a cell for a pixel.
    cells = np.isin(np.abs(steps), (0, 1)).all() and abs(np.linalg.det(steps)) == 1
    straight = (steps == 0).sum() == 2
    return Alignment(np.abs(ends - whole).max(axis=1), bool(cells and straight))


def offset_rounding(profile: RasterProfile, grid: Transform) -> float:
    """Rounding error of the offsets of :func:`alignment`, in cells."""
    a, b, c, d, e, f = grid
    reach = np.abs(to_crs(corners(profile), profile.transform)).max(axis=0) + np.abs([c, f])
    determinant = abs(a * e - b * d)
    along = (abs(e) * reach[0] + abs(b) * reach[1]) / determinant
    across = (abs(a) * reach[1] + abs(d) * reach[0]) / determinant
    return float(ROUNDINGS * EPSILON * max(along, across))


def extent_rounding(profile: RasterProfile) -> tuple[float, float]:
    """Rounding error of an extent, in units in x and in y."""
    a, b, c, d, e, f = map(abs, profile.transform)
    x = c + a * profile.width + b * profile.height
    y = f + d * profile.width + e * profile.height
    return ROUNDINGS * EPSILON * x, ROUNDINGS * EPSILON * y


def pixel_size(transform: Transform) -> tuple[float, float]:
    """Lengths of a pixel along a row and along a column, units of the CRS."""
    a, b, _, d, e, _ = transform
    return float(np.hypot(a, d)), float(np.hypot(b, e))


def same_crs(one: RasterProfile, other: RasterProfile) -> bool:
    """Compares the meaning of x and y in two rasters; two without a CRS are the same.

    A raster's transform always gives x (east) first, so the order of axes does not matter; nor does
    the vertical datum, which does not affect pixel positions.
    """
    a, b = one.pyproj_crs, other.pyproj_crs
    if a is None or b is None:
        return a is None and b is None and one.crs == other.crs
    return same_horizontally(a, b)


def crs_name(profile: RasterProfile) -> str:
    """Name of the CRS for people."""
    crs = profile.pyproj_crs
    if crs is None:
        return "no CRS" if profile.crs is None else "a CRS that is not understood"
    return str(crs.name)


def grid_differences(profile: RasterProfile, other: RasterProfile) -> tuple[str, ...]:
    """Differences of the grid of another raster; empty when the grids are equal."""
    found: list[str] = []
    if (profile.width, profile.height) != (other.width, other.height):
        found.append(
            f"{other.width} × {other.height} pixels, not {profile.width} × {profile.height}"
        )
    if not same_text(profile.crs, other.crs):
        found.insert(0, f"{crs_name(other)}, not {crs_name(profile)}")
    if not same_crs(profile, other):
        return tuple(found)
    ends = corners(profile)
    there = to_pixels(to_crs(ends, other.transform), profile.transform)
    off = np.abs(there - ends).max(axis=1)
    if (off <= SAME_GRID).all():
        return tuple(found)
    ours, theirs = profile.transform, other.transform
    if off[0] > SAME_GRID:
        found.append(
            f"first corner at ({theirs[2]:.10g}, {theirs[5]:.10g}), "
            f"not ({ours[2]:.10g}, {ours[5]:.10g})"
        )
    if np.abs(there - there[0] - ends).max() > SAME_GRID:
        names = [", ".join(f"{t[i]:.10g}" for i in (0, 3, 1, 4)) for t in (theirs, ours)]
        found.append(f"pixel vectors ({names[0]}), not ({names[1]})")
    return tuple(found or ["its grid differs"])


def pixel_area(transform: Transform) -> float:
    """Area of a pixel, squared units of the CRS."""
    a, b, _, d, e, _ = transform
    return abs(a * e - b * d)
