"""no_voids: no connected area without data is larger than allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    MarkedPixels,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.check.crs.transformation import area_unit
from spatial_pipeline.check.raster.area import PixelArea, polygon_area
from spatial_pipeline.check.raster.grid import pixel_area, pixel_size
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.contract.rules.pixels import NoVoids
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import VectorReader

ROUNDING = 1e-9
"""Share of an area that is lost by multiplying pixels with their size."""
EDGE = "edge"


def conclude(
    rule: NoVoids, raster: RasterUnderCheck, bands: Mapping[int, Sequence[MarkedPixels]]
) -> RuleOutcome:
    """One violation per void beyond the bounds, with its outline and its area.

    Raises:
        RuleError: the voids are too scattered to be measured.

    """
    _, notes = _allowed(rule, raster)
    unit, one = area_unit(raster.profile.pyproj_crs), pixel_area(raster.profile.transform)
    found: list[Violations] = []
    checked = voids = 0
    for band, parts in bands.items():
        checked += sum(p.pixels for p in parts)
        regions, scattered = raster.regions.violations([p.marks for p in parts], _at_edge)
        if scattered:
            msg = f"needs voids that can be measured: those of band {band} are {scattered}"
            raise RuleError(msg)
        voids += len(regions)
        raster.cancelled()
        area = regions.measure * one
        wrong = np.flatnonzero(_wrong(rule, raster, regions, area))
        found.append(
            Violations.build(
                np.full(len(wrong), -1),
                [f"band {band}: void of {int(regions.measure[i])} px" for i in wrong],
                regions.geometry[wrong],
                area[wrong],
                unit,
            )
        )
    violations = Violations.concat(found)
    largest = (
        f", largest {number(violations.measure.max())} {unit}".rstrip() if len(violations) else ""
    )
    return RuleOutcome(
        checked=checked,
        violations=violations,
        message=f"{len(violations)} of {voids} voids are too large{largest}"
        if len(violations)
        else f"{voids} voids in {checked} pixels, none too large",
        notes=notes,
    )


@window_rule(conclude)
def evaluate(rule: NoVoids, pixels: BandWindow) -> MarkedPixels:
    """Pixels without data, told apart by whether they lie at the edge of the raster."""
    area, _ = _allowed(rule, pixels.raster)
    missing = ~pixels.valid
    window, profile = pixels.window, pixels.raster.profile
    if area is not None and missing.any():
        missing &= ~area.mask(window.row_off, window.col_off, *missing.shape)
    if not missing.any():
        return MarkedPixels(missing.size, pixels.marks(None))
    rows = np.arange(missing.shape[0]) + window.row_off
    columns = np.arange(missing.shape[1]) + window.col_off
    edge = np.isin(rows, (0, profile.height - 1))[:, None]
    edge = edge | np.isin(columns, (0, profile.width - 1))[None, :]
    return MarkedPixels(missing.size, pixels.marks(missing, edge.astype(np.uint8)))


def _at_edge(_band: int, _low: Any, high: Any, _blank: int) -> str:
    return EDGE if high else ""


def _wrong(
    rule: NoVoids, raster: RasterUnderCheck, regions: Violations, area: NDArray[np.float64]
) -> NDArray[np.bool_]:
    wrong = np.zeros(len(regions), dtype=bool)
    if rule.max_area is not None:
        wrong |= area > rule.max_area * (1 + ROUNDING)
    if rule.max_width is not None:
        width, height = pixel_size(raster.profile.transform)
        rest = np.flatnonzero(~wrong)
        # No circle in a region is wider than the diagonal of its box.
        bounds = shapely.bounds(regions.geometry[rest]).reshape(-1, 4)
        rest = rest[np.hypot(*(bounds[:, 2:] - bounds[:, :2]).T) > rule.max_width]
        tolerance = min(width, height) / 1000
        circles = shapely.maximum_inscribed_circle(regions.geometry[rest], tolerance)
        wrong[rest] |= 2 * shapely.length(circles) > rule.max_width + 2 * tolerance
    if rule.max_area is None and rule.max_width is None:
        wrong[:] = True
    if rule.ignore_edge:
        wrong &= regions.reasons != EDGE
    return wrong


def _allowed(rule: NoVoids, raster: RasterUnderCheck) -> tuple[PixelArea | None, tuple[str, ...]]:
    """The area in which pixels need no data, and notes."""
    if rule.allowed is None:
        return None, ()
    polygons = cast("VectorReader", raster.others[0])
    return raster.memo("allowed", lambda: polygon_area(polygons, raster.profile))
