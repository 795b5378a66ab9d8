"""must_not_have_gaps: polygons leave no void between them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, Context, evaluates
from spatial_pipeline.check.boxes import Boxes, diagonals
from spatial_pipeline.check.crs import area_unit, in_degrees
from spatial_pipeline.check.geometries import require_geometry
from spatial_pipeline.check.topology.arrangement import (
    Chain,
    boundary_edges,
)
from spatial_pipeline.check.topology.faces import faces, shared_faces
from spatial_pipeline.check.topology.judged import POLYGON, LeftOut, notes
from spatial_pipeline.check.topology.known import Known
from spatial_pipeline.check.topology.lookup import Polygons, all_polygons
from spatial_pipeline.check.topology.measured import summary
from spatial_pipeline.check.topology.outlines import outlines
from spatial_pipeline.check.topology.overlap_pairs import QUERIED
from spatial_pipeline.check.topology.voids import (
    Bounds,
    bordering,
    not_accepted,
    uncovered_faces,
    within_bounds,
    without,
)
from spatial_pipeline.contract.rules.topology import MustNotHaveGaps
from spatial_pipeline.errors import RuleError
from spatial_pipeline.pieces import FeatureBatch, VectorData
from spatial_pipeline.results import Findings, Outcome
from spatial_pipeline.versions import VectorProfile

GAP = "gap"


@dataclass(frozen=True)
class Boundaries:
    """Partial result of one batch.

    Attributes:
        chain: what is left of the edges of its polygons, those that stand alone apart.
        positions: staged positions of the polygons of the chain.
        alone: staged positions of simple polygons whose box touches no other feature's.
        left_out: features that a note must speak of.
        kept: the polygons of the chain's edges.

    """

    chain: Chain
    positions: NDArray[np.int64]
    alone: NDArray[np.int64]
    left_out: LeftOut
    kept: FeatureBatch


@evaluates(MustNotHaveGaps)
class MustNotHaveGapsCheck(BatchCheck[MustNotHaveGaps]):
    """A gap is a bounded component of the complement of the union of the polygons.

    So a void that only points close counts, also between parts of one feature, as does a hole that
    no other polygon fills; islands in a void are taken out of it. Twin edges cancel batch by batch
    and then over all batches; the bounded faces of what is left that no polygon covers are the
    voids. Those whose area may be rounding alone (see ``arrangement.noise``) are none. With an
    area of interest, its border takes part and only faces inside of it count, closed or not.
    Polygons that stand alone, as most buildings do, close no void: they are only taken out of them.
    """

    needs_geometry: ClassVar[bool] = False

    def __init__(self, rule: MustNotHaveGaps, context: Context) -> None:
        super().__init__(rule, context)
        self._lock = threading.Lock()
        self._boxes: Boxes | None = None

    def map(self, batch: FeatureBatch) -> Boundaries:
        """What is left of the edges of this batch.

        Raises:
            RuleError: the source has no geometry column.

        """
        profile = self.context.data.profile
        require_geometry(profile)
        whole = outlines(batch, profile)
        _, left_out = whole.layers(profile, (POLYGON,))
        index = whole.index
        alone = self._alone(batch.positions, whole.lone)
        remnant = whole.remnant(self._all_boxes().bounds, alone)
        return Boundaries(
            remnant.chain,
            batch.positions[np.setdiff1d(index, alone, assume_unique=True)],
            batch.positions[alone],
            left_out,
            remnant.kept,
        )

    def _alone(self, positions: NDArray[np.int64], lone: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those polygons of one ring whose box touches no other feature's.

        Whether an edge has a twin nearby only saves look-ups: a polygon with one has a neighbour,
        so the answer does not depend on how the data was cut.
        """
        boxes = self._all_boxes()
        found = [np.empty(0, dtype=np.int64)]
        for begin in range(0, len(lone), QUERIED):
            some = lone[begin : begin + QUERIED]
            met = boxes.query(diagonals(boxes.bounds[positions[some]]))[0]
            found.append(some[np.bincount(met, minlength=len(some)) == 1])
        return np.concatenate(found)

    def _all_boxes(self) -> Boxes:
        with self._lock:
            if self._boxes is None:
                self._boxes = Boxes(self._data.feature_bounds())
            return self._boxes

    @property
    def _data(self) -> VectorData:
        return cast("VectorData", self.context.data)

    def reduce(self, partials: Sequence[Boundaries]) -> Outcome:
        """All gaps; ``max_violations`` decides.

        Raises:
            RuleError: the source has no geometry column, the area of interest has no polygon, or
                another dataset cannot be brought into its CRS.

        """
        profile = self._data.profile
        require_geometry(profile)
        chain = Chain.sum([p.chain for p in partials])
        attached = np.concatenate([np.empty(0, np.int64), *(p.positions for p in partials)])
        alone = np.concatenate([np.empty(0, np.int64), *(p.alone for p in partials)])
        left_out = LeftOut.concat(p.left_out for p in partials)
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
        known = Known(self._data, [p.kept for p in partials])
        polygons = Polygons(self._data, attached, stop, known)
        gaps = uncovered_faces(made, polygons, interest)
        gaps = without(gaps, Polygons(self._data, alone, stop, known))
        gaps = gaps[within_bounds(gaps, self._bounds)]
        if accepted is not None:
            gaps = gaps[not_accepted(gaps, *accepted)]
        if len(alone):
            everything = np.concatenate([attached, alone])
            polygons = Polygons(self._data, everything, stop, known)
        rows, capped = bordering(gaps, polygons)
        if capped:
            said.append(f"only {rows.shape[1]} neighbours of a gap are named, {capped} have more")
        findings = Findings.build(
            rows, GAP, gaps, shapely.area(gaps), area_unit(profile.pyproj_crs)
        )
        return Outcome(
            checked=len(attached) + len(alone),
            findings=findings,
            message=summary(findings, GAP),
            notes=(*said, *self._degrees(profile)),
        )

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
        data = cast("VectorData", self.context.others[given.index(name)])
        crs = self._data.profile.pyproj_crs
        polygons, left_out, note = all_polygons(data, crs, self.context.cancelled)
        said.extend(notes(self.context, left_out, f" of {name}"))
        said.extend([f"{name} {note}"] if note else [])
        return polygons, bool(note)
