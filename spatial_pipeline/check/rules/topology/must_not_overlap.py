"""must_not_overlap: no two polygons share an area, no two lines a stretch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, Context, evaluates
from spatial_pipeline.check.coverage.arrangement import EdgeChain
from spatial_pipeline.check.coverage.coverage_delta import Former, remembered
from spatial_pipeline.check.coverage.faces import shared_faces
from spatial_pipeline.check.coverage.feature_lookup import FeatureLookup, bare
from spatial_pipeline.check.coverage.keep_budget import KeepBudget
from spatial_pipeline.check.coverage.measure_summary import (
    NOTHING,
    MeasureSummary,
    common_unit,
    joined,
    summary,
)
from spatial_pipeline.check.coverage.neighbours import Neighbours
from spatial_pipeline.check.coverage.overlap_pairs import (
    AREA,
    DECIDED,
    OVERLAP,
    SHARED_LINE,
    STRETCH,
    WORTH,
    Pairs,
    doubtful_regions,
    pairs_in,
    shared_violations,
)
from spatial_pipeline.check.coverage.piece_residue import outlines
from spatial_pipeline.check.crs.transformation import in_degrees
from spatial_pipeline.check.geometry.eligible import (
    LINE,
    POLYGON,
    EligibleParts,
    Excluded,
    notes,
    of_dimension,
)
from spatial_pipeline.check.geometry.unjudged import require_geometry
from spatial_pipeline.check.incremental.feature_cache import (
    AGAIN,
    DEEP,
    PLAIN,
    UNKNOWN,
    Facts,
    NeighbourCheck,
)
from spatial_pipeline.check.join.join_keys import groups
from spatial_pipeline.check.join.positions import Packed, marked, packed, unpacked
from spatial_pipeline.check.violation_buffer import ViolationBuffer
from spatial_pipeline.contract.rules.topology import MustNotOverlap
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violation_runs import with_found
from spatial_pipeline.model.violations import RuleOutcome, Violations
from spatial_pipeline.runtime.shared_work import SharedWork

CHUNK = 1024
"""Pairs decided in one call, which is the unit of work for idle threads."""
DECODED = 1 << 14
"""Polygons of doubtful regions that are compared with their neighbours at once."""


@dataclass(frozen=True)
class Overlaps:
    """Partial result of one batch.

    Attributes:
        checked: features checked.
        areas: pairs of polygons of the batch that share an area, unless the chain decides.
        stretches: pairs of lines of the batch that share a stretch.
        left_out: features to mention in a note.
        dimensions: dimensions of the features.
        chain: residual edges of the polygons where most edges cancel, else None.
        polygons: staged positions of all valid polygons.
        lines: staged positions of all valid lines.
        across: (k, 2) pairs of a polygon of this batch, outside the chain, and a feature of another
            one whose boxes meet.
        across_lines: (k, 2) the same for lines.
        kept: features of this batch that are needed again.
        told: summaries of areas and of stretches that are in files.

    """

    checked: int
    areas: Violations
    stretches: Violations
    left_out: Excluded
    dimensions: frozenset[int]
    chain: EdgeChain | None
    polygons: Packed
    lines: Packed
    across: NDArray[np.int64]
    across_lines: NDArray[np.int64]
    kept: FeatureBatch
    told: tuple[MeasureSummary, MeasureSummary] = (NOTHING, NOTHING)


@evaluates(MustNotOverlap)
class MustNotOverlapCheck(BatchCheck[MustNotOverlap], NeighbourCheck):
    """Polygons against polygons and lines against lines; invalid features are excluded and noted.

    A pair violates when the interiors of its members share an area (DE-9IM ``2********``), lines
    when they share a stretch (``1********``), decided by the exact predicate. Its measure is the
    area (length) of the intersection, which is rounded: with a tolerance, pairs that measure no
    more than it drop out; without one, a pair stays even when its intersection rounds to nothing.

    Where the polygons of a batch share most of their edges, as in a coverage, the residual edges of
    all such batches locate the overlaps. Elsewhere, as among buildings, each polygon is compared
    with those whose box meets its own.
    """

    needs_geometry: ClassVar[bool] = False

    def __init__(self, rule: MustNotOverlap, context: Context) -> None:
        super().__init__(rule, context)
        self._neighbours = Neighbours(self._data)
        self._keeping = KeepBudget()
        self._former: Former | None = None
        self._left: EdgeChain | None = None
        self._slight: list[NDArray[np.int64]] = []

    def map(self, batch: FeatureBatch) -> Overlaps:
        """The pairs within the batch, and what those across batches need.

        Raises:
            RuleError: the source has no geometry column.

        """
        return self._mapped(batch, None)

    def begin(self, known: Facts) -> None:
        """Restricts neighbour look-ups to features that changed or lie next to a change."""
        self._neighbours = Neighbours(self._data, np.flatnonzero(known.looked))
        self._former = Former.of(known)

    def look(self, batch: FeatureBatch, known: NDArray[np.uint8]) -> Overlaps:
        """The same as ``map``, without comparing two unchanged features with each other."""
        return self._mapped(batch, known != UNKNOWN)

    def reach(self) -> float:
        """Features whose boxes do not touch share nothing."""
        return 0.0

    def depends(self) -> tuple[str, ...] | None:
        """No other inputs; None with groups, because attributes then matter."""
        return None if self.rule.group_by else ()

    def facts(self, batch: FeatureBatch, partial: Overlaps) -> Facts:
        """Classes of the features: polygons or lines; those in a pair are determined at the end."""
        classes = np.zeros(len(batch), dtype=np.uint8)
        classes[np.searchsorted(batch.positions, unpacked(partial.polygons))] = PLAIN
        classes[np.searchsorted(batch.positions, unpacked(partial.lines))] = DEEP
        classes[np.isin(batch.rows, partial.left_out.rows)] = UNKNOWN
        return Facts(classes)

    def finished(self, facts: Facts, named: NDArray[np.int64]) -> Facts:
        """Adds all residual edges, if all polygons are in the chain."""
        classes = facts.without(named).classes
        extras = remembered(self._left, len(facts))
        if extras is None:
            return Facts(classes)
        # The chain does not distinguish pairs within the tolerance from others: finding those that
        # share an area requires all of them.
        rows = np.concatenate([np.empty(0, np.int64), *(s.ravel() for s in self._slight)])
        slight = self._data.rows_to_positions(np.unique(rows))
        classes[slight[classes[slight] != UNKNOWN]] |= np.uint8(AGAIN)
        return Facts(classes, extras=extras)

    def recalled(self, partial: Overlaps, _positions: NDArray[np.int64], facts: Facts) -> Overlaps:
        """Adds features that were compared with their neighbours, none of which has changed."""
        kinds = {POLYGON: PLAIN, LINE: DEEP}
        there = frozenset(d for d, kind in kinds.items() if (facts.classes == kind).any())
        return replace(
            partial,
            checked=partial.checked + len(facts),
            dimensions=partial.dimensions | there,
        )

    def _mapped(self, batch: FeatureBatch, familiar: NDArray[np.bool_] | None) -> Overlaps:
        profile = self.context.data.profile
        require_geometry(profile)
        whole = outlines(batch, profile)
        (_, lines), left_out = whole.layers(profile, (POLYGON, LINE))
        polygons, none = whole.index, np.empty((0, 2), dtype=np.int64)
        chain, kept, areas, across = None, None, Violations.none(), none
        if self._former is not None:
            within = whole.within(self._former.changed, self._data.feature_bounds(), polygons[:0])
            chain, kept = within.take(within.inside), bare(batch, polygons)
        elif familiar is None and not self.rule.group_by and whole.left <= WORTH:
            remnant = whole.remnant(self._data.feature_bounds(), polygons[:0])
            chain, kept = remnant.chain, remnant.kept
        else:
            inside, across = self._near(batch, polygons, AREA, familiar)
            areas = Violations.concat(self._decided(batch, inside, whole.geometry, POLYGON))
        inside, across_lines = self._near(batch, lines.index, STRETCH, familiar)
        decided = self._decided(batch, inside, partial(_picked, lines), LINE)
        asked = np.concatenate([across[:, 0], across_lines[:, 0]])
        if kept is None or len(asked):
            known = np.empty(0, np.int64) if kept is None else kept.positions
            wanted = np.isin(batch.positions, np.concatenate([known, asked]))
            kept = bare(batch, np.flatnonzero(wanted))
        return Overlaps(
            checked=len(np.union1d(polygons, lines.index)) if len(lines) else len(polygons),
            areas=areas,
            stretches=Violations.concat(decided),
            left_out=left_out,
            dimensions=frozenset(
                d for d, h in ((POLYGON, polygons), (LINE, lines.index)) if len(h)
            ),
            chain=chain,
            polygons=packed(batch.positions[polygons]),
            lines=packed(batch.positions[lines.index]),
            across=across,
            across_lines=across_lines,
            kept=self._keeping.admitted(kept),
        )

    @property
    def _data(self) -> VectorReader:
        return cast("VectorReader", self.context.data)

    def _near(
        self,
        batch: FeatureBatch,
        index: NDArray[np.int64],
        pattern: str,
        familiar: NDArray[np.bool_] | None,
    ) -> tuple[Pairs, NDArray[np.int64]]:
        return self._neighbours.pairs(batch, index, pattern, familiar, self.context.cancelled)

    def _decided(
        self,
        batch: FeatureBatch,
        pairs: Pairs,
        geometry: Callable[[NDArray[np.int64]], NDArray[np.object_]],
        dimension: int,
    ) -> Iterator[Violations]:
        """The violations among pairs of features of a batch, in chunks of pairs."""
        one, other = pairs
        if self.rule.group_by and len(one):
            group = groups(batch.table.select(list(self.rule.group_by)))
            same = group[one] == group[other]
            one, other = one[same], other[same]
        for begin in range(0, len(one), DECIDED):
            end = min(begin + DECIDED, len(one))
            chunks = [slice(i, min(i + CHUNK, end)) for i in range(begin, end, CHUNK)]
            calls = [
                partial(self._some_decided, batch, (one[c], other[c]), geometry, dimension)
                for c in chunks
            ]
            yield Violations.concat(SharedWork(calls).results())

    def _some_decided(
        self,
        batch: FeatureBatch,
        pairs: Pairs,
        geometry: Callable[[NDArray[np.int64]], NDArray[np.object_]],
        dimension: int,
    ) -> Violations:
        self.context.cancelled()
        held, place = np.unique(np.stack(pairs), return_inverse=True)
        a, b = place.reshape(2, -1)
        crs = self.context.data.profile.pyproj_crs
        violations = shared_violations(geometry(held), batch.rows[held], (a, b), dimension, crs)
        if not self.rule.tolerance:
            return violations
        large = violations.measure > self.rule.tolerance
        self._slight.append(violations.rows[~large])
        return violations.take(large)

    def _across(
        self, partials: Sequence[Overlaps], known: FeatureLookup, dimension: int
    ) -> Iterator[Violations]:
        """The violations among pairs of two batches that boxes found."""
        of_line = dimension == LINE
        pairs = np.concatenate([p.across_lines if of_line else p.across for p in partials])
        judged_ = marked(
            (p.lines if of_line else p.polygons for p in partials), self._data.profile.count
        )
        pairs = pairs[judged_[pairs[:, 1]]]
        pairs = np.unique(np.sort(pairs, axis=1), axis=0)
        for begin in range(0, len(pairs), DECIDED):
            self.context.cancelled()
            some = pairs[begin : begin + DECIDED]
            held, place = np.unique(some, return_inverse=True)
            batch = known.take(held)
            one, other = place.reshape(-1, 2).T
            parts = of_dimension(batch.geometry, dimension)
            yield from self._decided(batch, (one, other), parts.__getitem__, dimension)

    def _in_coverage(
        self, partials: Sequence[Overlaps], known: FeatureLookup
    ) -> Iterator[Violations]:
        """The violations among the polygons of the batches that are a coverage."""
        parts = [p for p in partials if p.chain is not None]
        chains = [cast("EdgeChain", p.chain) for p in parts]
        chain = EdgeChain.sum(chains) if self._former is None else self._former.now(chains)
        if len(parts) == len(partials):
            self._left = chain
        if not len(chain):
            return
        every = self._data.feature_bounds()
        judged_ = marked((p.polygons for p in parts), len(every))

        def over(points: NDArray[np.object_]) -> NDArray[np.object_]:
            held = self._neighbours.near(shapely.bounds(points))
            return of_dimension(known.take(held[judged_[held]]).geometry, POLYGON)

        regions = doubtful_regions(chain, over, partial(shared_faces, self._data))
        if not len(regions):
            return
        asking = self._neighbours.near(regions)
        asking = asking[judged_[asking]]
        near = np.zeros(len(every), dtype=bool)
        near[asking] = True
        for begin in range(0, len(asking), DECODED):
            self.context.cancelled()
            mine = asking[begin : begin + DECODED]
            # A layer of polygons over another is doubtful everywhere: neighbours are read in
            # chunks.
            others = self._neighbours.near(every[mine])
            batch = known.take(np.union1d(mine, others[near[others] & (others > mine[0])]))
            areas = of_dimension(batch.geometry, POLYGON)
            owned = np.isin(batch.positions, mine)
            for pairs in pairs_in(regions, areas, batch.positions, owned):
                yield from self._decided(batch, pairs, areas.__getitem__, POLYGON)

    def violations_of(self, partial: Overlaps) -> Violations:
        """The pairs within the batch."""
        return joined(partial.areas, partial.stretches)

    def without_violations(self, partial: Overlaps) -> Overlaps:
        """The partial result without its violations, and their summary."""
        none = Violations.none()
        return replace(partial, areas=none, stretches=none, told=_told(partial))

    def reduce(self, partials: Sequence[Overlaps]) -> RuleOutcome:
        """All pairs; ``max_violations`` decides.

        Raises:
            RuleError: the source has no geometry column.

        """
        require_geometry(self.context.data.profile)
        areas, stretches = (
            MeasureSummary.sum(p[i] for p in map(_told, partials)) for i in range(2)
        )
        collected = ViolationBuffer(self.context)
        for p in partials:
            collected.add(p.areas)
            collected.add(p.stretches)
        if partials:
            known = FeatureLookup(self._data, [p.kept for p in partials], self.rule.group_by)
            for found in self._across(partials, known, POLYGON):
                collected.add(found)
                areas += MeasureSummary.of(found)
            for found in self._in_coverage(partials, known):
                collected.add(found)
                areas += MeasureSummary.of(found)
            for found in self._across(partials, known, LINE):
                collected.add(found)
                stretches += MeasureSummary.of(found)
        said = list(notes(self.context, Excluded.concat(p.left_out for p in partials)))
        if len(frozenset[int]().union(*(p.dimensions for p in partials))) > 1:
            said.append("polygons and lines are not compared with each other")
        crs = getattr(self.context.data.profile, "pyproj_crs", None)
        if self.rule.tolerance and in_degrees(crs):
            said.append("the tolerance is in square degrees (lines: degrees)")
        parts = summary(areas, OVERLAP), summary(stretches, SHARED_LINE, "longest")
        outcome = RuleOutcome(
            checked=sum(p.checked for p in partials),
            message=", ".join(filter(None, parts)),
            notes=tuple(said),
        )
        return with_found(outcome, collected.found(common_unit(areas, stretches)))


def _told(partial: Overlaps) -> tuple[MeasureSummary, MeasureSummary]:
    """Summaries of the pairs within a batch, in memory or in files."""
    areas, stretches = partial.told
    return areas + MeasureSummary.of(partial.areas), stretches + MeasureSummary.of(
        partial.stretches
    )


def _picked(layer: EligibleParts, index: NDArray[np.int64]) -> NDArray[np.object_]:
    """The geometries of features of a layer."""
    return layer.geometry[np.searchsorted(layer.index, index)]
