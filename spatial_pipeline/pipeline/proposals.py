"""Proposals for the repair of what rules found: features as they could be, never applied.

Only the features that violations name are read, some at a time. Each proposal says what it does;
the layer adds area and vertices before and after, so that a person sees what would change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.feature_keys import keyed
from spatial_pipeline.check.geometry import repair
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.rules.topology import MustNotHaveDangles, MustNotHaveGaps
from spatial_pipeline.contract.rules.validity import NoDuplicateGeometries, ValidGeometry
from spatial_pipeline.contract.rules.vertices import NoRepeatedPoints, NoSpikes, RingOrientation
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.version import Version
from spatial_pipeline.model.violation_runs import AnyViolations, parts_of
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.proposals import export, to_table

AT_ONCE = 4096
"""Violations whose features are read at once."""
NEAR = 1.01
"""Ends are extended to lines within this much more than their undershoot."""
Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class Proposals:
    """Proposed features, all arrays of length n.

    Attributes:
        rows: (n,) int64 source rows.
        action: (n,) what is proposed, in words.
        before: (n,) geometries as they are.
        after: (n,) geometries as proposed; None to remove the feature.

    """

    rows: NDArray[np.int64]
    action: NDArray[np.object_]
    before: Shapes
    after: Shapes

    def __len__(self) -> int:
        return len(self.rows)


def proposals(
    rule: Rule, result: Result, violations: AnyViolations, data: VectorReader
) -> Iterator[Proposals]:
    """Proposals for the violations of one rule, some at a time; none for rules without repair.

    Args:
        rule: the rule.
        result: its result.
        violations: its violations.
        data: the version that was checked.

    """
    make = MAKERS.get(type(rule))
    if make is None or not result.violations:
        return
    for part in parts_of(violations):
        for start in range(0, len(part), AT_ONCE):
            some = make(rule, part.take(slice(start, start + AT_ONCE)), data)
            if len(some):
                yield some


def export_proposals(
    pipeline: Pipeline, contracts: Sequence[Contract], checked: Sequence[Checked], path: Path
) -> list[Path]:
    """Writes proposals for everything that a check found; see ``report.proposals.export``.

    Args:
        pipeline: the project.
        contracts: one for each of ``checked``.
        checked: results of the check.
        path: ``.gpkg``, ``.parquet`` or ``.geoparquet``.

    Raises:
        OSError: a file cannot be written.
        SpatialPipelineError: a version cannot be read.

    """
    tables = []
    for contract, one in zip(contracts, checked, strict=True):
        if one.version is None or not isinstance(one.profile, VectorProfile):
            continue
        version = Version(one.dataset, one.partition, one.version)
        data = cast("VectorReader", pipeline.store.open(version))
        rules = {r.check_name: r for r in contract.effective_rules}
        for result, violations in one.evaluations:
            rule = rules.get(result.name)
            if rule is None:
                continue
            for some in proposals(rule, result, violations, data):
                keys = _keys(some.rows, data, contract.key_columns)
                arrays = (some.action, some.rows, keys, some.before, some.after)
                tables.append((to_table(one.title, result, *arrays), one.profile.pyproj_crs))
    return export(tables, path)


def _keys(rows: NDArray[np.int64], data: VectorReader, key: Sequence[str]) -> list[Any]:
    """(n,) key of each feature, or its row."""
    named = keyed(Violations.build(rows, ""), data, tuple(key)).keys
    return [] if named is None else [k[0] for k in named]


def _features(rows: NDArray[np.int64], data: VectorReader) -> Shapes:
    """(n,) geometries of source rows."""
    batch = data.take(data.rows_to_positions(rows), ())
    return batch.geometry


def _each(kernel: Callable[[Any, Shapes], Shapes], action: str) -> Any:
    """Proposals of a kernel for every feature that is named, where it changes something."""

    def make(rule: Any, violations: Violations, data: VectorReader) -> Proposals:
        rows = np.unique(violations.rows[:, 0])
        rows = rows[rows >= 0]
        before = _features(rows, data)
        after = kernel(rule, before)
        changed = ~shapely.is_missing(before) & ~shapely.equals_identical(before, after)
        kept = np.flatnonzero(changed)
        return Proposals(rows[kept], _words(action, len(kept)), before[kept], after[kept])

    return make


def _duplicates(_rule: Any, violations: Violations, data: VectorReader) -> Proposals:
    """The later one of two equal features goes."""
    rows = np.unique(violations.rows[:, 1])
    before = _features(rows, data)
    gone = np.full(len(rows), None, dtype=object)
    return Proposals(rows, _words("remove the duplicate", len(rows)), before, gone)


def _gaps(_rule: Any, violations: Violations, data: VectorReader) -> Proposals:
    """Each gap goes to the neighbour with the longest border; one proposal a neighbour."""
    gap, column = np.nonzero(violations.rows >= 0)
    rows = violations.rows[gap, column]
    neighbours = _features(rows, data)
    best = repair.longest_border(violations.geometry, neighbours, gap)
    filled = np.flatnonzero(best >= 0)
    taker = rows[best[filled]]
    order = np.argsort(taker, kind="stable")
    unique, group = np.unique(taker[order], return_inverse=True)
    before = _features(unique, data)
    # Gaps that one feature takes are disjoint, so they are the parts of one multipolygon.
    pieces, piece = shapely.get_parts(violations.geometry[filled][order], return_index=True)
    gaps = shapely.multipolygons(pieces, indices=group[piece])
    after = shapely.union(before, gaps)
    return Proposals(unique, _words("take the gap", len(unique)), before, after)


def _dangles(_rule: Any, violations: Violations, data: VectorReader) -> Proposals:
    """Undershoots are extended to the line that they miss, overshoots trimmed."""
    known = np.flatnonzero(~np.isnan(violations.measure) & (violations.rows[:, 0] >= 0))
    found = violations.take(known)
    rows, which = np.unique(found.rows[:, 0], return_inverse=True)
    before = _features(rows, data)
    parts, owner = shapely.get_parts(before, return_index=True)
    short = np.array([r == "undershoot" for r in found.reasons], dtype=bool)
    to = np.full(len(found), None, dtype=object)
    if short.any():
        to[short] = _targets(found.take(short), data)
    part = np.searchsorted(owner, which) + np.maximum(found.part, 0)
    usable = np.flatnonzero(~(short & shapely.is_missing(to)))
    # A line may have both ends moved: starts first, then the others.
    starts = found.vertex == 0
    for side in (True, False):
        chosen = usable[starts[usable] == side]
        if len(chosen):
            parts[part[chosen]] = repair.with_ends_moved(
                parts[part[chosen]], starts[chosen], to[chosen], found.measure[chosen]
            )
    multi = shapely.get_type_id(before) == 5
    joined = shapely.multilinestrings(parts, indices=owner)
    single = parts[np.searchsorted(owner, np.arange(len(rows)))]
    after = np.where(multi, joined, single)
    changed = np.flatnonzero(~shapely.equals_identical(before, after))
    words = np.array(["extend", "trim"], dtype=object)
    verbs = [
        " and ".join(words[sorted(set((~short[which == i]).astype(int).tolist()))])
        for i in changed.tolist()
    ]
    action = np.array([f"{v} the free end" for v in verbs], dtype=object)
    return Proposals(rows[changed], action.reshape(-1), before[changed], after[changed])


def _targets(ends: Violations, data: VectorReader) -> Shapes:
    """(n,) nearest points on other lines; None where there is none within the undershoot."""
    places = shapely.get_coordinates(ends.geometry)
    reach = ends.measure * NEAR
    boxes = shapely.box(
        places[:, 0] - reach, places[:, 1] - reach, places[:, 0] + reach, places[:, 1] + reach
    )
    bounds = data.feature_bounds()
    finite = np.flatnonzero(np.isfinite(bounds).all(axis=1))
    tree = shapely.STRtree(shapely.box(*bounds[finite].T))
    end, found = tree.query(boxes)
    batch = data.take(finite[found], ())
    other = batch.rows != ends.rows[end, 0]
    end, lines = end[other], batch.geometry[other]
    shortest = shapely.shortest_line(ends.geometry[end], lines)
    length = shapely.length(shortest)
    order = np.lexsort((length, end))
    first = np.append(True, np.diff(end[order]) != 0)[: len(order)]
    chosen = order[first]
    chosen = chosen[length[chosen] <= reach[end[chosen]]]
    out = np.full(len(ends), None, dtype=object)
    out[end[chosen]] = shapely.get_point(shortest[chosen], 1)
    return out


def _words(action: str, count: int) -> NDArray[np.object_]:
    return np.full(count, action, dtype=object)


def _points(rule: NoRepeatedPoints, before: Shapes) -> Shapes:
    return repair.without_repeated_points(before, rule.within)


def _spikes(rule: NoSpikes, before: Shapes) -> Shapes:
    return repair.without_spikes(before, rule.min_angle)


def _valid(_rule: ValidGeometry, before: Shapes) -> Shapes:
    return repair.made_valid(before)


def _turned(rule: RingOrientation, before: Shapes) -> Shapes:
    return repair.oriented(before, clockwise=rule.exterior == "cw")


MAKERS: dict[type[Rule], Callable[[Any, Violations, VectorReader], Proposals]] = {
    NoRepeatedPoints: _each(_points, "remove repeated points"),
    NoSpikes: _each(_spikes, "remove spikes"),
    ValidGeometry: _each(_valid, "make valid"),
    RingOrientation: _each(_turned, "turn the rings"),
    NoDuplicateGeometries: _duplicates,
    MustNotHaveGaps: _gaps,
    MustNotHaveDangles: _dangles,
}
"""Rules with a repair → how it is made."""


__all__ = ["MAKERS", "Proposals", "export_proposals", "proposals"]
