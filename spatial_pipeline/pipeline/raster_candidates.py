"""Rules about a raster that a profile tries, from its metadata and one pass over its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.model.readers import RasterReader
from spatial_pipeline.pipeline.geometry_summary import NumberRange
from spatial_pipeline.pipeline.rule_candidates import FILE, PIXELS, RuleCandidate, rounded_up

FEW_VALUES = 32
"""Distinct whole numbers up to which the pixels of a band may be codes."""
TAGS = ("AREA_OR_POINT",)
"""Tags that say something about the data, not about when and with what the file was written."""
SURFACES = frozenset({"int16", "uint16", "int32", "float32", "float64"})
"""Types of the only band of a raster that may be a surface."""


@dataclass
class BandSummary:
    """Summary of the valid pixels of a band.

    Attributes:
        span: smallest and largest finite value.
        values: distinct whole numbers; None for others, and for too many.
        valid: number of valid pixels.
        step: largest difference of two neighbours in a row or column.

    """

    span: NumberRange = field(default_factory=NumberRange)
    values: set[int] | None = field(default_factory=set)
    valid: int = 0
    step: float = 0.0

    def add(self, values: Any, valid: Any) -> None:
        """Takes the pixels of a window."""
        some = values[valid]
        self.valid += some.size
        if not some.size or some.dtype.kind == "c":
            return
        self.span.add(some)
        if some.dtype.kind not in "iub":
            self.values = None
        elif self.values is not None:
            self.values |= set(np.unique(some).tolist())
            if len(self.values) > FEW_VALUES:
                self.values = None
        for axis in (0, 1):
            cut = [slice(None), slice(None)], [slice(None), slice(None)]
            cut[0][axis], cut[1][axis] = slice(1, None), slice(None, -1)
            both = valid[tuple(cut[0])] & valid[tuple(cut[1])]
            with np.errstate(all="ignore"):
                steps = np.abs(np.diff(values.astype(np.float64), axis=axis))[both]
            steps = steps[np.isfinite(steps)]
            self.step = max(self.step, float(steps.max(initial=0.0)))


def band_summaries(data: RasterReader, going: Callable[[], None]) -> list[BandSummary]:
    """A summary of each band, window by window."""
    bands = [BandSummary() for _ in data.profile.bands]
    for window in data.windows():
        going()
        pixels = data.read(*window)
        for band, summary in enumerate(bands):
            summary.add(pixels.values[band], pixels.valid[band])
    return bands


def of_profile(profile: RasterProfile) -> Iterator[RuleCandidate]:
    """Grid, bands, types, nodata and tags."""
    types = list(dict.fromkeys(b.data_type for b in profile.bands))
    yield RuleCandidate.of(FILE, "band_count", {"equals": profile.count})
    yield RuleCandidate.of(FILE, "data_type", {"equals": types[0]}, {"any_of": types})
    nodata = profile.bands[0].nodata
    value = float(nodata) if isinstance(nodata, str) else nodata
    yield RuleCandidate.of(FILE, "nodata", {"equals": value})
    a, b, c, d, e, f = profile.transform
    yield RuleCandidate.of(FILE, "not_rotated")
    if not b and not d and a and e:
        yield RuleCandidate.of(FILE, "resolution", {"equals": [abs(a), abs(e)]})
        origin = (c % abs(a), f % abs(e))
        grid = {"origin": [0.0, 0.0], "resolution": [abs(a), abs(e)]}
        own = {"origin": [origin[0], origin[1]], "resolution": [abs(a), abs(e)]}
        yield RuleCandidate.of(FILE, "grid_alignment", grid, own)
    yield RuleCandidate.of(FILE, "size", {"equals": [profile.width, profile.height]})
    yield RuleCandidate.of(FILE, "compression", {"equals": (profile.compression or "NONE").upper()})
    names = [band.description or "" for band in profile.bands]
    if any(names):
        yield RuleCandidate.of(FILE, "band_names", {"equals": names})
    colors = [band.color_interpretation for band in profile.bands]
    yield RuleCandidate.of(FILE, "color_interpretation", {"equals": colors})
    scaled = {
        "scale": float(profile.bands[0].scale), "offset": float(profile.bands[0].offset),
    }  # fmt: skip
    if all(map(math.isfinite, scaled.values())):
        unit = profile.bands[0].unit
        yield RuleCandidate.of(
            FILE, "scale_offset", scaled | ({} if unit is None else {"unit": unit})
        )
    tags = {name: profile.tags[name] for name in TAGS if name in profile.tags}
    if tags:
        yield RuleCandidate.of(FILE, "raster_metadata", {"tags": tags})
    yield RuleCandidate.of(FILE, "cloud_optimized", {"strict": True}, {})


def of_pixels(profile: RasterProfile, bands: list[BandSummary]) -> Iterator[RuleCandidate]:
    """Values, nodata and patterns of the pixels."""
    yield RuleCandidate.of(PIXELS, "readable_pixels")
    if not any(band.valid for band in bands):
        return
    yield RuleCandidate.of(PIXELS, "no_nan")
    yield RuleCandidate.of(PIXELS, "not_constant")
    yield RuleCandidate.of(PIXELS, "no_stripes", {"direction": "rows"}, label="rows")
    yield RuleCandidate.of(PIXELS, "no_stripes", {"direction": "columns"}, label="columns")
    yield RuleCandidate.of(PIXELS, "no_voids", {}, {"ignore_edge": True})
    size = profile.width * profile.height
    missing = max(1 - band.valid / size for band in bands)
    yield RuleCandidate.of(PIXELS, "nodata_fraction", {"max": min(rounded_up(missing), 1.0)})
    if profile.overviews:
        yield RuleCandidate.of(PIXELS, "overviews_match", {}, {"resampling": "average"})
    single = len(bands) == 1
    for number, band in enumerate(bands, 1):
        where = {} if single else {"band": number}
        label = f"band_{number}"
        if band.span.found:
            ends = {"min": band.span.least, "max": band.span.most}
            yield RuleCandidate.of(PIXELS, "pixel_range", {**where, **ends}, label=label)
        if band.values:
            about = {**where, "values": sorted(band.values)}
            yield RuleCandidate.of(PIXELS, "pixel_values", about, label=label)
            patches = ({**where, "pixels": n} for n in (25, 9, 4, 2))
            yield RuleCandidate.of(PIXELS, "min_patch_size", *patches, label=label)
    if (
        single
        and profile.bands[0].data_type in SURFACES
        and bands[0].step > 0
        and (bands[0].values is None)
    ):
        scale = profile.bands[0].scale
        step = bands[0].step * abs(float(scale))
        yield RuleCandidate.of(PIXELS, "no_spikes_in_surface", {"max_step": rounded_up(step)})


__all__ = ["BandSummary", "band_summaries", "of_pixels", "of_profile"]
