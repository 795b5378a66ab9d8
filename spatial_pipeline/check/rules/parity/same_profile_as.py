"""same_profile_as: two rasters have the same grid, bands, masks, tags and structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast, get_args

from spatial_pipeline.check.api import Context, RuleOutcome, profile_rule
from spatial_pipeline.check.raster.grid import grid_differences
from spatial_pipeline.check.raster.profile_text import source_violations
from spatial_pipeline.contract.rules.delivery_parity import ProfileProperty, SameProfileAs
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import BandProfile, RasterProfile

BAND_FACTS: dict[str, Callable[[BandProfile], Any]] = {
    "data_type": lambda band: band.data_type,
    "nodata": lambda band: band.nodata,
    "band_names": lambda band: band.description or None,
    "color_interpretation": lambda band: band.color_interpretation,
    "scale_offset": lambda band: (band.scale, band.offset, band.unit),
}
"""Property → value of a band."""
IMPLIED_TAGS = {"AREA_OR_POINT": "Area"}
"""Meaning of an absent tag."""


@profile_rule
def evaluate(rule: SameProfileAs, raster: RasterProfile, context: Context) -> RuleOutcome:
    """One violation for each property, band and tag that differs.

    Raises:
        RuleError: the other raster cannot be read.

    """
    other = cast("RasterProfile", context.others[0].profile)
    if other.error is not None:
        msg = f"needs a readable raster to compare with: {other.uri}: {other.error}"
        raise RuleError(msg)
    names = [name for name in get_args(ProfileProperty) if name not in rule.ignore]
    reasons = [reason for name in names for reason in _differences(name, raster, other)]
    return RuleOutcome(
        checked=len(names),
        violations=source_violations(reasons),
        message="; ".join(reasons[:5]) or f"{len(names)} properties are the same",
        notes=(f"not compared: {', '.join(rule.ignore)}",) if rule.ignore else (),
    )


def _differences(name: str, here: RasterProfile, there: RasterProfile) -> Iterator[str]:
    """Difference in one property."""
    if name == "grid":
        yield from (f"grid: {told}" for told in grid_differences(there, here))
    elif name == "band_count":
        yield from _told("number of bands", here.count, there.count)
    elif name == "masks":
        yield from _by_band(name, here.mask_flags, there.mask_flags)
    elif name == "compression":
        yield from _told(name, here.compression, there.compression)
    elif name == "blocks":
        yield from _by_band(name, here.block_shapes, there.block_shapes)
    elif name == "overviews":
        yield from _told(name, here.overviews, there.overviews)
    elif name == "tags":
        for tag in sorted(here.tags.keys() | there.tags.keys()):
            one, two = (p.tags.get(tag, IMPLIED_TAGS.get(tag)) for p in (here, there))
            yield from _told(f"tag {tag}", one, two)
    else:
        fact = BAND_FACTS[name]
        yield from _by_band(name, *(tuple(map(fact, p.bands)) for p in (here, there)))


def _by_band(name: str, here: tuple[Any, ...], there: tuple[Any, ...]) -> Iterator[str]:
    """Differences of the bands that both have."""
    for band, (one, two) in enumerate(zip(here, there, strict=False), 1):
        yield from _told(f"band {band}: {name.replace('_', ' ')}", one, two)


def _told(what: str, one: Any, two: Any) -> Iterator[str]:
    if one != two:
        yield f"{what} {_text(one)} here, {_text(two)} there"


def _text(value: Any) -> str:
    if value is None or value == ():
        return "none"
    return ", ".join(map(_text, value)) if isinstance(value, tuple) else str(value)
