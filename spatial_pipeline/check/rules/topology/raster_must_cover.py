"""raster_must_cover: a raster has data everywhere in the polygons of another dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

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
from spatial_pipeline.check.raster.area import PixelArea, PlacedPolygons, placed_polygons
from spatial_pipeline.check.raster.grid import corners, pixel_area, to_crs
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.contract.rules.raster_topology import RasterMustCover
from spatial_pipeline.model.readers import VectorReader

ROUNDING = 1e-9


def conclude(
    rule: RasterMustCover,
    raster: RasterUnderCheck,
    bands: Mapping[int, Sequence[MarkedPixels]],
) -> RuleOutcome:
    """One violation per region without data, and per part outside of the raster."""
    _, placed = _area(raster)
    marked = [m for found in bands.values() for m in found]
    regions, note = raster.regions.violations(
        [m.marks for m in marked], lambda band, *_: f"band {band}: no data"
    )
    unit = area_unit(raster.profile.pyproj_crs)
    one = pixel_area(raster.profile.transform)
    extent = shapely.Polygon(to_crs(corners(raster.profile), raster.profile.transform))
    outside = shapely.get_parts(shapely.difference(shapely.union_all(placed.polygons), extent))
    outside = outside[shapely.area(outside) > ROUNDING * one]
    violations = Violations.concat(
        [
            Violations.build(
                regions.rows[:, 0], regions.reasons, regions.geometry, regions.measure * one, unit
            ),
            Violations.build(
                np.full(len(outside), -1),
                "outside of the raster",
                outside,
                shapely.area(outside),
                unit,
            ),
        ]
    )
    uncovered = number(violations.measure.sum())
    checked = sum(m.pixels for m in marked)
    return RuleOutcome(
        checked=checked + len(outside),
        violations=violations,
        message=f"{uncovered} {unit} are not covered, in {len(violations)} places"
        if len(violations)
        else f"{checked} pixels of the area have data",
        notes=(*placed.notes, *((note,) if note else ())),
    )


@window_rule(conclude)
def evaluate(rule: RasterMustCover, pixels: BandWindow) -> MarkedPixels:
    """Pixels whose centre is in the polygons and that have no data."""
    area, _ = _area(pixels.raster)
    window = pixels.window
    place = window.row_off, window.col_off, *pixels.valid.shape
    inside = pixels.once("inside", lambda: area.mask(*place))
    return MarkedPixels(int(np.count_nonzero(inside)), pixels.marks(inside & ~pixels.valid))


def _area(raster: RasterUnderCheck) -> tuple[PixelArea, PlacedPolygons]:
    def make() -> tuple[PixelArea, PlacedPolygons]:
        placed = placed_polygons(cast("VectorReader", raster.others[0]), raster.profile)
        return PixelArea.of(placed.polygons, raster.profile.transform), placed

    return raster.memo("area", make)
