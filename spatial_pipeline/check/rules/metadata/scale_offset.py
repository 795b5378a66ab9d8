"""scale_offset: every band declares the promised scale, offset and unit."""

from __future__ import annotations

import math

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import by_band
from spatial_pipeline.contract.rules.raster_metadata import ScaleOffset
from spatial_pipeline.model.profile import BandProfile, RasterProfile


@profile_rule
def evaluate(rule: ScaleOffset, profile: RasterProfile) -> RuleOutcome:
    """One violation per band that declares something else."""

    def wrong(band: BandProfile) -> list[str]:
        told = [
            f"{name} {declared:.15g}, expected {promised:.15g}"
            for name, declared, promised in (
                ("scale", float(band.scale), rule.scale),
                ("offset", float(band.offset), rule.offset),
            )
            if promised is not None
            and not math.isclose(declared, promised, rel_tol=rule.tolerance, abs_tol=0.0)
        ]
        if rule.unit is not None and (band.unit or "none") != rule.unit:
            told.append(f"unit {band.unit or 'none'}, expected {rule.unit}")
        return told

    return by_band(profile, lambda band: not wrong(band), lambda band: "; ".join(wrong(band)))
