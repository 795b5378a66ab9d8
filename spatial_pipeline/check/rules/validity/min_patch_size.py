"""min_patch_size: connected patches of one value are large enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.check.raster.grid import pixel_area, to_crs
from spatial_pipeline.check.raster.lines import numbers
from spatial_pipeline.check.raster.patches import (
    PatchRuns,
    SmallPatches,
    neighbours,
    patch_runs,
    small_patches,
)
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.check.raster.region_outlines import outlines
from spatial_pipeline.check.raster.regions import RUN_LIMIT, components
from spatial_pipeline.contract.rules.pixels import MinPatchSize

ROUNDING = 1e-9
PIXELS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The transform of columns and rows themselves."""


def conclude(
    rule: MinPatchSize, raster: RasterUnderCheck, bands: Mapping[int, Sequence[PatchRuns]]
) -> RuleOutcome:
    """One violation per patch that is too small, with its outline and its pixels."""
    found: list[Violations] = []
    checked = count = 0
    notes: list[str] = []
    for band, parts in bands.items():
        checked += sum(p.judged for p in parts)
        raster.cancelled()
        small = small_patches(
            parts, _least(rule, raster), _reach(rule), except_at_edge=rule.except_at_border
        )
        count += len(small.size)
        if len(small.row) > RUN_LIMIT:
            notes.append(f"band {band}: too many small patches to outline each")
            found.append(Violations.build([-1], f"band {band}: {len(small.size)} small patches"))
            continue
        reasons = [f"band {band}: patch of {number(v)}" for v in small.value]
        places = _outlined(small, raster)
        found.append(
            Violations.build(np.full(len(small.size), -1), reasons, places, small.size, "px")
        )
    return RuleOutcome(
        checked=checked,
        violations=Violations.concat(found),
        count=count,
        message=f"{count} patches are smaller than {number(_least(rule, raster))} px"
        if count
        else f"no small patch in {checked} pixels",
        notes=(*notes, *(("no pixel was judged",) if not checked else ())),
    )


@window_rule(conclude)
def evaluate(rule: MinPatchSize, pixels: BandWindow) -> PatchRuns:
    """The runs of small patches in this window, and of those that may go on beyond it."""
    judged = numbers(pixels.values, pixels.valid)
    if rule.values is not None:
        judged = judged & np.isin(pixels.values, np.array(rule.values))
    profile, window = pixels.raster.profile, pixels.window
    return patch_runs(
        pixels.values,
        judged,
        (window.row_off, window.col_off),
        (profile.height, profile.width),
        _least(rule, pixels.raster),
        _reach(rule),
    )


def _least(rule: MinPatchSize, raster: RasterUnderCheck) -> float:
    """Pixels that a patch needs."""
    if rule.area is None:
        return float(rule.pixels or 0)
    return rule.area / pixel_area(raster.profile.transform) * (1 - ROUNDING)


def _reach(rule: MinPatchSize) -> int:
    return 1 if rule.connectivity == 8 else 0


def _outlined(small: SmallPatches, raster: RasterUnderCheck) -> NDArray[np.object_]:
    """Outlines of patches; parts that touch at a corner only are parts of a multipolygon."""
    if not len(small.row):
        return np.empty(0, dtype=object)
    a, b = neighbours(small.row, small.start, small.stop, 0)
    same = small.patch[a] == small.patch[b]
    label = components(len(small.row), a[same], b[same])
    _, part = np.unique(label, return_inverse=True)
    # Outlines are of regions that lie apart, patches lie beside each other: each gets own rows.
    shift = raster.profile.height + 2
    order = np.lexsort((small.start, small.row, part))
    rows = (small.row + part * shift)[order]
    shapes = outlines(rows, small.start[order], small.stop[order], part[order], PIXELS)
    points, shape = shapely.get_coordinates(shapes, return_index=True)
    points[:, 1] -= shape * shift
    shapely.set_coordinates(shapes, to_crs(points, raster.profile.transform))
    owner = np.zeros(len(shapes), np.int64)
    owner[part] = small.patch
    order = np.argsort(owner, kind="stable")
    whole = shapely.multipolygons(shapes[order], indices=owner[order])
    single = shapely.get_num_geometries(whole) == 1
    whole[single] = shapely.get_geometry(whole[single], 0)
    return np.asarray(whole, dtype=object)
