"""pixel_expression: an expression over the bands is true for every valid pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import numpy as np
import pyarrow as pa

from spatial_pipeline.check.api import (
    BandWindow,
    MarkedPixels,
    RasterUnderCheck,
    RuleOutcome,
    window_rule,
)
from spatial_pipeline.check.join.where_filter import mask
from spatial_pipeline.check.raster.grid import grid_differences
from spatial_pipeline.check.raster.reading import chosen_bands
from spatial_pipeline.contract.rules.pixels import PixelExpression
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import RasterReader


def conclude(
    rule: PixelExpression, raster: RasterUnderCheck, bands: Mapping[int, Sequence[MarkedPixels]]
) -> RuleOutcome:
    """One violation per region in which the expression is not true, counted by its pixels."""
    marked = [m for found in bands.values() for m in found]
    violations, note = raster.regions.violations(
        [m.marks for m in marked], lambda *_: f"not true: {rule.expression}"
    )
    checked, count = sum(m.pixels for m in marked), sum(m.marks.count for m in marked)
    return RuleOutcome(
        checked=checked,
        violations=violations,
        count=count,
        message=f"{count} of {checked} pixels do not satisfy {rule.expression}"
        if count
        else f"{checked} pixels satisfy {rule.expression}",
        notes=(
            *((note,) if note else ()),
            *(("no pixel has data in all bands",) if not checked else ()),
        ),
    )


@window_rule(conclude)
def evaluate(rule: PixelExpression, pixels: BandWindow) -> MarkedPixels:
    """Pixels that are valid in all bands and for which the expression is false or null.

    Raises:
        RuleError: a band is missing, another raster has another grid, or the expression is none.

    """
    window, others = pixels.window, iter(pixels.raster.others)
    place = window.row_off, window.col_off, *pixels.values.shape
    columns, valid = {}, np.ones(pixels.values.shape, dtype=bool)
    for name, source in rule.bands.items():
        if isinstance(source, int):
            (index,) = chosen_bands(source, pixels.raster.profile)
            values, there = window.values[index - 1], window.valid[index - 1]
        else:
            other = cast("RasterReader", next(others))
            pixels.raster.memo(name, partial(_same_grid, pixels.raster, other))
            read = other.read(*place)
            values, there = read.values[0], read.valid[0]
        if values.dtype.kind == "c":
            msg = f"needs real numbers: {name} has complex pixels"
            raise RuleError(msg)
        # Whole numbers of 64 bits, so that a difference of two bytes may be negative.
        narrow = values.dtype.kind in "iu" and values.dtype.itemsize < 8
        columns[name] = values.astype(np.int64) if narrow else values
        valid &= there
    count = int(np.count_nonzero(valid))
    table = pa.table({name: values[valid] for name, values in columns.items()})
    try:
        holds = mask(table, rule.expression)
    except RuleError as exc:
        msg = f"expression: {str(exc).removeprefix('where: ')}"
        raise RuleError(msg) from exc
    if holds.all():
        return MarkedPixels(count, pixels.marks(None))
    wrong = np.zeros(valid.shape, dtype=bool)
    wrong[valid] = ~holds
    return MarkedPixels(count, pixels.marks(wrong))


def _same_grid(raster: RasterUnderCheck, other: RasterReader) -> bool:
    """True for a raster on the same grid.

    Raises:
        RuleError: the grids differ, or the other raster cannot be read.

    """
    if other.profile.error is not None:
        msg = f"needs a readable raster: {other.profile.uri}: {other.profile.error}"
        raise RuleError(msg)
    differences = grid_differences(raster.profile, other.profile)
    if differences:
        msg = f"needs one grid: that of {other.profile.uri} differs: {'; '.join(differences)}"
        raise RuleError(msg)
    return True
