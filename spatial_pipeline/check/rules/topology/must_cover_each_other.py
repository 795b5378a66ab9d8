"""must_cover_each_other: two datasets cover the same area, lines or points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import shapely

from spatial_pipeline.check.api import (
    ComparedLayers,
    Geometries,
    RuleOutcome,
    Violations,
    comparison_rule,
)
from spatial_pipeline.check.coverage.difference_with_union import COVERS, uncovered
from spatial_pipeline.check.crs.transformation import area_unit, in_degrees, length_unit
from spatial_pipeline.check.feature_keys import keyed
from spatial_pipeline.check.geometry.eligible import LINE, POINT, POLYGON, of_dimension
from spatial_pipeline.check.geometry.unjudged import OTHERS_LEFT, notes
from spatial_pipeline.check.join.paired_diff import transformation
from spatial_pipeline.check.join.surroundings import Surroundings, placed
from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.contract.rules.overlay import MustCoverEachOther
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader

REASONS = ("not covered by the other dataset", "of the other dataset, not covered")


@dataclass(frozen=True)
class UncoveredParts:
    """Uncovered parts of some features.

    Attributes:
        side: 0 for features of the dataset under check, 1 for those of the other one.
        checked: features judged.
        violations: one for each feature and dimension.
        said: number of features for each note.

    """

    side: int
    checked: int
    violations: Violations
    said: Counter[str]


@dataclass(frozen=True)
class CoverSide:
    """One of the two datasets.

    Attributes:
        data: its features.
        condition: SQL that selects them, None for all.
        around: finds them around others.

    """

    data: VectorReader
    condition: str | None
    around: Surroundings

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the condition."""
        return columns_of(self.condition or "", [c.name for c in self.data.profile.columns])

    def selected(self, batch: FeatureBatch) -> FeatureBatch:
        """The features of a batch that take part."""
        return batch if self.condition is None else batch.take(mask(batch.table, self.condition))


def conclude(
    rule: MustCoverEachOther, layers: ComparedLayers, parts: Sequence[UncoveredParts]
) -> RuleOutcome:
    """All uncovered parts, and the features of both sides that were left out."""
    ours, theirs = (sum((p.said for p in parts if p.side == s), Counter()) for s in (0, 1))
    crs = [d.profile.pyproj_crs for d in (layers.here, *layers.others)]
    moved = transformation(crs[0], crs[1])
    degrees = ("tolerance in degrees",) if rule.tolerance and in_degrees(crs[0]) else ()
    return RuleOutcome(
        checked=sum(p.checked for p in parts),
        violations=Violations.concat(p.violations for p in parts),
        notes=(*notes(ours), *notes(theirs, OTHERS_LEFT), *filter(None, [moved]), *degrees),
    )


@comparison_rule(conclude)
def plan(rule: MustCoverEachOther, layers: ComparedLayers) -> Iterable[Callable[[], Any]]:
    """Uncovered parts of every batch of both datasets, in the CRS of the one under check."""
    crs = layers.here.profile.pyproj_crs
    sides = tuple(
        CoverSide(data, condition, Surroundings(data, crs))
        for data, condition in zip(
            (layers.here, layers.others[0]), (rule.where, rule.other_where), strict=True
        )
    )
    return [
        partial(_uncovered, rule, layers, sides, side, index)
        for side in (0, 1)
        for index in range(sides[side].data.batch_count())
    ]


def _uncovered(
    rule: MustCoverEachOther,
    layers: ComparedLayers,
    sides: tuple[CoverSide, ...],
    side: int,
    index: int,
) -> UncoveredParts:
    layers.cancelled()
    mine, cover = sides[side], sides[1 - side]
    crs = layers.here.profile.pyproj_crs
    batch = mine.selected(mine.data.batch(index, mine.columns))
    batch = placed(batch, crs)[0] if side else batch
    near = cover.selected(cover.around.near(batch, 0.0, cover.columns))
    features, said = Geometries.of(batch, mine.data.profile, valid=True)
    covers, _ = Geometries.of(near, cover.data.profile, valid=True)
    by_dimension = {d: of_dimension(covers.geometry, d) for d in (POINT, LINE, POLYGON)}
    found = []
    units = {POLYGON: area_unit(crs), LINE: length_unit(crs), POINT: ""}
    for dimension in (POLYGON, LINE, POINT):
        shapes = shapely.force_2d(of_dimension(features.geometry, dimension))
        held = np.flatnonzero(~shapely.is_missing(shapes))
        usable = [by_dimension[d] for d in COVERS[dimension]]
        rest, size = uncovered(
            shapes[held],
            [some[~shapely.is_missing(some)] for some in usable],
            dimension,
            rule.tolerance,
            layers.cancelled,
        )
        left = np.flatnonzero(~shapely.is_missing(rest))
        rows = batch.rows[features.index[held[left]]]
        keys = None
        if side:
            keys = keyed(Violations.build(rows, ""), mine.data, layers.key).keys
            rows = np.full(len(rows), -1)
        found.append(
            Violations.build(
                rows,
                REASONS[side],
                rest[left],
                size[left],
                units[dimension],
                keys=None if keys is None else keys.tolist(),
            )
        )
    return UncoveredParts(side, len(features), Violations.concat(found), said)
