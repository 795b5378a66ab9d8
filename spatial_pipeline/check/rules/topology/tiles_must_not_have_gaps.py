"""tiles_must_not_have_gaps: tiles leave nothing out."""

from __future__ import annotations

from typing import cast

import numpy as np
import shapely

from spatial_pipeline.check.base import ProfileCheck, evaluates
from spatial_pipeline.check.crs.transformation import area_unit
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.check.raster.tiles import footprints, wide
from spatial_pipeline.contract.rules.raster_topology import TilesMustNotHaveGaps
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.violations import RuleOutcome, Violations


@evaluates(TilesMustNotHaveGaps)
class TilesMustNotHaveGapsCheck(ProfileCheck[TilesMustNotHaveGaps]):
    """Looks for what the union of all tiles leaves out."""

    def evaluate(self, profile: Profile) -> RuleOutcome:
        """One violation per gap, with its outline and its area."""
        raster = cast("RasterProfile", profile)
        others = [cast("RasterProfile", o.profile) for o in self.context.others]
        outlines, notes = footprints(raster, others)
        together = shapely.union_all(outlines)
        if self.rule.within is not None:
            left = shapely.difference(shapely.box(*self.rule.within), together)
        else:
            rings = shapely.get_rings(shapely.get_parts(together), return_index=True)
            inner = np.diff(rings[1], prepend=-1) == 0
            left = shapely.union_all(shapely.polygons(rings[0][inner]))
        gaps = wide(left, raster)
        gaps = gaps[shapely.area(gaps) > self.rule.tolerance]
        unit = area_unit(raster.pyproj_crs)
        violations = Violations.build(
            np.full(len(gaps), -1), "gap between tiles", gaps, shapely.area(gaps), unit
        )
        return RuleOutcome(
            checked=len(outlines),
            violations=violations,
            message=f"{len(gaps)} gaps between {len(outlines)} tiles, "
            f"largest {number(violations.measure.max())} {unit}"
            if len(gaps)
            else f"{len(outlines)} tiles leave no gap",
            notes=notes,
        )
