"""Bands of a raster that a rule reads, and notes on unreadable parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import RasterProfile

if TYPE_CHECKING:
    from spatial_pipeline.check.base import Context


def raster_profile(context: Context) -> RasterProfile:
    """The profile of the raster under check."""
    return cast("RasterProfile", context.data.profile)


def chosen_bands(band: int | None, profile: RasterProfile) -> list[int]:
    """The 1-based bands that a rule checks.

    Raises:
        RuleError: the raster has no such band.

    """
    if band is None:
        return list(range(1, profile.count + 1))
    if band > profile.count:
        msg = f"needs band {band}: the raster has {profile.count}"
        raise RuleError(msg)
    return [band]


def needs_pixels(partials: Sequence[Any]) -> None:
    """Refuses to conclude anything when no window was read.

    Raises:
        RuleError: there is no window.

    """
    if not partials:
        msg = "needs readable pixels"
        raise RuleError(msg)


def unread(profile: RasterProfile) -> tuple[str, ...]:
    """Notes on a source with broken blocks."""
    count = len(profile.broken_blocks)
    return (f"{count} blocks of the source do not decode and were not judged",) if count else ()


def number(value: Any) -> str:
    """A pixel value for people."""
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    return f"{float(value):.7g}"


def share_text(value: float) -> str:
    """A share in percent for people."""
    return f"{100 * value:.4g}%"
