"""same_statistics_as: sums of columns, areas and lengths equal those of another dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import ComparedLayers, RuleOutcome, Violations, comparison_rule
from spatial_pipeline.check.crs.transformation import area_unit, length_unit, transformed
from spatial_pipeline.check.geometry.parts import simple_parts
from spatial_pipeline.check.geometry.rounding import magnitudes, noise
from spatial_pipeline.check.geometry.unjudged import undecodable
from spatial_pipeline.check.join.exact_sum import as_float
from spatial_pipeline.check.join.group_statistics import Groups, group_statistics, merged_groups
from spatial_pipeline.check.join.paired_diff import transformation
from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.contract.rules.delivery_parity import SameStatisticsAs
from spatial_pipeline.errors import RuleError

AREA, LENGTH = "area of polygons", "length of lines"
_SLACK = {AREA: "rounding of areas", LENGTH: "rounding of lengths"}
_DIMENSION = {AREA: 2, LENGTH: 1}
LENGTH_ROUNDINGS = 8
"""Units in the last place of a coordinate by which rounding changes the length of a segment."""


@dataclass(frozen=True)
class Sums:
    """Sums over some features of one side.

    Attributes:
        side: 0 is the dataset under check, 1 the other one.
        count: features.
        unlocated: features whose geometry cannot be decoded or has no finite size.
        groups: column, :data:`AREA` or :data:`LENGTH` → statistics by group.

    """

    side: int
    count: int
    unlocated: int
    groups: dict[str, Groups]


def conclude(rule: SameStatisticsAs, layers: ComparedLayers, parts: Sequence[Sums]) -> RuleOutcome:
    """One violation for each sum of a group that differs, and for each group of one side only."""
    here, there = (_merged([p for p in parts if p.side == side]) for side in (0, 1))
    crs = layers.here.profile.pyproj_crs
    units = {AREA: area_unit(crs), LENGTH: length_unit(crs)}
    reasons: list[str] = []
    measures: list[float] = []
    names = [n for n in here if n not in _SLACK.values()]
    groups = sorted({*here[names[0]], *there[names[0]]}) if names else []
    for group in groups:
        label = f"{group}: " if group else ""
        sides = [side[names[0]].get(group) for side in (here, there)]
        if group and any(s is None for s in sides):
            reasons.append(f"{group}: only {'t' * (sides[0] is None)}here")
            measures.append(np.nan)
            continue
        for name in names:
            one, two = (_total(side[name], group) for side in (here, there))
            gap = as_float(abs(one - two))
            slack = sum(
                as_float(_total(side.get(_SLACK.get(name, ""), {}), group))
                for side in (here, there)
            )
            accepted = max(rule.tolerance, rule.relative_tolerance * abs(as_float(two)), slack)
            if gap > accepted:
                what = name if name in _SLACK else f"sum of {name}"
                unit = f" {units[name]}".rstrip() if name in units else ""
                ours, theirs = (f"{as_float(v):.15g}{unit}" for v in (one, two))
                reasons.append(f"{label}{what} {ours} here, {theirs} there")
                measures.append(gap)
    return RuleOutcome(
        checked=sum(p.count for p in parts if p.side == 0),
        violations=Violations.build(
            np.full(len(reasons), -1), reasons, measure=np.asarray(measures, dtype=np.float64)
        ),
        message="; ".join(reasons[:5])
        or f"{', '.join(names)}: the same in {len(groups)} group{'' if len(groups) == 1 else 's'}",
        notes=tuple(_notes(rule, layers, parts, here, there)),
    )


@comparison_rule(conclude)
def plan(rule: SameStatisticsAs, layers: ComparedLayers) -> Iterable[Callable[[], Sums]]:
    """Sums of every batch of both datasets.

    Raises:
        RuleError: one of them lacks a column, or there is no transformation between their CRSs.

    """
    for data in (layers.here, layers.others[0]):
        lacking = set(rule.columns()) - {c.name for c in data.profile.columns}
        if lacking:
            msg = f"needs column {', '.join(sorted(lacking))} in {data.profile.uri}"
            raise RuleError(msg)
    if _located(rule, layers):
        transformation(layers.here.profile.pyproj_crs, layers.others[0].profile.pyproj_crs)
    for side, data in enumerate((layers.here, layers.others[0])):
        # A dataset without features has sums too, and columns of a type.
        for index in range(data.batch_count()):
            yield partial(_sums, rule, layers, side, index)
        yield partial(_nothing, rule, layers, side)


def _located(rule: SameStatisticsAs, layers: ComparedLayers) -> bool:
    """True when areas and lengths are compared: both sides have geometry."""
    if not rule.geometry:
        return False
    sides = [d.profile for d in (layers.here, layers.others[0])]
    without = [p.uri for p in sides if p.geometry_column is None]
    if without and not rule.columns_:
        msg = f"needs geometry or columns: {', '.join(without)} has no geometry"
        raise RuleError(msg)
    return not without


def _sums(rule: SameStatisticsAs, layers: ComparedLayers, side: int, index: int) -> Sums:
    """The sums of a batch."""
    layers.cancelled()
    data = (layers.here, layers.others[0])[side]
    located = _located(rule, layers)
    known = [c.name for c in data.profile.columns]
    read = tuple(dict.fromkeys((*rule.columns(), *columns_of(rule.where or "", known))))
    batch = data.batch(index, read, geometry=located)
    if rule.where is not None:
        batch = batch.take(mask(batch.table, rule.where))
    table = batch.table
    unlocated = 0
    if located:
        shapes = batch.geometry
        if side:
            here = layers.here.profile.pyproj_crs
            if here is not None:
                shapes, _ = transformed(shapes, batch.crs, here)
        for name, values in _measures(shapes).items():
            table = table.append_column(name, pa.array(values))
        sizes = [table.column(name).to_numpy() for name in _SLACK]
        lost = undecodable(batch, data.profile)
        unlocated = int((lost | ~np.isfinite(np.sum(sizes, axis=0))).sum())
    return Sums(side, len(batch), unlocated, _grouped(rule, table, located=located))


def _nothing(rule: SameStatisticsAs, layers: ComparedLayers, side: int) -> Sums:
    """The sums of no feature."""
    data = (layers.here, layers.others[0])[side]
    located = _located(rule, layers)
    table = data.take(np.empty(0, dtype=np.int64), rule.columns(), geometry=False).table
    empty = pa.array([], pa.float64())
    if located:
        for name in (*_SLACK, *_SLACK.values()):
            table = table.append_column(name, empty)
    return Sums(side, 0, 0, _grouped(rule, table, located=located))


def _grouped(rule: SameStatisticsAs, table: pa.Table, *, located: bool) -> dict[str, Groups]:
    names = (*((*_SLACK, *_SLACK.values()) if located else ()), *rule.columns_)
    return {n: group_statistics(table, rule.group_by, n, numbers=True) for n in names}


def _measures(shapes: NDArray[np.object_]) -> dict[str, NDArray[np.float64]]:
    """(n,) area of the polygons and length of the lines of each geometry, and their rounding."""
    found: dict[str, NDArray[np.float64]] = {}
    for name, dimension in _DIMENSION.items():
        parts = simple_parts(shapes, dimension)
        geometry, count = parts.geometry, len(shapes)
        if dimension == 2:
            size, least = shapely.area(geometry), noise(geometry)
        else:
            size = shapely.length(geometry)
            least = LENGTH_ROUNDINGS * np.spacing(magnitudes(geometry))
            least = least * shapely.get_num_coordinates(geometry)
        found[name] = np.bincount(parts.feature, size, count).astype(np.float64)
        found[_SLACK[name]] = np.bincount(parts.feature, least, count).astype(np.float64)
    return found


def _merged(parts: Sequence[Sums]) -> dict[str, Groups]:
    return {name: merged_groups(p.groups[name] for p in parts) for name in parts[0].groups}


def _total(groups: Groups, group: str) -> int:
    return groups[group].total if group in groups else 0


def _notes(
    rule: SameStatisticsAs,
    layers: ComparedLayers,
    parts: Sequence[Sums],
    here: dict[str, Groups],
    there: dict[str, Groups],
) -> Iterable[str]:
    if _located(rule, layers):
        said = transformation(layers.here.profile.pyproj_crs, layers.others[0].profile.pyproj_crs)
        if said:
            yield said
    elif rule.geometry:
        yield "areas and lengths not compared: one of the two has no geometry"
    for side, words in enumerate(("", " of the other dataset")):
        count = sum(p.unlocated for p in parts if p.side == side)
        if count:
            yield f"{count} geometries{words} without a finite size not judged"
    for name in rule.columns_:
        for groups, words in ((here, ""), (there, " of the other dataset")):
            odd = sum(g.odd for g in groups[name].values())
            if odd:
                yield f"{odd} NaN or infinite in {name}{words} not judged"
