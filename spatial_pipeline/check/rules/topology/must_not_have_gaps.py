"""must_not_have_gaps: polygons leave no void between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, Context, evaluates
from spatial_pipeline.check.coverage.arrangement import EdgeChain, boundary_edges
from spatial_pipeline.check.coverage.coverage_delta import EDGES, NET, Former, remembered
from spatial_pipeline.check.coverage.faces import faces, shared_faces
from spatial_pipeline.check.coverage.feature_lookup import FeatureLookup, around, bare
from spatial_pipeline.check.coverage.keep_budget import KeepBudget
from spatial_pipeline.check.coverage.measure_summary import MeasureSummary, summary
from spatial_pipeline.check.coverage.overlap_pairs import QUERIED
from spatial_pipeline.check.coverage.piece_residue import outlines
from spatial_pipeline.check.coverage.polygon_lookup import PolygonLookup, all_polygons, shared_boxes
from spatial_pipeline.check.coverage.segment_conflicts import spans
from spatial_pipeline.check.coverage.voids import (
    Bounds,
    bordering,
    not_accepted,
    uncovered_faces,
    within_bounds,
    without,
)
from spatial_pipeline.check.crs.transformation import area_unit, in_degrees
from spatial_pipeline.check.geometry.boxes import meeting
from spatial_pipeline.check.geometry.eligible import POLYGON, Excluded, notes
from spatial_pipeline.check.geometry.unjudged import require_geometry
from spatial_pipeline.check.incremental.feature_cache import AGAIN, UNKNOWN, Facts, NeighbourCheck
from spatial_pipeline.check.join.positions import Packed, marked, packed, unpacked
from spatial_pipeline.contract.rules.topology import MustNotHaveGaps
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

GAP = "gap"
ATTACHED, ALONE = 1, 2
"""Classes of polygons in the feature cache."""


@dataclass(frozen=True)
class Boundaries:
    """Partial result of one batch.

    Attributes:
        chain: residual edges of its polygons, except isolated ones.
        positions: staged positions of the polygons of the chain.
        alone: staged positions of simple polygons whose box touches no other feature's.
        left_out: features to mention in a note.
        kept: the polygons of the chain's edges.

    """

    chain: EdgeChain
    positions: Packed
    alone: Packed
    left_out: Excluded
    kept: FeatureBatch


@evaluates(MustNotHaveGaps)
class MustNotHaveGapsCheck(BatchCheck[MustNotHaveGaps], NeighbourCheck):
    """A gap is a bounded component of the complement of the union of the polygons.

    So a void that only points close counts, also between parts of one feature, as does a hole that
    no other polygon fills; islands in a void are cut out of it. Twin edges cancel batch by batch
    and then over all batches; the bounded faces of the residual edges that no polygon covers are
    the voids. Those whose area may be rounding alone (see ``rounding.noise``) are ignored. With an
    area of interest, its border takes part and only faces inside it count, closed or not. Isolated
    polygons, as most buildings are, close no void: they are only cut out of voids.
    """

    needs_geometry: ClassVar[bool] = False
    extras = (EDGES, NET)

    def __init__(self, rule: MustNotHaveGaps, context: Context) -> None:
        super().__init__(rule, context)
        self._keeping = KeepBudget()
        self._known: Facts | None = None
        self._former: Former | None = None
        self._left: EdgeChain | None = None

    def map(self, batch: FeatureBatch) -> Boundaries:
        """The residual edges of this batch.

        Raises:
            RuleError: the source has no geometry column.

        """
        return self._mapped(batch, None)

    def begin(self, known: Facts) -> None:
        """Loads the former residual edges, and the boxes where they may have changed."""
        self._known, self._former = known, Former.of(known)

    def look(self, batch: FeatureBatch, known: NDArray[np.uint8]) -> Boundaries:
        """The residual edges that lie where something changed."""
        return self._mapped(batch, known)

    def reach(self) -> float:
        """Polygons whose boxes do not touch have no edge in common."""
        return 0.0

    def facts(self, batch: FeatureBatch, partial: Boundaries) -> Facts:
        """Classes of the features: with edges in the chain, isolated, or mentioned in a note."""
        classes = np.zeros(len(batch), dtype=np.uint8)
        classes[np.searchsorted(batch.positions, unpacked(partial.positions))] = ATTACHED
        classes[np.searchsorted(batch.positions, unpacked(partial.alone))] = ALONE
        noted = np.isin(batch.rows, partial.left_out.rows) & (classes != UNKNOWN)
        classes[noted] |= np.uint8(AGAIN)
        return Facts(classes)

    def finished(self, facts: Facts, named: NDArray[np.int64]) -> Facts:
        """Adds all residual edges; polygons along them must be checked again."""
        left, classes = self._left, facts.classes.copy()
        extras = remembered(left, len(facts))
        if left is None or extras is None:
            return Facts(np.zeros_like(classes))
        asking = np.arange(len(classes))
        if self._known is not None:
            # Unchanged features had no residual edges, and none near them has changed.
            asking = np.flatnonzero(self._known.looked)
        wanted = np.zeros(len(classes), dtype=bool)
        wanted[asking] = meeting(self._data.feature_bounds()[asking], spans(left.edges, 0.0))
        wanted[named] = True
        classes[wanted & (classes != UNKNOWN)] |= np.uint8(AGAIN)
        return Facts(classes, extras=extras)

    def recalled(
        self, partial: Boundaries, _positions: NDArray[np.int64], _facts: Facts
    ) -> Boundaries:
        """Adds unchanged polygons; their edges are updated for all pieces at once."""
        return partial

    def _mapped(self, batch: FeatureBatch, known: NDArray[np.uint8] | None) -> Boundaries:
        profile = self.context.data.profile
        require_geometry(profile)
        whole = outlines(batch, profile)
        _, left_out = whole.layers(profile, (POLYGON,))
        index = whole.index
        alone = self._alone(batch.positions, whole.lone)
        bounds = self._data.feature_bounds()
        if self._known is None or self._former is None or known is None:
            remnant = whole.remnant(bounds, alone)
            chain, kept_features = remnant.chain, remnant.kept
        else:
            within = whole.within(self._former.changed, bounds, alone)
            # Edges of formerly isolated polygons are new to the chain, wherever they are.
            kept = within.inside | (known[within.runner] == ALONE)
            chain = within.take(kept)
            wanted = around(bounds[batch.positions], np.unique(within.runner[kept]))
            again = self._known.classes[batch.positions] & np.uint8(AGAIN)
            kept_features = bare(batch, np.union1d(wanted, np.flatnonzero(again)))
        return Boundaries(
            chain,
            packed(batch.positions[np.setdiff1d(index, alone, assume_unique=True)]),
            packed(batch.positions[alone]),
            left_out,
            self._keeping.admitted(kept_features),
        )

    def _alone(self, positions: NDArray[np.int64], lone: NDArray[np.int64]) -> NDArray[np.int64]:
        """Polygons of one ring whose box touches no other feature's box.

        Whether an edge has a twin nearby only saves look-ups: a polygon with one has a neighbour,
        so the answer does not depend on the partitioning.
        """
        boxes = shared_boxes(self._data)
        found = [np.empty(0, dtype=np.int64)]
        for begin in range(0, len(lone), QUERIED):
            some = lone[begin : begin + QUERIED]
            met = boxes.meetings(boxes.bounds[positions[some]])[0]
            found.append(some[np.bincount(met, minlength=len(some)) == 1])
        return np.concatenate(found)

    @property
    def _data(self) -> VectorReader:
        return cast("VectorReader", self.context.data)

    def reduce(self, partials: Sequence[Boundaries]) -> RuleOutcome:
        """All gaps; ``max_violations`` decides.

        Raises:
            RuleError: the source has no geometry column, the area of interest has no polygon, or
                another dataset cannot be brought into its CRS.

        """
        profile = self._data.profile
        require_geometry(profile)
        attached = self._members((p.positions for p in partials), ATTACHED)
        alone = self._members((p.alone for p in partials), ALONE)
        chain = self._whole([p.chain for p in partials], alone)
        left_out = Excluded.concat(p.left_out for p in partials)
        said = list(notes(self.context, left_out))
        area = self._other("within", said)
        accepted = self._other("allowed", said)

        interest = None
        if area is None:
            made = shared_faces(self._data, chain.edges)
        else:
            if not len(area[0]):
                msg = "the area of interest holds no valid polygon"
                raise RuleError(msg)
            interest = shapely.union_all(area[0])
            made = faces(np.concatenate([chain.edges, boundary_edges(interest)]))
        stop = self.context.cancelled
        known = FeatureLookup(self._data, [p.kept for p in partials])
        polygons = PolygonLookup(self._data, attached, stop, known)
        gaps = uncovered_faces(made, polygons, interest)
        gaps = without(gaps, PolygonLookup(self._data, alone, stop, known))
        gaps = gaps[within_bounds(gaps, self._bounds)]
        if accepted is not None:
            gaps = gaps[not_accepted(gaps, *accepted)]
        if alone.any():
            polygons = PolygonLookup(self._data, attached | alone, stop, known)
        rows, capped = bordering(gaps, polygons)
        if capped:
            said.append(f"only {rows.shape[1]} neighbours of a gap are named, {capped} have more")
        violations = Violations.build(
            rows, GAP, gaps, shapely.area(gaps), area_unit(profile.pyproj_crs)
        )
        return RuleOutcome(
            checked=int(attached.sum() + alone.sum()),
            violations=violations,
            message=summary(MeasureSummary.of(violations), GAP),
            notes=(*said, *self._degrees(profile)),
        )

    def _members(self, parts: Iterable[Packed], kind: int) -> NDArray[np.bool_]:
        """(n,) bool: all polygons of a class, evaluated or cached."""
        out = marked(parts, self._data.profile.count)
        if self._known is not None:
            out |= ~self._known.looked & (self._known.classes == kind)
        return out

    def _whole(self, chains: Sequence[EdgeChain], alone: NDArray[np.bool_]) -> EdgeChain:
        """The residual edges of all polygons."""
        if self._known is None or self._former is None:
            self._left = EdgeChain.sum(chains)
        else:
            # Polygons that are isolated now have no edges in the chain, even if they had before.
            gone = alone & (self._known.kinds != ALONE)
            self._left = self._former.now(chains, self._data.feature_bounds()[gone])
        return self._left

    @property
    def _bounds(self) -> Bounds:
        rule = self.rule
        return Bounds(rule.min_area, rule.max_area, rule.min_width, rule.max_width)

    def _degrees(self, profile: VectorProfile) -> tuple[str, ...]:
        if self._bounds.given and in_degrees(profile.pyproj_crs):
            return ("the bounds of gaps are in degrees",)
        return ()

    def _other(self, name: str, said: list[str]) -> tuple[NDArray[np.object_], bool] | None:
        """The polygons of ``within`` or ``allowed``, and whether they had to be transformed."""
        given = [n for n in ("within", "allowed") if getattr(self.rule, n) is not None]
        if name not in given:
            return None
        data = cast("VectorReader", self.context.others[given.index(name)])
        crs = self._data.profile.pyproj_crs
        polygons, left_out, note = all_polygons(data, crs, self.context.cancelled)
        said.extend(notes(self.context, left_out, f" of {name}"))
        said.extend([f"{name} {note}"] if note else [])
        return polygons, bool(note)
