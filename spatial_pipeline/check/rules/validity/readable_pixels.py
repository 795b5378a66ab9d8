"""readable_pixels: every block of every band and overview decodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely

from spatial_pipeline.check.api import (
    BandWindow,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.contract.rules.validity import ReadablePixels


def conclude(
    rule: ReadablePixels,
    raster: RasterUnderCheck,
    bands: Mapping[int, Sequence[int]],
) -> RuleOutcome:
    """One violation per broken block; without any readable pixel one for the source itself."""
    profile, pixels = raster.profile, [n for found in bands.values() for n in found]
    blocks = profile.broken_blocks
    reasons = [
        f"band {b.band}, {f'overview {b.overview}, ' if b.overview else ''}"
        f"block row {b.row}, column {b.column}: {b.reason}"
        for b in blocks
    ]
    places = [shapely.box(*b.bounds) for b in blocks]
    decoded, expected = sum(pixels), profile.count * profile.height * profile.width
    message = f"{len(blocks)} blocks do not decode" if blocks else f"{decoded} pixels decoded"
    if not reasons and (profile.error is not None or not pixels):
        reasons, places = [profile.error or "no pixel was read"], [None]
    elif pixels and decoded != expected:
        reasons.append(f"{decoded} of {expected} staged pixels decode")
        places.append(None)
    return RuleOutcome(
        checked=decoded,
        violations=Violations.build(np.full(len(reasons), -1), reasons, places),
        message=message if blocks or not reasons else reasons[0],
    )


@window_rule(conclude, unreadable=True)
def evaluate(rule: ReadablePixels, pixels: BandWindow) -> int:
    """Number of pixels that decode once more, as staged."""
    return pixels.values.size
