"""must_be_covered_by: every feature lies in the union of another dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import TileComparisonCheck, evaluates
from spatial_pipeline.check.crs import area_unit, in_degrees, length_unit
from spatial_pipeline.check.recall import PLAIN, UNKNOWN, Facts, Remembering
from spatial_pipeline.check.topology.judged import LINE, POINT, POLYGON, LeftOut, judged, notes
from spatial_pipeline.check.topology.measured import Tally, joined, summary
from spatial_pipeline.check.topology.uncovered import COVERS, uncovered
from spatial_pipeline.contract.rules.topology import MustBeCoveredBy
from spatial_pipeline.pieces import FeatureBatch
from spatial_pipeline.results import Findings, Outcome

UNCOVERED = "uncovered"


@dataclass(frozen=True)
class Uncovered:
    """Partial result of one tile.

    Attributes:
        checked: features judged.
        findings: uncovered parts of polygons, of lines, and points.
        left_out: features that a note must speak of.
        other_left_out: features of the other dataset around them that cover nothing.

    """

    checked: int
    findings: tuple[Findings, Findings, Findings]
    left_out: LeftOut
    other_left_out: LeftOut


@evaluates(MustBeCoveredBy)
class MustBeCoveredByCheck(TileComparisonCheck[MustBeCoveredBy], Remembering):
    """One violation a feature: the part of it outside of the union of the other dataset.

    Polygons are covered by polygons, lines by polygons and lines, points by anything. A boundary
    digitised otherwise leaves slivers: they are violations unless the tolerance accepts them; a
    part is compared with it, not the sum of the parts. Invalid features of either side are left
    out and said.
    """

    def map(self, batch: FeatureBatch, other: FeatureBatch) -> Uncovered:
        """The violations among the features that this tile owns."""
        dimensions = (POLYGON, LINE, POINT)
        layers, left_out = judged(batch, self.context.data.profile, dimensions)
        covers, other_left_out = judged(other, self.context.others[0].profile, dimensions)
        units = {POLYGON: area_unit(batch.crs), LINE: length_unit(batch.crs), POINT: ""}
        findings = []
        for dimension, layer in zip(dimensions, layers, strict=True):
            rest, measure = uncovered(
                layer.geometry,
                [
                    c.geometry
                    for d, c in zip(dimensions, covers, strict=True)
                    if d in COVERS[dimension]
                ],
                dimension,
                self.rule.tolerance,
                self.context.cancelled,
            )
            found = ~shapely.is_missing(rest)
            findings.append(
                Findings.build(
                    batch.rows[layer.index[found]],
                    UNCOVERED,
                    shapely.force_2d(rest[found]),
                    measure[found],
                    units[dimension],
                )
            )
        seen = np.zeros(len(batch), dtype=bool)
        for layer in layers:
            seen[layer.index] = True
        areas, lines, points = findings
        return Uncovered(int(seen.sum()), (areas, lines, points), left_out, other_left_out)

    def depends(self) -> tuple[str, ...] | None:
        """Nothing else; what the transformation to another CRS says is of all features together."""
        here, there = self.context.data.profile.crs, self.context.others[0].profile.crs
        return () if here == there else None

    def facts(self, batch: FeatureBatch, partial: Uncovered) -> Facts:
        """Which features are covered, by others of which nothing is to be said either."""
        classes = np.full(len(batch), PLAIN, dtype=np.uint8)
        told = [partial.left_out.rows, *(f.rows[:, 0] for f in partial.findings)]
        classes[np.isin(batch.rows, np.concatenate(told))] = UNKNOWN
        return Facts(classes if not len(partial.other_left_out.rows) else np.zeros_like(classes))

    def recalled(
        self, partial: Uncovered, _positions: NDArray[np.int64], facts: Facts
    ) -> Uncovered:
        """The features were covered."""
        return replace(partial, checked=partial.checked + len(facts))

    def reduce(self, partials: Sequence[Uncovered]) -> Outcome:
        """All violations; ``max_violations`` decides."""
        areas, lines, points = (Findings.concat(p.findings[i] for p in partials) for i in range(3))
        said = [
            *notes(self.context, LeftOut.concat(p.left_out for p in partials)),
            *notes(
                self.context,
                LeftOut.concat(p.other_left_out for p in partials),
                " of the other dataset",
            ),
        ]
        crs = getattr(self.context.data.profile, "pyproj_crs", None)
        if self.rule.tolerance and in_degrees(crs):
            said.append("the tolerance is in square degrees (lines: degrees)")
        parts = (
            summary(Tally.of(areas), "uncovered polygon"),
            summary(Tally.of(lines), "uncovered line", "longest"),
            summary(Tally.of(points), "uncovered point"),
        )
        return Outcome(
            checked=sum(p.checked for p in partials),
            findings=joined(areas, lines, points),
            message=", ".join(filter(None, parts)),
            notes=tuple(said),
        )
