"""matched_edges: neighbours follow their shared boundary vertex by vertex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import TileCheck, evaluates
from spatial_pipeline.check.coverage.arrangement import directed_edges, segments
from spatial_pipeline.check.coverage.measure_summary import NOTHING, MeasureSummary, summary
from spatial_pipeline.check.coverage.near_edges import alongside, equal_rows
from spatial_pipeline.check.coverage.piece_residue import Outlines, outlines
from spatial_pipeline.check.coverage.segment_conflicts import spans
from spatial_pipeline.check.crs.transformation import in_degrees, length_unit
from spatial_pipeline.check.geometry.boxes import Boxes, diagonals
from spatial_pipeline.check.geometry.eligible import POLYGON, Excluded, notes
from spatial_pipeline.check.geometry.unjudged import require_geometry
from spatial_pipeline.contract.rules.topology import MatchedEdges
from spatial_pipeline.model.features import Tile
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.violations import RuleOutcome, Violations

MISSING, NEAR = "missing vertex", "nearly coincident"
ULPS = 4
"""Spacings of floating-point numbers that bound how far a computed vertex lies off its edge."""


@dataclass(frozen=True)
class Unmatched:
    """Partial result of one tile.

    Attributes:
        checked: owned features checked.
        violations: edges of owned features.
        left_out: owned features to mention in a note.
        told: summary of violations that are in files.

    """

    checked: int
    violations: Violations
    left_out: Excluded
    told: MeasureSummary = NOTHING


@evaluates(MatchedEdges)
class MatchedEdgesCheck(TileCheck[MatchedEdges]):
    """One violation per edge that a neighbour runs along without having the same edge.

    Edges with a reversed twin cancel, see ``arrangement``; only the residual edges are compared.
    Each neighbour gets violations for its own edges: the one that misses a vertex has one long
    edge, the other two short ones. Edges that run in the same direction are an overlap, which
    another rule reports.
    """

    def halo(self) -> float:
        """The largest distance of edges that count as nearly coincident."""
        return self._reach

    def map(self, tile: Tile) -> Unmatched:
        """The violations among the edges of the features that this tile owns."""
        profile = self._profile
        require_geometry(profile)
        batch = tile.features
        found = outlines(batch, profile)
        _, left_out = found.layers(profile, (POLYGON,))
        owned = np.isin(left_out.rows, batch.rows[: tile.owned])
        left_out = Excluded(left_out.rows[owned], left_out.kinds[owned])
        checked = int((found.index < tile.owned).sum())
        edges, polygon = _unmatched(found, self._reach)
        beside = alongside(
            edges, polygon, polygon < tile.owned, self._reach, self.context.cancelled
        )
        long = beside.length > self.rule.tolerance
        edge, other = beside.edge[long], beside.polygon[long]
        rows = np.stack([batch.rows[polygon[edge]], batch.rows[other]], axis=1)
        order = np.lexsort((*edges[edge].T[::-1], rows[:, 1], rows[:, 0]))
        reasons = np.where(beside.offset[long] <= self._rounding, MISSING, NEAR).astype(object)
        violations = Violations.build(
            rows[order],
            reasons[order],
            segments(edges[edge[order]]),
            beside.length[long][order],
            length_unit(batch.crs),
        )
        return Unmatched(checked, violations, left_out)

    def violations_of(self, partial: Unmatched) -> Violations:
        """The edges."""
        return partial.violations

    def without_violations(self, partial: Unmatched) -> Unmatched:
        """The partial result without its violations, and their summary."""
        return replace(partial, violations=Violations.none(), told=_told(partial))

    def reduce(self, partials: Sequence[Unmatched]) -> RuleOutcome:
        """All violations; ``max_violations`` decides."""
        violations = Violations.concat(p.violations for p in partials)
        told = MeasureSummary.sum(map(_told, partials))
        said = list(notes(self.context, Excluded.concat(p.left_out for p in partials)))
        if (self.rule.tolerance or self.rule.distance) and in_degrees(self._profile.pyproj_crs):
            said.append("tolerance and distance are in degrees")
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            violations=violations,
            message=summary(told, "unmatched edge", "longest"),
            notes=tuple(said),
        )

    @property
    def _profile(self) -> VectorProfile:
        return cast("VectorProfile", self.context.data.profile)

    @property
    def _reach(self) -> float:
        return max(self.rule.distance, self._rounding)

    @property
    def _rounding(self) -> float:
        bounds = self._profile.bounds
        return ULPS * float(np.spacing(max(map(abs, bounds)))) if bounds else 0.0


def _told(partial: Unmatched) -> MeasureSummary:
    """Summary of the violations, in memory or in files."""
    return partial.told + MeasureSummary.of(partial.violations)


def _unmatched(found: Outlines, reach: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Edges of a piece without a reversed twin, where an opposite edge may be nearby.

    The residual edges of the chain include all of them, and also edges used more often in one
    direction than in the other.

    Returns:
        (n, 4) directed edges, the interior to the left, and (n,) indices of their features.

    """
    left = found.chain(np.empty(0, dtype=np.int64))[0].edges
    index = found.index
    areas = found.geometry(index)
    near = Boxes(shapely.bounds(areas) + np.array([-reach, -reach, reach, reach]))
    edge, area = near.query(diagonals(spans(left, reach)))
    disputed = np.bincount(edge, minlength=len(left)) > 1
    left = left[disputed]
    some = np.unique(area[disputed[edge]])
    all_edges = directed_edges(areas[some])
    x, y, start, end = all_edges.x, all_edges.y, all_edges.start, all_edges.end
    forth = np.stack([x[start], y[start], x[end], y[end]], axis=1)
    back = forth[:, [2, 3, 0, 1]]
    undirected = np.concatenate([left, left[:, [2, 3, 0, 1]]])
    group = equal_rows(np.concatenate([forth, back, undirected]))
    mine, twin, wanted = np.split(group, [len(forth), 2 * len(forth)])
    alone = np.isin(mine, wanted) & ~np.isin(twin, mine)
    return forth[alone], index[some[all_edges.polygon[alone]]]


__all__ = ["MatchedEdgesCheck"]
