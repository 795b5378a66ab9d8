"""round_trips: a dataset is unchanged after writing it to another format and reading it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, cast

import numpy as np
import pyproj
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    ComparedLayers,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    comparison_rule,
    same_place,
    window_rule,
)
from spatial_pipeline.check.crs.transformation import in_degrees, length_unit
from spatial_pipeline.check.geometry.unjudged import notes
from spatial_pipeline.check.join.attribute_difference import common_type, plain_type
from spatial_pipeline.check.join.geometry_difference import Mode
from spatial_pipeline.check.join.key_join import NOWHERE, Side
from spatial_pipeline.check.join.paired_diff import (
    CHUNK,
    PairedComparison,
    column_types,
    differences,
    transformation,
)
from spatial_pipeline.check.raster.grid import grid_differences
from spatial_pipeline.check.raster.pixel_difference import PixelDifference, conclusion, difference
from spatial_pipeline.check.raster.reading import unread
from spatial_pipeline.contract.rules.parity import RoundTrips
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.crs.comparison import label, same
from spatial_pipeline.model.profile import BandProfile, RasterProfile, VectorProfile
from spatial_pipeline.model.readers import RasterReader, VectorReader

GEOMETRY = "geometry"
LACKS = "nothing was read back from {rule.format}"


@dataclass(frozen=True)
class Structure:
    """Changes of a dataset as a whole.

    Attributes:
        changes: one sentence for each change.
        comparison: the remaining comparison, feature by feature.
        notes: remarks.

    """

    changes: tuple[str, ...]
    comparison: PairedComparison
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ChangedValues:
    """Changed values of some features.

    Attributes:
        checked: features compared.
        violations: one violation for each value that changed.
        counts: number of changed values, by property.
        largest: largest distance of geometries, NaN without one.
        said: number of features for each note.

    """

    checked: int
    violations: Violations
    counts: Counter[str]
    largest: float
    said: Counter[str]


def conclude(
    rule: RoundTrips, layers: ComparedLayers, partials: Sequence[Structure | ChangedValues]
) -> RuleOutcome:
    """Everything that changed."""
    structure = cast("Structure", partials[0])
    pieces = [p for p in partials if isinstance(p, ChangedValues)]
    counts = sum((p.counts for p in pieces), Counter())
    largest = [p.largest for p in pieces if np.isfinite(p.largest)]
    unit = length_unit(structure.comparison.here.profile.pyproj_crs)
    told = list(structure.changes)
    for name in (GEOMETRY, *(f"column {c}" for c, _ in structure.comparison.columns)):
        if not counts[name]:
            continue
        detail = ""
        if name == GEOMETRY and largest and max(largest):
            detail = f" (largest {f'{max(largest):.4g} {unit}'.rstrip()})"
        told.append(f"{name}: {counts[name]} changed{detail}")
    n = sum(p.checked for p in pieces)
    said = notes(sum((p.said for p in pieces), Counter()))
    return RuleOutcome(
        checked=n,
        violations=Violations.concat(
            [
                Violations.build(np.full(len(structure.changes), -1), list(structure.changes)),
                *(p.violations for p in pieces),
            ]
        ),
        message="; ".join(told)
        or f"{rule.format} keeps {n} feature{'' if n == 1 else 's'} unchanged",
        notes=(*structure.notes, *said),
    )


@comparison_rule(conclude, lacks=LACKS, kind="vector")
def plan(rule: RoundTrips, layers: ComparedLayers) -> Iterable[Callable[[], Any]]:
    """Compares the dataset as a whole, then the features in chunks.

    Everything that changed is a violation: the number of features, the CRS, a column that is lost,
    added, renamed or of another type (columns without a namesake are matched by their place), and
    every value. Formats that widen text or binary columns do not change them.

    Raises:
        RuleError: ``ignore`` names something that does not exist.

    """
    structure = _structure(rule, layers)
    i, j = _partners(rule, layers)
    return [
        lambda: structure,
        *(
            partial(_values, structure.comparison, i[s : s + CHUNK], j[s : s + CHUNK])
            for s in range(0, len(i), CHUNK)
        ),
    ]


def _structure(rule: RoundTrips, layers: ComparedLayers) -> Structure:
    data, back = layers.here, layers.others[0]
    here, there = data.profile, back.profile
    ignored = set(rule.ignore)
    names = {c.name for p in (here, there) for c in p.columns}
    unknown = sorted(ignored - names - {here.geometry_column, there.geometry_column})
    if unknown:
        msg = f"ignore names no column: {', '.join(unknown)}"
        raise RuleError(msg)
    changes = []
    if here.count != there.count:
        changes.append(f"count: {here.count} written, {there.count} read back")
    columns, column_changes, unlike = _columns(data, back, ignored)
    mode, note, said = _mode(rule, here, there, changes)
    if here.count != there.count:
        said.append("values not compared: which features are missing cannot be told")
    elif unlike:
        said.append(f"values not compared, their types have nothing in common: {unlike}")
    if ignored:
        said.append(f"accepted without a look: {', '.join(rule.ignore)}")
    comparison = PairedComparison(
        here=data,
        there=back,
        columns=columns,
        mode=mode,
        tolerance=rule.tolerance,
        note=note,
        cancelled=layers.cancelled,
    )
    return Structure((*changes, *column_changes), comparison, tuple(said))


def _mode(
    rule: RoundTrips, here: VectorProfile, there: VectorProfile, changes: list[str]
) -> tuple[Mode | Any, str, list[str]]:
    """The comparison mode of geometries, the note of their transformation, and remarks."""
    if here.geometry_column is None or here.geometry_column in rule.ignore:
        return "ignore", "", []
    if there.geometry_column is None:
        changes.append(f"{GEOMETRY}: lost")
        return "ignore", "", []
    mode: Mode = "tolerance" if rule.tolerance else "exact"
    crs, other = here.pyproj_crs, there.pyproj_crs
    note, said = "", []
    if not same(crs, other):
        changes.append(f"CRS: {_crs(crs)}, read back as {_crs(other)}")
        if crs is not None and other is not None:
            try:
                note = transformation(crs, other)
                said.append(note)
            except RuleError as exc:
                return "ignore", "", [f"geometries not compared: {exc}"]
    if rule.tolerance and in_degrees(crs):
        said.append("the tolerance is in degrees")
    return mode, note, said


def _partners(
    rule: RoundTrips, layers: ComparedLayers
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the features, in the order in which they were written."""
    data, back = layers.here, layers.others[0]
    if data.profile.count != back.profile.count:
        return NOWHERE, NOWHERE
    here = Side.of(data, (), rule.where, layers.cancelled)
    there = Side.of(back, (), None, layers.cancelled)
    i, j = (np.argsort(s.rows(), kind="stable") for s in (here, there))
    i, j = i[here.judged[i]], j[here.judged[i]]
    # In staged order, so that a chunk is read from few row groups.
    order = np.argsort(i, kind="stable")
    return i[order], j[order]


def _columns(
    data: VectorReader, back: VectorReader, ignored: set[str]
) -> tuple[tuple[tuple[str, str], ...], list[str], str]:
    """The columns to compare, changes of columns, and the columns to skip."""
    ours, theirs = (tuple(c.name for c in d.profile.columns) for d in (data, back))
    renamed = _renamed([n for n in ours if n not in theirs], [n for n in theirs if n not in ours])
    types, other_types = column_types(data, ours), column_types(back, theirs)
    pairs, changes, unlike = [], [], []
    for name in ours:
        other = name if name in theirs else renamed.get(name)
        if name in ignored:
            continue
        if other is None:
            changes.append(f"column {name}: lost")
            continue
        if other != name:
            changes.append(f"column {name}: read back as {other}")
        a, b = plain_type(types[name]), plain_type(other_types[other])
        if a != b:
            changes.append(f"column {name}: {types[name]}, read back as {other_types[other]}")
        if common_type(a, b) is not None:
            pairs.append((name, other))
        else:
            unlike.append(name)
    added = [n for n in theirs if n not in ours and n not in renamed.values() and n not in ignored]
    changes += [f"column {n}: added" for n in added]
    return tuple(pairs), changes, ", ".join(unlike)


def _renamed(lost: list[str], added: list[str]) -> dict[str, str]:
    """New names of columns: by position, or by prefix where some are lost or added."""
    if len(lost) == len(added):
        return dict(zip(lost, added, strict=True))
    free, found = list(added), {}
    for name in lost:
        for other in free:
            stem = other.casefold().rstrip("0123456789").rstrip("_")
            if stem and name.casefold().startswith(stem):
                found[name] = other
                free.remove(other)
                break
    return found


def _values(
    comparison: PairedComparison, here: NDArray[np.int64], there: NDArray[np.int64]
) -> ChangedValues:
    """Compares some features."""
    found = differences(comparison, here, there)
    parts, counts = [], Counter[str]()
    unit = length_unit(comparison.here.profile.pyproj_crs)
    moved = np.flatnonzero(found.geometry.differs)
    if len(moved):
        counts[GEOMETRY] = len(moved)
        kinds = [str(k).replace("in the other", "when read back") for k in found.geometry.kind]
        parts.append(
            Violations.build(
                found.rows[moved],
                [f"{GEOMETRY}: {kinds[i]}" for i in moved.tolist()],
                found.drawn[moved],
                measure=found.geometry.distance[moved],
                unit=unit,
            )
        )
    for name, unlike in found.columns.items():
        counts[f"column {name}"] = int(unlike.sum())
        reasons = [f"column {name}: {a}, read back as {b}" for a, b in found.values[name]]
        parts.append(Violations.build(found.rows[unlike], reasons, found.drawn[unlike]))
    distance = found.geometry.distance
    return ChangedValues(
        checked=len(here),
        violations=Violations.concat(parts),
        counts=counts,
        largest=float(np.nanmax(distance)) if np.isfinite(distance).any() else np.nan,
        said=found.said,
    )


def _crs(crs: pyproj.CRS | None) -> str:
    return "none" if crs is None else label(crs)


GRID, COUNT, TAGS, PIXELS = "grid", "count", "tags", "pixels"
BAND = tuple(f.name for f in fields(BandProfile))
PROPERTIES = (GRID, COUNT, *BAND, TAGS, PIXELS)
"""Properties of a raster that may be lost; ``ignore`` takes these names."""

_DEFAULTS = {"AREA_OR_POINT": "Area"}
"""Meaning of an absent tag."""


def conclude_raster(
    rule: RoundTrips,
    raster: RasterUnderCheck,
    bands: Mapping[int, Sequence[PixelDifference | None]],
) -> RuleOutcome:
    """One violation per changed property, and one per region of changed pixels."""
    here, there = raster.profile, _back(rule, raster).profile
    changes = [c for name, c in _changes(here, there) if name not in rule.ignore]
    said = [f"{p.uri}: {n}" for p in (here, there) for n in unread(p)]
    if grid_differences(here, there):
        said.append("pixels not compared: the grids differ")
    if rule.ignore:
        said.append(f"accepted without a look: {', '.join(rule.ignore)}")
    parts = [d for windows in bands.values() for d in windows if d is not None]
    pixels = RuleOutcome(checked=0, notes=tuple(said))
    if parts:
        dtype = here.bands[0].data_type
        pixels = conclusion(raster.regions, parts, dtype, rule.tolerance, tuple(said))
    changed = sum(p.marks.count for p in parts)
    told = [*changes, *([pixels.message] if changed else [])]
    return RuleOutcome(
        checked=pixels.checked,
        violations=Violations.concat(
            [Violations.build(np.full(len(changes), -1), changes), pixels.violations]
        ),
        count=len(changes) + changed,
        message="; ".join(told)
        or f"{rule.format} keeps {pixels.checked} pixels and their metadata",
        notes=pixels.notes,
    )


@window_rule(conclude_raster, kind="raster", notes_unread=False)
def evaluate(rule: RoundTrips, pixels: BandWindow) -> PixelDifference | None:
    """Differences of a band from the one read back, None when its pixels are not compared.

    The CRS and grid, the number of bands, type, nodata, description, colour interpretation, scale,
    offset and unit of each band, the tags and every pixel are compared; ``tolerance`` is the
    accepted difference of a pixel, ``ignore`` takes the names of the other properties.
    """
    raster, window = pixels.raster, pixels.window
    back = _back(rule, raster)
    if (
        PIXELS in rule.ignore
        or pixels.band > back.profile.count
        or grid_differences(raster.profile, back.profile)
    ):
        return None
    raster.cancelled()
    values, valid = pixels.once("back", lambda: same_place(window, back))
    there = values[pixels.band - 1], valid[pixels.band - 1]
    return difference(raster.regions, window, pixels.band, *there, rule.tolerance)


def _back(rule: RoundTrips, raster: RasterUnderCheck) -> RasterReader:
    """The raster that was read back.

    Raises:
        RuleError: there is none, or ``ignore`` names no property.

    """
    unknown = sorted(set(rule.ignore) - set(PROPERTIES))
    if unknown:
        msg = f"ignore: {', '.join(unknown)} is not one of {', '.join(PROPERTIES)}"
        raise RuleError(msg)
    if not raster.rasters:
        raise RuleError(LACKS.format(rule=rule))
    return raster.rasters[0]


def _changes(here: RasterProfile, there: RasterProfile) -> Iterator[tuple[str, str]]:
    """The properties that changed, and how."""
    for told in grid_differences(here, there):
        yield GRID, f"{GRID}: read back as {told}"
    if here.count != there.count:
        yield COUNT, f"{here.count} bands written, {there.count} read back"
    for number, (a, b) in enumerate(zip(here.bands, there.bands, strict=False), 1):
        for name in BAND:
            one, two = getattr(a, name), getattr(b, name)
            if one != two:
                yield name, f"band {number}: {name} {_told(one)}, read back as {_told(two)}"
    for tag in sorted(here.tags):
        one, two = here.tags[tag], there.tags.get(tag, _DEFAULTS.get(tag))
        if one != two:
            yield TAGS, f"tag {tag}: {_told(one)}, read back as {_told(two)}"


def _told(value: object) -> str:
    return "none" if value is None else str(value)
