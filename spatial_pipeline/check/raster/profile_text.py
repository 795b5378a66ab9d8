"""Values of a raster profile in the words of a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import BandProfile, RasterProfile
from spatial_pipeline.model.violations import RuleOutcome, Violations


def _by_band(
    profile: RasterProfile,
    holds: Callable[[BandProfile], bool],
    reason: Callable[[BandProfile], str],
) -> RuleOutcome:
    if not profile.count:
        msg = "needs bands: the raster has none"
        raise RuleError(msg)
    reasons = [
        f"band {i}: {reason(band)}" for i, band in enumerate(profile.bands, 1) if not holds(band)
    ]
    return RuleOutcome(
        checked=profile.count, findings=_findings(reasons), message="; ".join(reasons[:5])
    )


def _findings(
    reasons: Sequence[str], geometry: Any = None, measure: Any = np.nan, unit: str = ""
) -> Violations:
    return Violations.build(np.full(len(reasons), -1), list(reasons), geometry, measure, unit)


def _bands(count: int) -> str:
    return f"{count} band{'' if count == 1 else 's'}"


def _unit(profile: RasterProfile) -> str:
    crs = profile.pyproj_crs
    return str(crs.axis_info[0].unit_name) if crs is not None and crs.axis_info else ""
