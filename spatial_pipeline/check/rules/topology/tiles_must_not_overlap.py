"""tiles_must_not_overlap: no two tiles share an area."""

from __future__ import annotations

from typing import cast

import numpy as np
import shapely

from spatial_pipeline.check.base import ProfileCheck, evaluates
from spatial_pipeline.check.crs.transformation import area_unit
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.check.raster.tiles import footprints, wide
from spatial_pipeline.contract.rules.raster_topology import TilesMustNotOverlap
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.violations import RuleOutcome, Violations


@evaluates(TilesMustNotOverlap)
class TilesMustNotOverlapCheck(ProfileCheck[TilesMustNotOverlap]):
    """Compares the outlines of all tiles, two by two where their boxes meet."""

    def evaluate(self, profile: Profile) -> RuleOutcome:
        """One violation per pair of tiles and per area that they share."""
        raster = cast("RasterProfile", profile)
        tiles = [raster, *(cast("RasterProfile", o.profile) for o in self.context.others)]
        outlines, notes = footprints(raster, tiles[1:])
        one, other = shapely.STRtree(outlines).query(outlines, predicate="intersects")
        one, other = one[one < other], other[one < other]
        unit = area_unit(raster.pyproj_crs)
        found: list[Violations] = []
        for a, b in sorted(zip(one.tolist(), other.tolist(), strict=True)):
            shared = wide(shapely.intersection(outlines[a], outlines[b]), raster)
            shared = shared[shapely.area(shared) > self.rule.tolerance]
            reason = f"{tiles[a].uri} and {tiles[b].uri} overlap"
            none = np.full(len(shared), -1)
            found.append(Violations.build(none, reason, shared, shapely.area(shared), unit))
        violations = Violations.concat(found)
        return RuleOutcome(
            checked=len(tiles),
            violations=violations,
            message=f"{len(violations)} overlaps of {len(tiles)} tiles, "
            f"largest {number(violations.measure.max())} {unit}"
            if len(violations)
            else f"{len(tiles)} tiles do not overlap",
            notes=notes,
        )
