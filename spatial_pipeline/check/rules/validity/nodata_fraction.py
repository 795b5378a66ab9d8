"""nodata_fraction: the share of nodata pixels is bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    MarkedPixels,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.check.raster.area import PixelArea, polygon_area
from spatial_pipeline.check.raster.reading import share_text
from spatial_pipeline.check.raster.regions import union
from spatial_pipeline.contract.rules.validity import NodataFraction
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import VectorReader


def conclude(
    rule: NodataFraction, raster: RasterUnderCheck, bands: Mapping[int, Sequence[MarkedPixels]]
) -> RuleOutcome:
    """The worst band decides; one violation per failing band, with the places without data.

    Raises:
        RuleError: the area holds no pixel.

    """
    _, notes = _area(rule, raster)
    pixels = sum(m.pixels for m in next(iter(bands.values())))
    if not pixels:
        msg = "needs pixels to count: no pixel centre lies within the area"
        raise RuleError(msg)
    shares = {band: sum(m.marks.count for m in found) / pixels for band, found in bands.items()}
    failing = [band for band, share in shares.items() if share > rule.max]
    outlined = [
        raster.regions.violations([m.marks for m in bands[band]], lambda *_: "no data")
        for band in failing
    ]
    scattered = (f"band {b}: {n}" for b, (_, n) in zip(failing, outlined, strict=True) if n)
    worst = max(shares, key=lambda band: shares[band])
    text, accepted = {b: share_text(s) for b, s in shares.items()}, share_text(rule.max)
    return RuleOutcome(
        checked=pixels * len(bands),
        violations=Violations.build(
            np.full(len(failing), -1),
            [
                f"band {b}: {share_text(shares[b])} without data, more than {accepted}"
                for b in failing
            ],
            [union(regions) for regions, _ in outlined],
            [shares[band] for band in failing],
            "share",
        ),
        passed=not failing,
        value=shares[worst],
        threshold=rule.max,
        message=f"{text[worst]} of {pixels} pixels without data in band {worst}, "
        f"{accepted} accepted",
        notes=(*notes, *scattered),
    )


@window_rule(conclude)
def evaluate(rule: NodataFraction, pixels: BandWindow) -> MarkedPixels:
    """Pixels that count, inside an area when the contract specifies one; those without data."""
    inside = pixels.once("inside", lambda: _inside(rule, pixels))
    size = pixels.valid.size
    count = size if inside is None else int(np.count_nonzero(inside))
    if pixels.valid_count == size:
        return MarkedPixels(count, pixels.marks(None))
    missing = ~pixels.valid
    if inside is not None:
        missing &= inside
    return MarkedPixels(count, pixels.marks(missing))


def _inside(rule: NodataFraction, pixels: BandWindow) -> NDArray[np.bool_] | None:
    area, _ = _area(rule, pixels.raster)
    window = pixels.window
    place = window.row_off, window.col_off, *pixels.valid.shape
    return None if area is None else area.mask(*place)


def _area(
    rule: NodataFraction, raster: RasterUnderCheck
) -> tuple[PixelArea | None, tuple[str, ...]]:
    """The area to consider, and notes; None for the whole raster."""
    within = rule.within
    if within is None:
        return None, ()
    if isinstance(within, tuple):
        box = [shapely.box(*within)]
        return raster.memo("area", lambda: (PixelArea.of(box, raster.profile.transform), ()))
    polygons = cast("VectorReader", raster.others[0])
    return raster.memo("area", lambda: polygon_area(polygons, raster.profile))
