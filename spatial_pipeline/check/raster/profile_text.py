"""Formats values of a raster profile for messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import BandProfile, RasterProfile
from spatial_pipeline.model.violations import RuleOutcome, Violations


def by_band(
    profile: RasterProfile,
    holds: Callable[[BandProfile], bool],
    reason: Callable[[BandProfile], str],
) -> RuleOutcome:
    """One violation for each band that does not hold.

    Args:
        profile: of the raster.
        holds: True for a band as promised.
        reason: what is wrong with a band.

    Raises:
        RuleError: there is no band.

    """
    if not profile.count:
        msg = "needs bands: the raster has none"
        raise RuleError(msg)
    reasons = [
        f"band {i}: {reason(band)}" for i, band in enumerate(profile.bands, 1) if not holds(band)
    ]
    return RuleOutcome(
        checked=profile.count, violations=source_violations(reasons), message="; ".join(reasons[:5])
    )


def source_violations(
    reasons: Sequence[str], geometry: Any = None, measure: Any = np.nan, unit: str = ""
) -> Violations:
    """Violations of the source as a whole, one per reason."""
    return Violations.build(np.full(len(reasons), -1), list(reasons), geometry, measure, unit)


def band_text(count: int) -> str:
    """The number of bands in words."""
    return f"{count} band{'' if count == 1 else 's'}"


def crs_unit(profile: RasterProfile) -> str:
    """Name of the unit of the coordinates, empty without a CRS."""
    crs = profile.pyproj_crs
    return str(crs.axis_info[0].unit_name) if crs is not None and crs.axis_info else ""


def compared(facts: Mapping[str, tuple[object, object]]) -> RuleOutcome:
    """One violation for each fact that is not as promised.

    Args:
        facts: name → declared value and promised value.

    """
    reasons = [f"{name} {a}, expected {b}" for name, (a, b) in facts.items() if a != b]
    good = ", ".join(f"{name} {a}" for name, (a, _) in facts.items())
    return RuleOutcome(
        checked=len(facts),
        violations=source_violations(reasons),
        message="; ".join(reasons) or good,
    )


def compared_bands(declared: Sequence[str], promised: Sequence[str], what: str) -> RuleOutcome:
    """One violation for each band that is not as promised, missing or too many.

    Args:
        declared: what each band declares.
        promised: what each band is to declare.
        what: name of the property.

    """
    pairs = list(zip_longest(declared, promised))
    reasons = [
        f"band {i}: {what} {_shown(a)}, expected {_shown(b)}"
        for i, (a, b) in enumerate(pairs, 1)
        if a != b
    ]
    return RuleOutcome(
        checked=len(pairs), violations=source_violations(reasons), message="; ".join(reasons[:5])
    )


def _shown(text: str | None) -> str:
    return "no band" if text is None else text or "none"
