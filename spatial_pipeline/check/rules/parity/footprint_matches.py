"""footprint_matches: the declared footprint of a raster is where it has data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import shapely

from spatial_pipeline.check.api import (
    BandWindow,
    MarkedPixels,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.check.crs.transformation import area_unit
from spatial_pipeline.check.raster.area import placed_polygons
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.contract.rules.raster_parity import FootprintMatches
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import VectorReader

ROUNDING = 1e-9
"""Share of the area of both that overlays may lose."""


def conclude(
    rule: FootprintMatches, raster: RasterUnderCheck, bands: Mapping[int, Sequence[MarkedPixels]]
) -> RuleOutcome:
    """One violation per part of either that the other lacks, and one for their ratio.

    Raises:
        RuleError: the area with data is too scattered to be outlined.

    """
    (parts,) = bands.values()
    placed = placed_polygons(cast("VectorReader", raster.others[0]), raster.profile)
    declared = shapely.union_all(placed.polygons)
    regions, scattered = raster.regions.violations([p.marks for p in parts], lambda *_: "")
    if scattered:
        msg = f"needs data that can be outlined: it is {scattered}"
        raise RuleError(msg)
    covered = shapely.union_all(regions.geometry) if len(regions) else shapely.Polygon()
    both = shapely.area(shapely.union(declared, covered))
    ratio = float(shapely.area(shapely.intersection(declared, covered)) / both)
    unit = area_unit(raster.profile.pyproj_crs)
    found: list[tuple[str, Any, float]] = []
    if rule.tolerance is not None:
        for reason, one, other in (
            ("declared, without data", declared, covered),
            ("data outside of the footprint", covered, declared),
        ):
            wide = shapely.buffer(other, rule.tolerance) if rule.tolerance else other
            found.extend(
                (reason, part, float(part.area))
                for part in shapely.get_parts(shapely.difference(one, wide))
                if part.geom_type == "Polygon" and part.area > ROUNDING * both
            )
    if rule.min_iou is not None and ratio < rule.min_iou - ROUNDING:
        told = f"intersection over union is {number(ratio)}, less than {number(rule.min_iou)}"
        found.append((told, shapely.symmetric_difference(declared, covered), ratio))
    return RuleOutcome(
        checked=sum(p.pixels for p in parts),
        violations=Violations.build(
            np.full(len(found), -1),
            [r for r, _, _ in found],
            [g for _, g, _ in found],
            [m for _, _, m in found],
            unit if rule.min_iou is None else "",
        ),
        message=f"intersection over union is {number(ratio)}"
        + (f"; {len(found)} differences" if found else ""),
        notes=placed.notes,
    )


@window_rule(conclude)
def evaluate(rule: FootprintMatches, pixels: BandWindow) -> MarkedPixels:
    """Pixels with data."""
    return MarkedPixels(pixels.valid.size, pixels.marks(pixels.valid))
