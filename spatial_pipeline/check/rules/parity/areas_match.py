"""areas_match: each class covers the area that it covers in another dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

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
from spatial_pipeline.check.crs.transformation import area_unit
from spatial_pipeline.check.raster.area import placed_polygons
from spatial_pipeline.check.raster.column_numbers import column_numbers
from spatial_pipeline.check.raster.grid import pixel_area, same_crs
from spatial_pipeline.check.raster.reading import chosen_bands, number
from spatial_pipeline.contract.rules.raster_parity import AreasMatch
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import RasterReader, VectorReader

MAX_CLASSES = 10_000
ROUNDING = 1e-9


def conclude(
    rule: AreasMatch, raster: RasterUnderCheck, bands: Mapping[int, Sequence[Counter[float]]]
) -> RuleOutcome:
    """One violation for each class, and for all together, whose areas differ."""
    (parts,) = bands.values()
    pixels = _summed(parts)
    one = pixel_area(raster.profile.transform)
    here = {value: count * one for value, count in pixels.items()}
    there, notes = _vector(rule, raster) if rule.column is not None else _raster(rule, raster)
    unit = area_unit(raster.profile.pyproj_crs)
    named = [(f"class {number(v)}", here.get(v, 0.0), there.get(v, 0.0))
             for v in sorted(here.keys() | there.keys())]  # fmt: skip
    named.append(("all classes", sum(here.values()), sum(there.values())))
    found: list[tuple[str, float]] = []
    for name, ours, theirs in named:
        accepted = max(rule.tolerance, rule.relative_tolerance * theirs)
        gap = abs(ours - theirs)
        if gap > accepted + ROUNDING * max(ours, theirs):
            told = f"{name}: {number(ours)} {unit} here, {number(theirs)} {unit} there"
            found.append((told, gap))
    return RuleOutcome(
        checked=len(named),
        violations=Violations.build(
            np.full(len(found), -1), [r for r, _ in found], None, [g for _, g in found], unit
        ),
        message="; ".join(r for r, _ in found[:5])
        or f"{len(named) - 1} classes cover the same areas",
        notes=notes,
    )


@window_rule(conclude)
def evaluate(rule: AreasMatch, pixels: BandWindow) -> Counter[float]:
    """Number of valid pixels of each class."""
    return _counted(pixels.values, pixels.valid)


def _counted(values: NDArray[Any], valid: NDArray[np.bool_]) -> Counter[float]:
    kept = values[valid]
    if kept.dtype.kind == "c":
        msg = "needs classes: complex pixels have none"
        raise RuleError(msg)
    found, counts = np.unique(kept[~np.isnan(kept)] if kept.dtype.kind == "f" else kept,
                              return_counts=True)  # fmt: skip
    _few(len(found))
    return Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _summed(parts: Sequence[Counter[float]]) -> Counter[float]:
    total: Counter[float] = Counter()
    for part in parts:
        total.update(part)
        _few(len(total))
    return total


def _few(count: int) -> None:
    if count > MAX_CLASSES:
        msg = f"needs classes: the raster has more than {MAX_CLASSES} different values"
        raise RuleError(msg)


def _vector(
    rule: AreasMatch, raster: RasterUnderCheck
) -> tuple[dict[float, float], tuple[str, ...]]:
    data = cast("VectorReader", raster.others[0])
    placed = placed_polygons(data, raster.profile)
    classes = column_numbers(data, str(rule.column))[placed.owner]
    some = ~np.isnan(classes)
    values, place = np.unique(classes[some], return_inverse=True)
    areas = np.bincount(place, shapely.area(placed.polygons[some]), len(values))
    left = int(np.count_nonzero(~some))
    note = (f"{left} polygons without a class were left out",) if left else ()
    return dict(zip(values.tolist(), areas.tolist(), strict=True)), (*placed.notes, *note)


def _raster(
    rule: AreasMatch, raster: RasterUnderCheck
) -> tuple[dict[float, float], tuple[str, ...]]:
    data = cast("RasterReader", raster.others[0])
    if data.profile.error is not None or not same_crs(raster.profile, data.profile):
        msg = f"needs a readable raster in the same CRS: {data.profile.uri}"
        raise RuleError(msg)
    (band,) = chosen_bands(rule.band, data.profile)
    parts: list[Counter[float]] = []
    for place in data.windows():
        raster.cancelled()
        window = data.read(*place)
        parts.append(_counted(window.values[band - 1], window.valid[band - 1]))
    one = pixel_area(data.profile.transform)
    return {value: count * one for value, count in _summed(parts).items()}, ()
