"""must_be_covered_by: every feature lies in the union of another dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import TileComparisonCheck, evaluates
from spatial_pipeline.check.coverage.difference_with_union import COVERS, uncovered
from spatial_pipeline.check.coverage.inscribed_circles import in_circles
from spatial_pipeline.check.coverage.measure_summary import (
    NOTHING,
    MeasureSummary,
    common_unit,
    joined,
    summary,
)
from spatial_pipeline.check.coverage.winding_grid import in_union
from spatial_pipeline.check.crs.transformation import area_unit, in_degrees, length_unit
from spatial_pipeline.check.geometry.eligible import LINE, POINT, POLYGON, Excluded, judged, notes
from spatial_pipeline.check.geometry.fast_facts import plain
from spatial_pipeline.check.incremental.feature_cache import PLAIN, UNKNOWN, Facts, Remembering
from spatial_pipeline.contract.rules.topology import MustBeCoveredBy
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import RuleOutcome, Violations

UNCOVERED = "uncovered"


@dataclass(frozen=True)
class Uncovered:
    """Partial result of one tile.

    Attributes:
        checked: features checked.
        violations: uncovered parts of polygons, of lines, and points.
        left_out: features to mention in a note.
        other_left_out: features of the other dataset around them that cover nothing.
        told: summaries of violations of each kind that are in files.

    """

    checked: int
    violations: tuple[Violations, Violations, Violations]
    left_out: Excluded
    other_left_out: Excluded
    told: tuple[MeasureSummary, MeasureSummary, MeasureSummary] = (NOTHING, NOTHING, NOTHING)


@evaluates(MustBeCoveredBy)
class MustBeCoveredByCheck(TileComparisonCheck[MustBeCoveredBy], Remembering):
    """One violation per feature: the part of it outside the union of the other dataset.

    Polygons are covered by polygons, lines by polygons and lines, points by anything. A boundary
    digitised otherwise leaves slivers: they are violations unless the tolerance accepts them; a
    part is compared with it, not the sum of the parts. Invalid features of either side are excluded
    and noted.
    """

    needs_geometry: ClassVar[bool] = False

    def map(self, batch: FeatureBatch, other: FeatureBatch) -> Uncovered:
        """The violations among the features that this tile owns."""
        dimensions = (POLYGON, LINE, POINT)
        covers, other_left_out = judged(other, self.context.others[0].profile, dimensions)
        known = plain(batch)
        within = surely_within(known.bounds, covers[0].geometry)
        left = np.flatnonzero(~(within & known.sure))
        rest = batch if len(left) == len(batch) else batch.take(left)
        layers, left_out = judged(rest, self.context.data.profile, dimensions)
        units = {POLYGON: area_unit(batch.crs), LINE: length_unit(batch.crs), POINT: ""}
        seen, violations = within & known.sure, []
        for dimension, layer in zip(dimensions, layers, strict=True):
            index = left[layer.index]
            seen[index] = True
            open_ = ~within[index]
            if not open_.any():
                violations.append(Violations.none())
                continue
            parts, measure = uncovered(
                layer.geometry[open_],
                [
                    c.geometry
                    for d, c in zip(dimensions, covers, strict=True)
                    if d in COVERS[dimension]
                ],
                dimension,
                self.rule.tolerance,
                self.context.cancelled,
            )
            found = ~shapely.is_missing(parts)
            violations.append(
                Violations.build(
                    batch.rows[index[open_][found]],
                    UNCOVERED,
                    shapely.force_2d(parts[found]),
                    measure[found],
                    units[dimension],
                )
            )
        areas, lines, points = violations
        return Uncovered(int(seen.sum()), (areas, lines, points), left_out, other_left_out)

    def depends(self) -> tuple[str, ...] | None:
        """No other inputs; the note on the transformation is about all features together."""
        here, there = self.context.data.profile.crs, self.context.others[0].profile.crs
        return () if here == there else None

    def facts(self, batch: FeatureBatch, partial: Uncovered) -> Facts:
        """Classes of the features: covered, by others with nothing to report either."""
        classes = np.full(len(batch), PLAIN, dtype=np.uint8)
        told = [partial.left_out.rows, *(f.rows[:, 0] for f in partial.violations)]
        classes[np.isin(batch.rows, np.concatenate(told))] = UNKNOWN
        return Facts(classes if not len(partial.other_left_out.rows) else np.zeros_like(classes))

    def recalled(
        self, partial: Uncovered, _positions: NDArray[np.int64], facts: Facts
    ) -> Uncovered:
        """The features were covered."""
        return replace(partial, checked=partial.checked + len(facts))

    def violations_of(self, partial: Uncovered) -> Violations:
        """The violations of all kinds."""
        return joined(*partial.violations)

    def without_violations(self, partial: Uncovered) -> Uncovered:
        """The partial result without its violations, and their summary."""
        none = Violations.none()
        return replace(partial, violations=(none, none, none), told=_told(partial))

    def reduce(self, partials: Sequence[Uncovered]) -> RuleOutcome:
        """All violations; ``max_violations`` decides."""
        areas, lines, points = (
            MeasureSummary.sum(p[i] for p in map(_told, partials)) for i in range(3)
        )
        violations = Violations.concat(
            f for i in range(3) for f in (p.violations[i] for p in partials)
        )
        said = [
            *notes(self.context, Excluded.concat(p.left_out for p in partials)),
            *notes(
                self.context,
                Excluded.concat(p.other_left_out for p in partials),
                " of the other dataset",
            ),
        ]
        crs = getattr(self.context.data.profile, "pyproj_crs", None)
        if self.rule.tolerance and in_degrees(crs):
            said.append("the tolerance is in square degrees (lines: degrees)")
        parts = (
            summary(areas, "uncovered polygon"),
            summary(lines, "uncovered line", "longest"),
            summary(points, "uncovered point"),
        )
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            violations=replace(violations, unit=common_unit(areas, lines) or violations.unit),
            message=", ".join(filter(None, parts)),
            notes=tuple(said),
        )


def surely_within(bounds: NDArray[np.float64], covers: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(n,) bool: boxes that certainly lie in the union of valid polygons, by box tests alone."""
    within = in_circles(bounds, covers)
    left = np.flatnonzero(~within)
    within[left] = in_union(bounds[left], covers)
    return within


def _told(partial: Uncovered) -> tuple[MeasureSummary, MeasureSummary, MeasureSummary]:
    """Summaries of the violations of each kind, in memory or in files."""
    areas, lines, points = (
        t + MeasureSummary.of(f) for t, f in zip(partial.told, partial.violations, strict=True)
    )
    return areas, lines, points
