"""resolution: pixels have the promised size."""

from __future__ import annotations

from typing import cast

from spatial_pipeline.check.base import ProfileCheck, evaluates
from spatial_pipeline.check.raster.grid import (
    EPSILON,
    ROUNDINGS,
    pixel_size,
)
from spatial_pipeline.check.raster.profile_text import crs_unit, source_violations
from spatial_pipeline.contract.rules.metadata import (
    Resolution,
)
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.violations import RuleOutcome


@evaluates(Resolution)
class ResolutionCheck(ProfileCheck[Resolution]):
    """Compares the lengths of a pixel's sides; they may be rotated."""

    def evaluate(self, profile: Profile) -> RuleOutcome:
        """The larger difference of the two sides is the value."""
        raster, equals = cast("RasterProfile", profile), self.rule.equals
        promised = equals if isinstance(equals, tuple) else (equals, equals)
        size, unit = pixel_size(raster.transform), crs_unit(raster)
        tolerance = self.rule.tolerance
        differences = [abs(s - p) for s, p in zip(size, promised, strict=True)]
        rounding = [ROUNDINGS * EPSILON * max(s, p) for s, p in zip(size, promised, strict=True)]
        wrong = [i for i in range(2) if not differences[i] <= tolerance + rounding[i]]
        largest = max(differences)
        if not wrong:
            largest = min(largest, tolerance)
        reasons = [
            f"pixel {('width', 'height')[i]} {size[i]:.10g}, expected {promised[i]:.10g}"
            for i in wrong
        ]
        return RuleOutcome(
            checked=2,
            violations=source_violations(
                reasons, measure=[differences[i] for i in wrong], unit=unit
            ),
            passed=not wrong,
            value=largest,
            threshold=tolerance,
            message="; ".join(reasons) or f"{size[0]:.10g} × {size[1]:.10g} {unit}".rstrip(),
        )
