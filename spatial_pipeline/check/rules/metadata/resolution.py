"""resolution: pixels have the promised size."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.grid import EPSILON, ROUNDINGS, pixel_size
from spatial_pipeline.check.raster.profile_text import crs_unit, source_violations
from spatial_pipeline.contract.rules.raster_metadata import Resolution
from spatial_pipeline.model.profile import RasterProfile


@profile_rule
def evaluate(rule: Resolution, profile: RasterProfile) -> RuleOutcome:
    """Compares the lengths of a pixel's sides, which may be rotated; the larger one decides."""
    equals, tolerance = rule.equals, rule.tolerance
    promised = equals if isinstance(equals, tuple) else (equals, equals)
    size, unit = pixel_size(profile.transform), crs_unit(profile)
    differences = [abs(s - p) for s, p in zip(size, promised, strict=True)]
    rounding = [ROUNDINGS * EPSILON * max(s, p) for s, p in zip(size, promised, strict=True)]
    wrong = [i for i in range(2) if not differences[i] <= tolerance + rounding[i]]
    largest = max(differences)
    if not wrong:
        largest = min(largest, tolerance)
    reasons = [
        f"pixel {('width', 'height')[i]} {size[i]:.10g}, expected {promised[i]:.10g}" for i in wrong
    ]
    return RuleOutcome(
        checked=2,
        violations=source_violations(reasons, measure=[differences[i] for i in wrong], unit=unit),
        passed=not wrong,
        value=largest,
        threshold=tolerance,
        message="; ".join(reasons) or f"{size[0]:.10g} × {size[1]:.10g} {unit}".rstrip(),
    )
