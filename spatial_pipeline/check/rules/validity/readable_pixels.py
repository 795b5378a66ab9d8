"""readable_pixels: every block of every band and overview decodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from spatial_pipeline.check.base import WindowCheck, evaluates
from spatial_pipeline.check.raster.reading import raster_profile
from spatial_pipeline.contract.rules.validity import ReadablePixels
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.violations import RuleOutcome, Violations


@evaluates(ReadablePixels)
class ReadablePixelsCheck(WindowCheck[ReadablePixels]):
    """Names the blocks that ingest could not decode and decodes every staged pixel once more."""

    def map(self, window: PixelWindow) -> int:
        """Number of pixels decoded."""
        return window.values.size

    def reduce(self, partials: Sequence[int]) -> RuleOutcome:
        """One violation per broken block; without any readable pixel one for the source itself."""
        profile = raster_profile(self.context)
        blocks = profile.broken_blocks
        reasons = [
            f"band {b.band}, {f'overview {b.overview}, ' if b.overview else ''}"
            f"block row {b.row}, column {b.column}: {b.reason}"
            for b in blocks
        ]
        places = [shapely.box(*b.bounds) for b in blocks]
        decoded, expected = sum(partials), profile.count * profile.height * profile.width
        message = f"{len(blocks)} blocks do not decode" if blocks else f"{decoded} pixels decoded"
        if not reasons and (profile.error is not None or not partials):
            reasons, places = [profile.error or "no pixel was read"], [None]
        elif partials and decoded != expected:
            reasons.append(f"{decoded} of {expected} staged pixels decode")
            places.append(None)
        return RuleOutcome(
            checked=decoded,
            violations=Violations.build(np.full(len(reasons), -1), reasons, places),
            message=message if blocks or not reasons else reasons[0],
        )
