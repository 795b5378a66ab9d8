"""must_not_overlap: no two polygons share an area, no two lines a stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import TileCheck, evaluates
from spatial_pipeline.check.crs import area_unit, in_degrees, length_unit
from spatial_pipeline.check.keys import groups
from spatial_pipeline.check.topology.judged import (
    LINE,
    POLYGON,
    Layer,
    LeftOut,
    judged,
    notes,
    of_dimension,
)
from spatial_pipeline.check.topology.measured import joined, summary
from spatial_pipeline.check.topology.overlap_pairs import (
    AREA,
    DECIDED,
    STRETCH,
    Pairs,
    meeting,
)
from spatial_pipeline.contract.rules.topology import MustNotOverlap
from spatial_pipeline.pieces import Tile
from spatial_pipeline.results import Findings, Outcome

OVERLAP, SHARED_LINE = "overlap", "shared line"


@dataclass(frozen=True)
class Overlaps:
    """Partial result of one tile.

    Attributes:
        checked: owned features judged.
        areas: pairs of polygons that share an area.
        stretches: pairs of lines that share a stretch.
        left_out: owned features that a note must speak of.
        dimensions: which dimensions the owned features have.

    """

    checked: int
    areas: Findings
    stretches: Findings
    left_out: LeftOut
    dimensions: frozenset[int]


@evaluates(MustNotOverlap)
class MustNotOverlapCheck(TileCheck[MustNotOverlap]):
    """Polygons against polygons and lines against lines; invalid features are left out and said.

    A pair violates when the interiors of its members share an area (DE-9IM ``2********``), lines
    when they share a stretch (``1********``), decided by the exact predicate. Its measure is the
    area (length) of the intersection, which is rounded: with a tolerance, pairs that measure no
    more than it drop out; without one, a pair stays even when its intersection rounds to nothing.
    """

    def map(self, tile: Tile) -> Overlaps:
        """The pairs whose member of lower staged position this tile owns."""
        (areas, lines), left_out = judged(
            tile.features, self.context.data.profile, (POLYGON, LINE), tile.owned
        )
        by_group = None
        if self.rule.group_by:
            by_group = groups(tile.features.table.select(list(self.rule.group_by)))
        here = [layer.index[layer.index < tile.owned] for layer in (areas, lines)]
        return Overlaps(
            checked=len(np.union1d(*here)),
            areas=self._findings(tile, areas, by_group, POLYGON),
            stretches=self._findings(tile, lines, by_group, LINE),
            left_out=left_out,
            dimensions=frozenset(d for d, h in zip((POLYGON, LINE), here, strict=True) if len(h)),
        )

    def _findings(
        self, tile: Tile, layer: Layer, by_group: NDArray[np.int64] | None, dimension: int
    ) -> Findings:
        """The violations among the parts of one dimension."""
        if len(layer) < 2:
            return Findings.none()

        def together(pairs: Pairs) -> NDArray[np.bool_]:
            one, other = (layer.index[p] for p in pairs)
            return np.ones(len(one), bool) if by_group is None else by_group[one] == by_group[other]

        one, other = meeting(
            layer.geometry,
            tile.features.positions[layer.index],
            layer.index < tile.owned,
            AREA if dimension == POLYGON else STRETCH,
            None if by_group is None else together,
            self.context.cancelled,
        )
        shared = np.empty(len(one), dtype=object)
        measure = np.empty(len(one))
        for begin in range(0, len(one), DECIDED):
            self.context.cancelled()
            some = slice(begin, begin + DECIDED)
            shared[some], measure[some] = shared_parts(
                layer.geometry[one[some]], layer.geometry[other[some]], dimension
            )
        crs = tile.features.crs
        rows = tile.features.rows[layer.index]
        findings = Findings.build(
            np.sort(np.stack([rows[one], rows[other]], axis=1), axis=1),
            OVERLAP if dimension == POLYGON else SHARED_LINE,
            shared,
            measure,
            area_unit(crs) if dimension == POLYGON else length_unit(crs),
        )
        return findings.take(measure > self.rule.tolerance) if self.rule.tolerance else findings

    def reduce(self, partials: Sequence[Overlaps]) -> Outcome:
        """All pairs; ``max_violations`` decides."""
        areas = Findings.concat(p.areas for p in partials)
        stretches = Findings.concat(p.stretches for p in partials)
        said = list(notes(self.context, LeftOut.concat(p.left_out for p in partials)))
        if len(frozenset[int]().union(*(p.dimensions for p in partials))) > 1:
            said.append("polygons and lines are not compared with each other")
        crs = getattr(self.context.data.profile, "pyproj_crs", None)
        if self.rule.tolerance and in_degrees(crs):
            said.append("the tolerance is in square degrees (lines: degrees)")
        parts = summary(areas, OVERLAP), summary(stretches, SHARED_LINE, "longest")
        return Outcome(
            checked=sum(p.checked for p in partials),
            findings=joined(areas, stretches),
            message=", ".join(filter(None, parts)),
            notes=tuple(said),
        )


def shared_parts(
    one: NDArray[np.object_], other: NDArray[np.object_], dimension: int
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """What pairs of geometries share, and its area or length.

    Where the intersection rounds to something of lower dimension, this is what is returned, with
    measure 0; where it rounds to nothing, the middle of where the two boxes meet.

    Args:
        one: (n,) valid polygons (dimension 2) or lines (dimension 1).
        other: (n,) as many others, whose interiors meet the former's.
        dimension: of the part wanted.

    """
    flat = shapely.force_2d(one), shapely.force_2d(other)
    # Overlay starts rings where its hash tables do: normal form makes the result repeatable.
    whole = np.asarray(shapely.normalize(shapely.intersection(*flat)), dtype=object)
    parts = of_dimension(whole, dimension)
    lost = shapely.is_missing(parts)
    parts[lost] = whole[lost]
    gone = np.flatnonzero(shapely.is_empty(parts))
    if len(gone):
        bounds = np.sort(np.stack([shapely.bounds(f[gone]) for f in flat]), axis=0)
        parts[gone] = shapely.points((bounds[1, :, :2] + bounds[0, :, 2:]) / 2)
    measure = shapely.area(parts) if dimension == POLYGON else shapely.length(parts)
    return parts, np.where(lost, 0.0, measure)
