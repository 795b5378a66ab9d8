"""nodata_fraction: the share of nodata pixels is bounded."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import shapely

from spatial_pipeline.check.base import Context, WindowCheck, evaluates
from spatial_pipeline.check.raster.area import PixelArea, polygon_area
from spatial_pipeline.check.raster.reading import (
    chosen_bands,
    needs_pixels,
    raster_profile,
    share_text,
    unread,
)
from spatial_pipeline.check.raster.regions import MarkedPixels, Marks, RegionFinder, union
from spatial_pipeline.contract.rules.validity import NodataFraction
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations


@evaluates(NodataFraction)
class NodataFractionCheck(WindowCheck[NodataFraction]):
    """Counts pixels without data, inside an area when the contract specifies one."""

    def __init__(self, rule: NodataFraction, context: Context) -> None:
        super().__init__(rule, context)
        self._finder = RegionFinder(raster_profile(context))
        self._lock = threading.Lock()
        self._known: tuple[PixelArea, tuple[str, ...]] | None = None

    def map(self, window: PixelWindow) -> list[MarkedPixels]:
        """Pixels that count and pixels without data of each band, in this window."""
        _, height, width = window.values.shape
        area, _ = self._area()
        inside = None if area is None else area.mask(window.row_off, window.col_off, height, width)
        pixels = height * width if inside is None else int(np.count_nonzero(inside))
        found: list[MarkedPixels] = []
        for band in chosen_bands(self.rule.band, raster_profile(self.context)):
            if window.valid_counts[band - 1] == height * width:
                found.append(MarkedPixels(pixels, Marks(band, 0)))
                continue
            missing = ~window.valid[band - 1]
            if inside is not None:
                missing &= inside
            found.append(MarkedPixels(pixels, self._finder.mark(window, band, missing)))
        return found

    def reduce(self, partials: Sequence[list[MarkedPixels]]) -> RuleOutcome:
        """The worst band decides; one violation per failing band, with the places without data."""
        needs_pixels(partials)
        _, notes = self._area()
        bands = chosen_bands(self.rule.band, raster_profile(self.context))
        by_band = [[window[i] for window in partials] for i in range(len(bands))]
        pixels = sum(m.pixels for m in by_band[0])
        if not pixels:
            msg = "needs pixels to count: no pixel centre lies within the area"
            raise RuleError(msg)
        shares = [sum(m.marks.count for m in band) / pixels for band in by_band]
        failing = [i for i, share in enumerate(shares) if share > self.rule.max]
        places: list[Any] = []
        for i in failing:
            regions, note = self._finder.violations(
                [m.marks for m in by_band[i]], lambda *_: "no data"
            )
            places.append(union(regions))
            notes = (*notes, *((f"band {bands[i]}: {note}",) if note else ()))
        worst = max(range(len(bands)), key=lambda i: shares[i])
        return RuleOutcome(
            checked=pixels * len(bands),
            violations=Violations.build(
                np.full(len(failing), -1),
                [
                    f"band {bands[i]}: {share_text(shares[i])} without data, "
                    f"more than {share_text(self.rule.max)}"
                    for i in failing
                ],
                places,
                [shares[i] for i in failing],
                "share",
            ),
            passed=not failing,
            value=shares[worst],
            threshold=self.rule.max,
            message=f"{share_text(shares[worst])} of {pixels} pixels without data in band "
            f"{bands[worst]}, {share_text(self.rule.max)} accepted",
            notes=(*notes, *unread(raster_profile(self.context))),
        )

    def _area(self) -> tuple[PixelArea | None, tuple[str, ...]]:
        """The area to consider, created once for all threads; None for the whole raster."""
        within = self.rule.within
        if within is None:
            return None, ()
        with self._lock:
            if self._known is None:
                profile = raster_profile(self.context)
                if isinstance(within, tuple):
                    self._known = PixelArea.of([shapely.box(*within)], profile.transform), ()
                else:
                    polygons = cast("VectorReader", self.context.others[0])
                    self._known = polygon_area(polygons, profile)
            return self._known
