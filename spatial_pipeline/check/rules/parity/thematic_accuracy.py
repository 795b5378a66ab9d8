"""thematic_accuracy: classes of pixels agree with those of sample points."""

from __future__ import annotations

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
from spatial_pipeline.check.raster.reading import number, share_text
from spatial_pipeline.contract.rules.raster_parity import ThematicAccuracy
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import VectorReader

Classes = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Indices of samples, and the class of the raster there; NaN without data."""


def conclude(
    rule: ThematicAccuracy, raster: RasterUnderCheck, bands: Mapping[int, Sequence[Classes]]
) -> RuleOutcome:
    """The ratios of the confusion matrix, and the samples that the raster has wrong.

    Raises:
        RuleError: no sample lies where the raster has data.

    """
    (parts,) = bands.values()
    points = _points(rule, raster)
    mapped = np.full(len(points.value), np.nan)
    for index, values in parts:
        mapped[index] = values
    judged = np.flatnonzero(~np.isnan(mapped))
    if not len(judged):
        msg = "needs samples where the raster has data: none is"
        raise RuleError(msg)
    ours, theirs = mapped[judged], points.value[judged]
    right = ours == theirs
    overall = float(right.mean())
    failing = []
    if rule.min_overall is not None and overall < rule.min_overall:
        failing.append(f"overall accuracy {share_text(overall)}")
    failing += _low("user's", ours, right, rule.min_users)
    failing += _low("producer's", theirs, right, rule.min_producers)
    wrong = judged[~right] if failing else judged[:0]
    left = len(mapped) - len(judged)
    told = f"overall accuracy {share_text(overall)} of {len(judged)} samples"
    return RuleOutcome(
        checked=len(judged),
        violations=Violations.build(
            np.full(len(wrong), -1),
            [f"{number(mapped[i])}, sampled as {number(points.value[i])}" for i in wrong],
            points.geometry[wrong],
            keys=[((int(r),),) for r in points.rows[wrong]],
        ),
        passed=not failing,
        value=overall,
        threshold=rule.min_overall,
        message="; ".join(f"{f} is too low" for f in failing) or told,
        notes=(
            *points.notes,
            *((told,) if failing else ()),
            f"confusion (class, sampled as, count): {_matrix(ours, theirs)}",
            *((f"{left} samples lie where there is no data",) if left else ()),
        ),
    )


@window_rule(conclude)
def evaluate(rule: ThematicAccuracy, pixels: BandWindow) -> Classes:
    """The classes of the pixels in which samples of this window lie."""
    points = _points(rule, pixels.raster)
    window = pixels.window
    index = points.within(window.row_off, window.col_off, *pixels.values.shape)
    place = np.floor(points.place[index]).astype(np.int64)
    row, column = place[:, 1] - window.row_off, place[:, 0] - window.col_off
    there = numbers(pixels.values, pixels.valid)[row, column]
    return index, np.where(there, pixels.values[row, column].astype(np.float64), np.nan)


def _low(
    name: str, classes: NDArray[np.float64], right: NDArray[np.bool_], least: float | None
) -> list[str]:
    """The classes whose share of right samples is below a limit."""
    if least is None:
        return []
    values, place = np.unique(classes, return_inverse=True)
    shares = np.bincount(place, right) / np.bincount(place)
    return [
        f"{name} accuracy {share_text(s)} of class {number(v)}"
        for v, s in zip(values, shares.tolist(), strict=True)
        if s < least
    ]


def _matrix(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> str:
    pairs, counts = np.unique(np.stack([ours, theirs], axis=1), axis=0, return_counts=True)
    shown = [
        f"{number(a)} {number(b)} {n}"
        for (a, b), n in zip(pairs.tolist()[:50], counts.tolist(), strict=False)
    ]
    return "; ".join(shown) + (" …" if len(pairs) > 50 else "")


def _points(rule: ThematicAccuracy, raster: RasterUnderCheck) -> CheckPoints:
    data = cast("VectorReader", raster.others[0])
    return raster.memo("points", lambda: check_points(data, raster.profile, rule.column))
