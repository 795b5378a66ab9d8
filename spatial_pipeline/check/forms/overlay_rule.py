"""Form of overlay rules: a function that sees features and those of another dataset around them.

A rule is a function decorated by :func:`overlay_rule`. It gets its model and an :class:`Overlay`,
and returns the violations. The features of the other dataset come in the CRS of this one, found by
their boxes. A rule whose model names no other dataset sees its own dataset as the other one.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar, TypeVar, cast, get_type_hints

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.base import Context, TileComparisonCheck, evaluates
from spatial_pipeline.check.feature_keys import keyed
from spatial_pipeline.check.forms.degrees import with_degrees
from spatial_pipeline.check.forms.feature_rule import Features
from spatial_pipeline.check.forms.geometry_check import Judged, JudgingCheck
from spatial_pipeline.check.forms.tile_rule import equal_values, plain_shapes
from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.check.geometry.related_pairs import Pairs, apart, related, within_reach
from spatial_pipeline.check.geometry.unjudged import OTHERS_LEFT, notes, require_geometry
from spatial_pipeline.check.incremental.feature_cache import Facts
from spatial_pipeline.check.join.where_filter import both_sides, columns_of, mask, truth
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

PAIRS = 1 << 18
"""Pairs of which a condition is judged at once."""


def _nothing_beside(_columns: Sequence[str], _reach: float) -> Features:
    msg = "an overlay without a dataset has nothing beside it"
    raise RuleError(msg)


@dataclass(frozen=True)
class Overlay:
    """Eligible features of a piece, and those of the other dataset around them.

    Attributes:
        features: n features of this dataset.
        other: m features of the other dataset, or of this one where there is no other.
        itself: both are of this dataset.
        context: of the check.
        dimension: only parts of this dimension are seen; None for all that are judged.
        match: own column → other column, which are equal in pairs.
        unless: SQL over a and b, which is not true of pairs.
        beside: (columns, reach) → eligible features of this dataset within reach of the piece's
            boxes, without those of the piece.

    """

    features: Features
    other: Features
    itself: bool
    context: Context = field(repr=False)
    dimension: int | None = None
    match: Mapping[str, str] = field(default_factory=dict)
    unless: str | None = None
    beside: Callable[[Sequence[str], float], Features] = field(default=_nothing_beside, repr=False)

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def geometry(self) -> NDArray[np.object_]:
        """(n,) parts of the judged dimension in the XY plane; copies, which may be prepared."""
        return plain_shapes(self.features, self.dimension)

    @cached_property
    def other_geometry(self) -> NDArray[np.object_]:
        """(m,) the same of the other dataset."""
        return plain_shapes(self.other, self.dimension)

    def of(self, dimension: int) -> Overlay:
        """The same features, seen as their parts of one dimension; None where there are none."""
        return replace(self, dimension=dimension)

    def cancelled(self) -> None:
        """Raises when the time is up; long loops call it."""
        self.context.cancelled()

    def pairs(self, relation: str, *, once: bool = False) -> Pairs:
        """Pairs of a feature and one of the other dataset in a relation, never with itself.

        Args:
            relation: name of a predicate or DE-9IM mask of (feature, other).
            once: within one dataset, a pair comes once, the lower position first.

        """
        # A predicate costs more than anything of a pair with itself, and of one that comes again.
        wanted = partial(self._others, once=once) if self.itself else None
        one, other = related(self.geometry, self.other_geometry, relation, self.cancelled, wanted)
        kept = self.different(one, other, once=once)
        return one[kept], other[kept]

    def near(self, reach: float, *, once: bool = False) -> Pairs:
        """Pairs at most ``reach`` apart; with a reach of 0 those that intersect."""
        one, other = within_reach(self.geometry, self.other_geometry, reach, self.cancelled)
        kept = self.different(one, other, once=once)
        return one[kept], other[kept]

    def apart(
        self, reach: float, chosen: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """The pairs of :meth:`near` and their distances, of some of the features or of all."""
        some = np.arange(len(self)) if chosen is None else np.flatnonzero(chosen)
        one, other, distance = apart(
            self.geometry[some], self.other_geometry, reach, self.cancelled
        )
        one = some[one]
        kept = self.different(one, other)
        return one[kept], other[kept], distance[kept]

    def different(
        self, one: NDArray[np.int64], other: NDArray[np.int64], *, once: bool = False
    ) -> NDArray[np.bool_]:
        """(k,) bool: the pairs of different features that match; see :meth:`pairs`."""
        match = self.match
        kept = self.equal(one, other, tuple(match), tuple(match.values()))
        if self.itself:
            kept &= self._others(one, other, once=once)
        if self.unless is not None:
            asked = np.flatnonzero(kept)
            kept[asked] = ~self._excused(one[asked], other[asked], once=once and self.itself)
        return kept

    def _others(
        self, one: NDArray[np.int64], other: NDArray[np.int64], *, once: bool
    ) -> NDArray[np.bool_]:
        here = self.features.batch.positions[self.features.index[one]]
        there = self.other.batch.positions[self.other.index[other]]
        return np.asarray(here < there if once else here != there)

    def _excused(
        self, one: NDArray[np.int64], other: NDArray[np.int64], *, once: bool
    ) -> NDArray[np.bool_]:
        """(k,) bool: pairs of which ``unless`` is true; either way round for pairs that come once.

        Raises:
            RuleError: it is no expression over the columns of both.

        """
        excused = np.zeros(len(one), dtype=bool)
        for begin in range(0, len(one), PAIRS):
            self.cancelled()
            i, j = one[begin : begin + PAIRS], other[begin : begin + PAIRS]
            here = self.features.batch.table.take(pa.array(self.features.index[i]))
            there = self.other.batch.table.take(pa.array(self.other.index[j]))
            ways = [(here, there), (there, here)] if once else [(here, there)]
            for a, b in ways:
                pairs = both_sides(a, b, len(i))
                excused[begin : begin + PAIRS] |= truth(pairs, self.unless or "", "unless") == 1
        return excused

    def equal(
        self,
        one: NDArray[np.int64],
        other: NDArray[np.int64],
        own: Sequence[str],
        his: Sequence[str],
    ) -> NDArray[np.bool_]:
        """(k,) bool: pairs with equal values in columns of either side; null equals null."""
        return equal_values(self.features, one, self.other, other, own, his)

    def violations(
        self,
        feature: NDArray[np.integer[Any]],
        reason: str | Sequence[str],
        geometry: Any = None,
        measure: Any = np.nan,
        unit: str = "",
        other: NDArray[np.integer[Any]] | None = None,
        part: Any = -1,
        vertex: Any = -1,
    ) -> Violations:
        """Violations of some of the features, with the keys of both sides.

        Args:
            feature: (k,) indices of features.
            reason: what is wrong, one text or (k,) of them.
            geometry: (k,) the defects themselves.
            measure: (k,) sizes of the defects.
            unit: unit of the measures.
            other: (k,) indices of features of the other dataset, -1 for none.
            part: (k,) numbers of the parts.
            vertex: (k,) numbers of the vertices.

        """
        index = np.asarray(feature, dtype=np.int64)
        rows = self.features.batch.rows[self.features.index[index]][:, np.newaxis]
        if other is None or not len(index):
            return Violations.build(rows, reason, geometry, measure, unit, part, -1, vertex)
        theirs = np.append(self.other.batch.rows[self.other.index], -1)[np.asarray(other, np.int64)]
        if self.itself:
            rows = np.column_stack([rows, theirs])
            return Violations.build(rows, reason, geometry, measure, unit, part, -1, vertex)
        data, key = self.context.data, self.context.key
        mine = keyed(Violations.build(rows, ""), data, key).keys
        both = keyed(Violations.build(theirs, ""), self.context.others[0], key).keys
        pairs = [(*a, *b) for a, b in zip(cast("Any", mine), cast("Any", both), strict=True)]
        return Violations.build(rows, reason, geometry, measure, unit, part, -1, vertex, keys=pairs)


@dataclass(frozen=True)
class JudgedOverlay(Judged):
    """Partial result of one piece.

    Attributes:
        others_left: reason → source rows of features of the other dataset that were not judged.

    """

    others_left: dict[str, NDArray[np.int64]] = field(default_factory=dict)


class OverlayRuleCheck(JudgingCheck[Rule], TileComparisonCheck[Rule]):
    """Evaluates a function that :func:`overlay_rule` decorates."""

    judges: ClassVar[type[Features]]
    against: ClassVar[type[Features]]
    evaluate: ClassVar[Callable[[Any, Any], Violations]]
    around: ClassVar[Callable[[Any], float]]
    columns_there: ClassVar[Callable[[Any], Sequence[str]]]
    with_itself = True

    def __init__(self, rule: Rule, context: Context) -> None:
        super().__init__(rule, context)
        self._lock = threading.Lock()
        self._own: Boxes | None = None

    @property
    def itself(self) -> bool:
        """True when the dataset is compared with itself."""
        return not self.rule.others()

    def halo(self) -> float:
        """Distance around a feature in which the other dataset matters."""
        return float(type(self).around(self.rule))

    def other_columns(self) -> tuple[str, ...]:
        """Columns of the other dataset that the rule names.

        Raises:
            RuleError: the other dataset lacks one.

        """
        there = self.context.data if self.itself else self.context.others[0]
        known = [c.name for c in cast("VectorProfile", there.profile).columns]
        named = (*type(self).columns_there(self.rule), *self._match.values())
        missing = [c for c in named if c not in known]
        if missing:
            msg = f"needs column {', '.join(missing)} in {there.profile.uri}"
            raise RuleError(msg)
        conditions = "\n".join((*self._conditions, getattr(self.rule, "unless", None) or ""))
        return tuple(dict.fromkeys((*named, *columns_of(conditions, known))))

    @property
    def _match(self) -> Mapping[str, str]:
        return getattr(self.rule, "match", {})

    @property
    def _conditions(self) -> list[str]:
        """Conditions on the features of the other dataset."""
        own = self.rule.where if self.itself else None
        there = (getattr(self.rule, name, None) for name in ("other_where", "line_where"))
        return [c for c in (own, *there) if c is not None]

    def map(self, batch: FeatureBatch, other: FeatureBatch) -> JudgedOverlay:
        """The violations of the features of this piece."""
        profile = self.context.data.profile
        require_geometry(profile)
        features, said = self.judges.of(batch, profile, valid=True)
        for condition in self._conditions:
            other = other.take(mask(other.table, condition))
        there = profile if self.itself else self.context.others[0].profile
        others, _ = self.against.of(other, there, valid=True)
        left = {} if self.itself else _left(other, self.against, there)
        if not len(features):
            return JudgedOverlay(0, Violations.none(), said, others_left=left)
        overlay = Overlay(
            features,
            others,
            self.itself,
            self.context,
            match=self._match,
            unless=getattr(self.rule, "unless", None),
            beside=partial(self._beside, batch),
        )
        found = type(self).evaluate(self.rule, overlay)
        return JudgedOverlay(len(features), found, said, others_left=left)

    def _beside(self, batch: FeatureBatch, columns: Sequence[str], reach: float) -> Features:
        """The eligible features of this dataset whose boxes are within reach of a piece's."""
        data = cast("VectorReader", self.context.data)
        with self._lock:
            if self._own is None:
                self._own = Boxes(data.feature_bounds())
        around = self._own.bounds[batch.positions]
        where = self.rule.where
        known = [c.name for c in data.profile.columns]
        read = tuple(dict.fromkeys((*columns, *columns_of(where or "", known))))
        near = data.take(self._own.near(around, reach, batch.positions), read)
        if where is not None:
            near = near.take(mask(near.table, where))
        return self.judges.of(near, data.profile, valid=True)[0]

    def reduce(self, partials: Sequence[Judged]) -> RuleOutcome:
        """All violations, the features of both sides that were left out, and the unit."""
        outcome = with_degrees(super().reduce(partials), self.rule, self.context.data.profile)
        rows: dict[str, list[NDArray[np.int64]]] = {}
        for one in cast("Sequence[JudgedOverlay]", partials):
            for reason, some in one.others_left.items():
                rows.setdefault(reason, []).append(some)
        left = Counter({reason: len(np.unique(np.concatenate(r))) for reason, r in rows.items()})
        return replace(outcome, notes=(*outcome.notes, *notes(left, OTHERS_LEFT)))

    def reach(self) -> float | None:
        """The halo within one dataset; None when neighbours do not matter."""
        return self.halo() if self.itself else None

    def depends(self) -> Sequence[Any] | None:
        """No other inputs; None when attributes decide, or when the CRS differ, which is noted."""
        attributes = self.rule.columns() or self.rule.conditions()
        if attributes or (self.itself and self._conditions):
            return None
        here, others = self.context.data.profile.crs, self.context.others
        return () if all(o.profile.crs == here for o in others) else None

    def facts(self, batch: FeatureBatch, partial: Judged) -> Facts:
        """The facts common to all geometry checks; none when others around were left out."""
        features, _ = self.judges.of(batch, self.context.data.profile, valid=True)
        known = super().facts(batch, partial).only(features.index)
        left = cast("JudgedOverlay", partial).others_left
        return known.without(slice(None)) if left else known


def _left(
    batch: FeatureBatch, against: type[Features], profile: Profile
) -> dict[str, NDArray[np.int64]]:
    """Rows of the features that are not eligible, by reason."""
    out = against.ineligible(batch, profile, valid=True)
    return {reason: batch.rows[places] for reason, places in out.items() if len(places)}


T = TypeVar("T")


def overlay_rule(
    judges: type[Features],
    against: type[Features],
    *,
    halo: float | Callable[[Any], float] = 0.0,
    columns: Callable[[Any], Sequence[str]] = lambda _rule: (),
) -> Callable[[Callable[[Any, T], Violations]], Callable[[Any, T], Violations]]:
    """Registers a function as the evaluation of the rule model of its first parameter.

    The function gets the rule and an :class:`Overlay` of the valid eligible features.

    Args:
        judges: eligible features of this dataset; all others are counted and noted.
        against: eligible features of the other dataset, likewise.
        halo: distance in units of the CRS in which the other dataset matters, or a function of
            the rule that gives it.
        columns: function of the rule that gives the columns of the other dataset.

    """

    def register(function: Callable[[Any, T], Violations]) -> Callable[[Any, T], Violations]:
        model = next(iter(get_type_hints(function).values()))
        parts = {
            "judges": judges,
            "against": against,
            "notes_depth": True,
            "around": staticmethod(halo if callable(halo) else lambda _rule: halo),
            "columns_there": staticmethod(columns),
            "evaluate": staticmethod(function),
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        evaluates(model)(type(f"{model.__name__}Check", (OverlayRuleCheck,), parts))
        return function

    return register


__all__ = ["Overlay", "OverlayRuleCheck", "overlay_rule"]
