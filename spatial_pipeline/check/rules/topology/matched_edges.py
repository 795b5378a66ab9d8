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
"""A vertex that was computed to lie on an edge lies beside it by less than so many spacings of
floating-point numbers."""


@dataclass(frozen=True)
class Unmatched:
    """Partial result of one tile.

    Attributes:
        checked: owned features judged.
        findings: edges of owned features.
        left_out: owned features that a note must speak of.
        told: of edges that are not in memory any more.

    """

    checked: int
    findings: Violations
    left_out: Excluded
    told: MeasureSummary = NOTHING


@evaluates(MatchedEdges)
class MatchedEdgesCheck(TileCheck[MatchedEdges]):
    """One violation an edge that a neighbour runs along without having the same edge.

    Edges with a reversed twin cancel, see ``arrangement``; only what is left is compared. Both
    neighbours are told of their own edges: the one that misses a vertex has a long one, the other
    two short ones. Edges that run the same way are an overlap, another rule's business.
    """

    def halo(self) -> float:
        """Neighbours come as near as edges may be to count as coincident."""
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
        findings = Violations.build(
            rows[order],
            reasons[order],
            segments(edges[edge[order]]),
            beside.length[long][order],
            length_unit(batch.crs),
        )
        return Unmatched(checked, findings, left_out)

    def findings_of(self, partial: Unmatched) -> Violations:
        """The edges."""
        return partial.findings

    def without_findings(self, partial: Unmatched) -> Unmatched:
        """The rest, and what is to be said of the edges."""
        return replace(partial, findings=Violations.none(), told=_told(partial))

    def reduce(self, partials: Sequence[Unmatched]) -> RuleOutcome:
        """All violations; ``max_violations`` decides."""
        findings = Violations.concat(p.findings for p in partials)
        told = MeasureSummary.sum(map(_told, partials))
        said = list(notes(self.context, Excluded.concat(p.left_out for p in partials)))
        if (self.rule.tolerance or self.rule.distance) and in_degrees(self._profile.pyproj_crs):
            said.append("tolerance and distance are in degrees")
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            findings=findings,
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
    """What is to be said of the edges, wherever they are."""
    return partial.told + MeasureSummary.of(partial.findings)


def _unmatched(found: Outlines, reach: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Edges that no polygon of a piece runs along the other way, where there may be one nearby.

    What is left of the chain holds them all; beside them it holds edges that are run through more
    often one way than the other.

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
