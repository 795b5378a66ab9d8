"""vertical_accuracy: heights of a surface agree with check points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.check.raster.check_points import CheckPoints, check_points
from spatial_pipeline.check.raster.lines import numbers
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.contract.rules.raster_parity import VerticalAccuracy
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import VectorReader

Residuals = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Indices of check points, and height of the surface minus theirs; NaN without data."""


def conclude(
    rule: VerticalAccuracy, raster: RasterUnderCheck, bands: Mapping[int, Sequence[Residuals]]
) -> RuleOutcome:
    """The measures, and the check points whose residuals are beyond them when one fails.

    Raises:
        RuleError: no check point lies where the surface has data.

    """
    (parts,) = bands.values()
    points = _points(rule, raster)
    residual = np.full(len(points.value), np.nan)
    for index, values in parts:
        residual[index] = values
    judged = np.flatnonzero(~np.isnan(residual))
    if not len(judged):
        msg = "needs check points where the surface has data: none is"
        raise RuleError(msg)
    sizes = residual[judged]
    rmse = math.sqrt(math.fsum((sizes * sizes).tolist()) / len(sizes))
    bias = math.fsum(sizes.tolist()) / len(sizes)
    rank = math.ceil(0.95 * len(sizes)) - 1
    high = float(np.sort(np.abs(sizes))[rank])
    failing = [
        f"{name} {number(value)} is larger than {number(limit)}"
        for name, value, limit in (
            ("RMSE", rmse, rule.rmse),
            ("bias", bias, rule.bias),
            ("percentile 95", high, rule.percentile95),
        )
        if limit is not None and abs(value) > limit
    ]
    limits = [v for v in (rule.rmse, rule.bias, rule.percentile95) if v is not None]
    wrong = judged[np.abs(sizes) > min(limits)] if failing else judged[:0]
    left = len(residual) - len(judged)
    told = f"RMSE {number(rmse)}, bias {number(bias)}, percentile 95 {number(high)}"
    return RuleOutcome(
        checked=len(judged),
        violations=Violations.build(
            np.full(len(wrong), -1),
            [f"residual {number(residual[i])}" for i in wrong],
            points.geometry[wrong],
            np.abs(residual[wrong]),
            keys=[((int(r),),) for r in points.rows[wrong]],
        ),
        passed=not failing,
        value=rmse if rule.rmse is not None else high if rule.percentile95 is not None else bias,
        threshold=next(v for v in (rule.rmse, rule.percentile95, rule.bias) if v is not None),
        message=f"{'; '.join(failing) or told}; {len(judged)} check points",
        notes=(
            *points.notes,
            *((told,) if failing else ()),
            *((f"{left} check points lie where there is no data",) if left else ()),
        ),
    )


@window_rule(conclude)
def evaluate(rule: VerticalAccuracy, pixels: BandWindow) -> Residuals:
    """Residuals of the check points in this window."""
    points = _points(rule, pixels.raster)
    window = pixels.window
    index = points.within(window.row_off, window.col_off, *pixels.values.shape)
    if not len(index):
        return index, np.empty(0)
    band = pixels.raster.profile.bands[pixels.band - 1]
    values, valid = pixels.around(1)
    heights = np.where(numbers(values, valid), values.astype(np.float64), np.nan)
    # The first pixel of the window with a margin of one.
    first = np.array([window.col_off - 1, window.row_off - 1])
    column, row = (np.floor(points.place[index]).astype(np.int64) - first).T
    found = heights[row, column]
    if rule.sampling == "bilinear":
        whole = _bilinear(heights, points.place[index], first, found)
        found = np.where(np.isnan(found), np.nan, whole)
    return index, found * float(band.scale) + float(band.offset) - points.value[index]


def _bilinear(
    heights: NDArray[np.float64],
    place: NDArray[np.float64],
    first: NDArray[np.int64],
    nearest: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Interpolated heights; the nearest one where one of the four pixels has no data.

    Weights are those of the place in the raster, so that they do not depend on the window.
    """
    corner = np.floor(place - 0.5)
    x, y = (place - 0.5 - corner).T
    column, row = (corner.astype(np.int64) - first).T
    total = np.zeros(len(place))
    for r, c, weight in (
        (0, 0, (1 - x) * (1 - y)),
        (0, 1, x * (1 - y)),
        (1, 0, (1 - x) * y),
        (1, 1, x * y),
    ):
        # A pixel without weight need not have data.
        total += np.where(weight > 0, heights[row + r, column + c], 0.0) * weight
    return np.where(np.isnan(total), nearest, total)


def _points(rule: VerticalAccuracy, raster: RasterUnderCheck) -> CheckPoints:
    data = cast("VectorReader", raster.others[0])
    return raster.memo("points", lambda: check_points(data, raster.profile, rule.column))
