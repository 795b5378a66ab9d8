"""nodata: every band declares the promised nodata value."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from spatial_pipeline.check.api import RuleOutcome, profile_rule
from spatial_pipeline.check.raster.profile_text import by_band
from spatial_pipeline.contract.rules.raster_metadata import Nodata
from spatial_pipeline.model.profile import BandProfile, RasterProfile, can_hold


@profile_rule
def evaluate(rule: Nodata, profile: RasterProfile) -> RuleOutcome:
    """One violation per band that declares another value, or declares one where none may be."""
    impossible = [
        f"band {i}: nodata {_exact(b.nodata)} cannot occur in {b.data_type}"
        for i, b in enumerate(profile.bands, 1)
        if b.nodata is not None and not can_hold(b.data_type, b.nodata)
    ]
    promised = rule.equals
    expected = "none" if promised is None else _exact(promised)

    def reason(band: BandProfile) -> str:
        declared = "no nodata value" if band.nodata is None else f"nodata {_exact(band.nodata)}"
        return f"{declared}, expected {expected}"

    outcome = by_band(profile, lambda band: _declares(band, promised), reason)
    return replace(outcome, notes=tuple(impossible[:5]))


def _declares(band: BandProfile, promised: float | None) -> bool:
    if band.nodata is None or promised is None:
        return band.nodata is None and promised is None
    declared = _number(band.nodata)
    if _is_nan(declared) or _is_nan(promised):
        return _is_nan(declared) and _is_nan(promised)
    if band.data_type in {"float32", "complex64"}:
        # The pixels and the value that marks them are stored in 32 bits.
        with np.errstate(over="ignore"):
            return bool(np.float32(declared) == np.float32(promised))
    return declared == promised


def _exact(value: float | str) -> str:
    """A nodata value with all its digits, whole numbers without a point."""
    number = _number(value)
    if isinstance(number, int):
        return str(number)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _number(value: float | str) -> float:
    """A nodata value as a number; integers of any size are kept exact."""
    return float(value) if isinstance(value, str) else value


def _is_nan(value: float) -> bool:
    return isinstance(value, float) and math.isnan(value)
