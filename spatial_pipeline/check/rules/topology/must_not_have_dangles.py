"""must_not_have_dangles: every end of a line touches a line."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import Context, TileCheck, evaluates
from spatial_pipeline.check.coverage.polygon_lookup import shared_boxes
from spatial_pipeline.check.crs.transformation import in_degrees, length_unit, transformed
from spatial_pipeline.check.geometry.eligible import LINE, POLYGON, Excluded, judged, notes
from spatial_pipeline.check.geometry.line_ends import FreeEnds, free_ends
from spatial_pipeline.check.incremental.feature_cache import PLAIN, UNKNOWN, Facts, Remembering
from spatial_pipeline.contract.rules.topology import MustNotHaveDangles
from spatial_pipeline.model.features import FeatureBatch, Tile
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

DANGLE, UNDERSHOOT, OVERSHOOT = "dangle", "undershoot", "overshoot"

SPACING = 0.05
"""Reach without a tolerance, as a share of the mean spacing of features."""


@dataclass(frozen=True)
class Dangles:
    """Partial result of one tile.

    Attributes:
        checked: owned features checked.
        violations: free ends of owned lines.
        left_out: owned features to mention in a note.
        exceptions_left_out: features of ``except_within`` that cannot be used.
        note: note on the transformation to the CRS of the exceptions.
        taken: number of free ends in files, by reason.

    """

    checked: int
    violations: Violations
    left_out: Excluded
    exceptions_left_out: Excluded
    note: str
    taken: Counter[str] = field(default_factory=Counter)


@evaluates(MustNotHaveDangles)
class MustNotHaveDanglesCheck(TileCheck[MustNotHaveDangles], Remembering):
    """One violation per end of a line, or of a part of one, that touches no line, its own included.

    So closed lines have no dangles, and neither have lines that end on themselves. An end that
    nearly touches a line is classified: an undershoot falls short of it, its measure is the
    distance; an overshoot runs past it, its measure is the length of the tail. Both are accepted
    when they measure no more than the tolerance. Nearly means within twice the tolerance or, when
    this is more, within a twentieth of the mean spacing of the features (the root of extent by
    count): an end farther from everything is a dangle without measure. Touching is decided exactly,
    so an end on a line to within rounding is an undershoot of about 0.
    """

    def __init__(self, rule: MustNotHaveDangles, context: Context) -> None:
        super().__init__(rule, context)

    def halo(self) -> float:
        """The reach: ends within it of a line are classified."""
        return self._reach

    @property
    def _reach(self) -> float:
        profile = cast("VectorProfile", self.context.data.profile)
        spacing = 0.0
        if profile.bounds is not None and profile.count:
            xmin, ymin, xmax, ymax = profile.bounds
            width, height = xmax - xmin, ymax - ymin
            spacing = math.sqrt(width * height / profile.count)
            spacing = spacing or max(width, height) / profile.count
        return max(2 * self.rule.tolerance, SPACING * spacing)

    def reach(self) -> float:
        """The reach of the classification of ends; equals the halo."""
        return self._reach

    def depends(self) -> tuple[str, ...] | None:
        """No other inputs; None with areas of exception, which have their own notes."""
        return () if self.rule.except_within is None else None

    def facts(self, batch: FeatureBatch, partial: Dangles) -> Facts:
        """Classes of the features: lines whose ends all touch a line."""
        classes = np.full(len(batch), PLAIN, dtype=np.uint8)
        told = np.concatenate([partial.left_out.rows, partial.violations.rows[:, 0]])
        classes[np.isin(batch.rows, told)] = UNKNOWN
        return Facts(classes)

    def recalled(self, partial: Dangles, _positions: NDArray[np.int64], facts: Facts) -> Dangles:
        """Adds the lines to those checked."""
        return replace(partial, checked=partial.checked + len(facts))

    def map(self, tile: Tile) -> Dangles:
        """The free ends of the lines that this tile owns."""
        features = tile.features
        (lines,), left_out = judged(features, self.context.data.profile, (LINE,), tile.owned)
        parts, line = shapely.get_parts(lines.geometry, return_index=True)
        index = lines.index[line]
        self.context.cancelled()
        ends = free_ends(parts, index < tile.owned, self._reach)
        self.context.cancelled()
        reason, measure, kept = self._judge(ends)
        excepted, exceptions_left_out, note = self._excepted(ends.point[kept])
        kept = kept[~excepted]
        part = ends.part[kept]
        number = np.arange(len(parts)) - np.searchsorted(line, line)
        several = shapely.get_num_geometries(lines.geometry)[line] > 1
        last = shapely.get_num_points(parts) - 1
        violations = Violations.build(
            features.rows[index[part]],
            reason[kept],
            ends.point[kept],
            measure[kept],
            length_unit(features.crs),
            part=np.where(several, number, -1)[part],
            vertex=np.where(ends.at_start[kept], 0, last[part]),
        )
        checked = int((lines.index < tile.owned).sum())
        return Dangles(checked, violations, left_out, exceptions_left_out, note)

    def _judge(
        self, ends: FreeEnds
    ) -> tuple[NDArray[np.object_], NDArray[np.float64], NDArray[np.int64]]:
        """Reason and measure of every end, and the ends that the tolerance does not accept."""
        over = ~np.isnan(ends.overshoot) & ~(ends.undershoot < ends.overshoot)
        under = ~np.isnan(ends.undershoot) & ~over
        reason = np.full(len(over), DANGLE, dtype=object)
        reason[over], reason[under] = OVERSHOOT, UNDERSHOOT
        measure = np.where(over, ends.overshoot, np.where(under, ends.undershoot, np.nan))
        if not self.rule.tolerance:
            return reason, measure, np.arange(len(over))
        return reason, measure, np.flatnonzero(~(measure <= self.rule.tolerance))

    def _excepted(self, points: NDArray[np.object_]) -> tuple[NDArray[np.bool_], Excluded, str]:
        """(n,) bool: points in the areas of exception, tested in the CRS of the areas."""
        excepted, left_out, note = np.zeros(len(points), dtype=bool), Excluded.concat([]), ""
        if self.rule.except_within is None or not len(points):
            return excepted, left_out, note
        areas = cast("VectorReader", self.context.others[0])
        here = cast("VectorProfile", self.context.data.profile).pyproj_crs
        if here is not None:
            points, note = transformed(points, here, areas.profile.pyproj_crs)
        near = np.unique(shared_boxes(areas).query(points)[1])
        batch = areas.take(near, ())
        (layer,), left_out = judged(batch, areas.profile, (POLYGON,))
        excepted[shapely.STRtree(points).query(layer.geometry, predicate="intersects")[1]] = True
        return excepted, left_out, note

    def violations_of(self, partial: Dangles) -> Violations:
        """The free ends."""
        return partial.violations

    def without_violations(self, partial: Dangles) -> Dangles:
        """The partial result without its violations, and the number of free ends by kind."""
        return replace(partial, violations=Violations.none(), taken=_kinds(partial))

    def reduce(self, partials: Sequence[Dangles]) -> RuleOutcome:
        """All free ends; ``max_violations`` decides."""
        violations = Violations.concat(p.violations for p in partials)
        said = [
            *notes(self.context, Excluded.concat(p.left_out for p in partials)),
            *notes(
                self.context,
                Excluded.concat(p.exceptions_left_out for p in partials),
                " of except_within",
            ),
            *sorted({f"ends {p.note}" for p in partials if p.note}),
        ]
        crs = cast("VectorProfile", self.context.data.profile).pyproj_crs
        if self.rule.tolerance and in_degrees(crs):
            said.append("the tolerance is in degrees")
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            violations=violations,
            message=_message(sum(map(_kinds, partials), Counter[str]())),
            notes=tuple(said),
        )


def _kinds(partial: Dangles) -> Counter[str]:
    """Number of free ends by kind, in memory or in files."""
    return partial.taken + Counter(partial.violations.reasons.tolist())


def _message(counts: Counter[str]) -> str:
    """The number of ends by kind, in words."""
    whole = counts.total()
    if not whole:
        return ""
    named = ((r, counts[r]) for r in (UNDERSHOOT, OVERSHOOT, DANGLE))
    kinds = ", ".join(f"{n} {r}{'s'[: n - 1]}" for r, n in named if n)
    return f"{whole} free line end{'s'[: whole - 1]}: {kinds}"
