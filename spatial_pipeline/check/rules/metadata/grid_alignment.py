"""grid_alignment: the pixel grid snaps to a grid."""

from __future__ import annotations

from typing import cast

import numpy as np
import shapely

from spatial_pipeline.check.api import Context, RuleOutcome, profile_rule
from spatial_pipeline.check.raster.grid import (
    alignment,
    corners,
    crs_name,
    offset_rounding,
    pixel_size,
    same_crs,
    to_crs,
)
from spatial_pipeline.check.raster.profile_text import source_violations
from spatial_pipeline.contract.rules.raster_metadata import GridAlignment
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: GridAlignment, raster: RasterProfile, context: Context) -> RuleOutcome:
    """Every pixel is a cell of the grid, up to a drift that is bounded at the raster's corners.

    The largest offset of a corner, in pixels, is the value; one violation per corner.
    """
    grid, notes = _grid(rule, raster, context)
    if grid is None:
        return RuleOutcome(4, source_violations(notes), passed=False, message=notes[0])
    lies = alignment(raster, grid)
    ours, theirs = pixel_size(raster.transform), pixel_size(grid)
    if not np.allclose(ours, theirs, atol=0):
        cell = f"{theirs[0]:.10g} × {theirs[1]:.10g}"
        notes = (f"pixels are {ours[0]:.10g} × {ours[1]:.10g}, the cells {cell}", *notes)
    if not lies.cells:
        reason = "its pixels are not cells of the grid: their size or rotation differs"
        return RuleOutcome(
            4, source_violations([reason]), passed=False, message=reason, notes=notes
        )
    tolerance = rule.tolerance
    off = np.flatnonzero(~(lies.offset <= tolerance + offset_rounding(raster, grid)))
    worst = float(lies.offset.max())
    if not len(off):
        worst = min(worst, tolerance)
    names = ("first corner", "end of the first row", "last corner", "start of the last row")
    return RuleOutcome(
        checked=4,
        violations=source_violations(
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


def _grid(
    rule: GridAlignment, raster: RasterProfile, context: Context
) -> tuple[tuple[float, ...] | None, tuple[str, ...]]:
    """The grid as a transform and notes; or None and the reason why this CRS has none."""
    origin, resolution = rule.origin, rule.resolution
    if origin is not None and resolution is not None:
        x, y = resolution if isinstance(resolution, tuple) else (resolution, resolution)
        return (x, 0.0, origin[0], 0.0, -y, origin[1]), ()
    other = cast("RasterProfile", context.others[0].profile)
    if not same_crs(raster, other):
        if raster.crs is None or other.crs is None:
            msg = f"needs crs: {crs_name(raster)} here, {crs_name(other)} in {other.uri}"
            raise RuleError(msg)
        return None, (f"the grid is in {crs_name(other)}, the raster in {crs_name(raster)}",)
    without = ("neither raster has a CRS: coordinates were compared as they are",)
    return other.transform, without if raster.crs is None else ()
