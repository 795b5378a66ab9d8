"""Form of feature rules: a function that checks each eligible feature by itself.

A rule is a function decorated by :func:`feature_rule`. It gets its model and the eligible features
of a batch, and returns their violations. Everything else is done here: excluding ineligible
features and noting them, counts, notes, the cache over versions, registration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, TypeVar, get_type_hints

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import Context, evaluates
from spatial_pipeline.check.crs.transformation import area_unit, length_unit, operation_note
from spatial_pipeline.check.forms.degrees import with_degrees
from spatial_pipeline.check.forms.geometry_check import GeometryCheck, Judged
from spatial_pipeline.check.geometry.finite import not_finite_xy
from spatial_pipeline.check.geometry.parts import COLLECTION, Parts, simple_parts
from spatial_pipeline.check.geometry.path_vertices import Corners, PathVertices
from spatial_pipeline.check.geometry.unjudged import (
    EMPTY,
    INVALID,
    NOT_FINITE,
    NULL,
    OF_KIND,
    THREE_D,
    UNDECODABLE,
    WITHOUT_M,
    WITHOUT_Z,
    stored,
    undecodable,
)
from spatial_pipeline.check.incremental.feature_cache import Facts
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.violations import RuleOutcome, Violations

F = TypeVar("F", bound="Features")
ALL = frozenset({0, 1, 2})
"""The dimensions of parts."""


@dataclass(frozen=True)
class Features:
    """The eligible features of a batch, as arrays of equal length n.

    Attributes:
        batch: all features of the batch.
        index: (n,) int64 ascending places of the features in the batch.
        extent: bounds of the dataset, None when it has none.
        profile: profile of the dataset.
        context: of the check; None for features that are not those of one rule.
        said: number of features for each note; see :meth:`note`.

    """

    dimensions: ClassVar[frozenset[int] | None] = None
    """Dimensions of the parts that are checked; None for all."""
    keeps: ClassVar[frozenset[str]] = frozenset()
    """Reasons that exclude a feature from other rules, but not from this one."""

    batch: FeatureBatch
    index: NDArray[np.int64]
    extent: Bounds | None = None
    profile: Profile | None = None
    context: Context | None = field(default=None, repr=False)
    said: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.index)

    def cancelled(self) -> None:
        """Raises when the time of the rule is up; long loops call it."""
        if self.context is not None:
            self.context.cancelled()

    @property
    def geometry(self) -> NDArray[np.object_]:
        """(n,) geometries: not null, not empty, finite in x and y, but for what the rule keeps."""
        return self.batch.geometry[self.index]

    def wkb(self, feature: int) -> bytes | None:
        """The staged WKB of a feature, which may not decode."""
        return stored(self.batch, int(self.index[feature]))

    def note(self, kind: str, count: int = 1) -> None:
        """Counts features for a note of :mod:`~spatial_pipeline.check.geometry.unjudged`."""
        self.said[kind] += count

    @property
    def length_unit(self) -> str:
        """Symbol of the unit of the coordinates."""
        return length_unit(self.batch.crs)

    @property
    def area_unit(self) -> str:
        """Symbol of the squared unit of the coordinates."""
        return area_unit(self.batch.crs)

    def column(self, name: str) -> pa.ChunkedArray:
        """(n,) values of an attribute column that the rule names in ``columns()``."""
        return self.batch.table.column(name).take(pa.array(self.index))

    @property
    def parts(self) -> Parts:
        """The points, lines or polygons that the geometries are made of."""
        wanted = self.dimensions or ALL
        key = ("parts", type(self), len(self))
        return self.batch.memo(key, lambda: simple_parts(self.geometry, *wanted))

    @property
    def vertices(self) -> PathVertices:
        """The vertices of the parts."""
        key = ("vertices", type(self), len(self))
        return self.batch.memo(key, lambda: PathVertices.of(self.parts))

    @property
    def corners(self) -> Corners:
        """The vertices of the parts that lie between two others."""
        key = ("corners", type(self), len(self))
        return self.batch.memo(key, lambda: Corners.of(self.vertices))

    @property
    def whole(self) -> Parts:
        """The geometries themselves, each as its only part."""
        index = np.arange(len(self))
        return Parts(self.geometry, index, np.full(len(self), -1))

    def at_border(self, geometry: NDArray[np.object_]) -> NDArray[np.bool_]:
        """(m,) bool: geometries that touch the bounds of the dataset."""
        if self.extent is None:
            return np.zeros(len(geometry), dtype=bool)
        bounds = shapely.bounds(geometry).reshape(-1, 4)
        return np.asarray((bounds == np.asarray(self.extent)).any(axis=1))

    def violations(
        self,
        feature: NDArray[np.integer[Any]],
        reason: str | Sequence[str],
        geometry: Any = None,
        measure: Any = np.nan,
        unit: str = "",
        part: Any = -1,
        ring: Any = -1,
        vertex: Any = -1,
    ) -> Violations:
        """Violations of some of the features.

        Args:
            feature: (m,) index of the feature of each violation.
            reason: what is wrong, one text or (m,) of them.
            geometry: (m,) the defects themselves, not the features.
            measure: (m,) sizes of the defects.
            unit: unit of the measures.
            part: (m,) numbers of the parts.
            ring: (m,) numbers of the rings; 0 is the shell.
            vertex: (m,) numbers of the vertices.

        """
        rows = self.batch.rows[self.index[np.asarray(feature, dtype=np.int64)]]
        return Violations.build(rows, reason, geometry, measure, unit, part, ring, vertex)

    @classmethod
    def of(cls, batch: FeatureBatch, profile: Profile, *, valid: bool) -> tuple[Self, Counter[str]]:
        """The eligible features of a batch, and the number of ineligible ones of each kind.

        Args:
            batch: the features.
            profile: profile of the dataset.
            valid: invalid geometries are ineligible.

        """
        return batch.memo((cls, valid), lambda: cls._of(batch, profile, valid=valid))

    @classmethod
    def _of(
        cls, batch: FeatureBatch, profile: Profile, *, valid: bool
    ) -> tuple[Self, Counter[str]]:
        out = cls.ineligible(batch, profile, valid=valid)
        left = np.ones(len(batch), dtype=bool)
        for places in out.values():
            left[places] = False
        index = np.flatnonzero(left)
        geometry = batch.geometry[index]
        said = Counter({reason: len(places) for reason, places in out.items()})
        said[THREE_D] = int((shapely.has_z(geometry) | shapely.has_m(geometry)).sum())
        return cls(batch, index, getattr(profile, "bounds", None), profile), said

    @classmethod
    def ineligible(
        cls, batch: FeatureBatch, profile: Profile, *, valid: bool
    ) -> dict[str, NDArray[np.int64]]:
        """Places of the ineligible features of a batch, by the first reason that holds.

        Args:
            batch: the features.
            profile: profile of the dataset.
            valid: invalid geometries are ineligible.

        """
        geometry, lost = batch.geometry, undecodable(batch, profile)
        reasons = [
            (UNDECODABLE, cls._unusable(batch, lost)),
            (NULL, shapely.is_missing(geometry) & ~lost),
            (EMPTY, shapely.is_empty(geometry)),
            (NOT_FINITE, not_finite_xy(geometry)),
        ]
        reasons = [(reason, out) for reason, out in reasons if reason not in cls.keeps]
        found: dict[str, NDArray[np.int64]] = {}
        left = np.ones(len(batch), dtype=bool)
        for reason, out in (*reasons, *cls._other_kinds(geometry)):
            found[reason] = np.flatnonzero(out & left)
            left &= ~out
        if valid:
            found[INVALID] = np.flatnonzero(left & ~batch.valid)
        return found

    @classmethod
    def _unusable(cls, batch: FeatureBatch, lost: NDArray[np.bool_]) -> NDArray[np.bool_]:  # noqa: ARG003 - a class may ask
        """(n,) bool: geometries of which the rule can use nothing, among those that are lost."""
        return lost

    @classmethod
    def _other_kinds(cls, geometry: NDArray[np.object_]) -> list[tuple[str, NDArray[np.bool_]]]:
        """Geometries without a part of the dimensions."""
        if cls.dimensions is None:
            return []
        mixed = shapely.get_type_id(geometry) == COLLECTION
        found = shapely.get_dimensions(geometry)
        without = mixed.copy()
        if mixed.any():
            places = np.flatnonzero(mixed)
            parts = simple_parts(geometry[places], *cls.dimensions)
            without[places[np.unique(parts.feature)]] = False
        return [
            *((OF_KIND[d], ~mixed & (found == d)) for d in ALL - cls.dimensions),
            (OF_KIND[3], without),
        ]


class Geometries(Features):
    """Features of every type of geometry."""


class Points(Features):
    """Features with a point."""

    dimensions = frozenset({0})


class Lines(Features):
    """Features with a line."""

    dimensions = frozenset({1})


class Polygons(Features):
    """Features with a polygon."""

    dimensions = frozenset({2})


class PointsAndLines(Features):
    """Features with a point or a line."""

    dimensions = frozenset({0, 1})


class LinesAndPolygons(Features):
    """Features with a line or a polygon."""

    dimensions = frozenset({1, 2})


class WithZ(Features):
    """Features with Z."""

    @classmethod
    def _other_kinds(cls, geometry: NDArray[np.object_]) -> list[tuple[str, NDArray[np.bool_]]]:
        return [(WITHOUT_Z, ~shapely.has_z(geometry))]


class MeasuredLines(Lines):
    """Features with a line and with M."""

    @classmethod
    def _other_kinds(cls, geometry: NDArray[np.object_]) -> list[tuple[str, NDArray[np.bool_]]]:
        return [*super()._other_kinds(geometry), (WITHOUT_M, ~shapely.has_m(geometry))]


class LinesWithZ(Lines):
    """Features with a line and with Z."""

    @classmethod
    def _other_kinds(cls, geometry: NDArray[np.object_]) -> list[tuple[str, NDArray[np.bool_]]]:
        return [*super()._other_kinds(geometry), (WITHOUT_Z, ~shapely.has_z(geometry))]


Evaluate = Callable[[Any, Any], Violations]
Relies = Callable[[Any, Profile], Sequence[Any]]


def extent_of(_: Rule, profile: Profile) -> Sequence[Any]:
    """The extent of the dataset."""
    return (getattr(profile, "bounds", None),)


def nothing_else(_: Rule, __: Profile) -> Sequence[Any]:
    """Geometries alone."""
    return ()


class FeatureRuleCheck(GeometryCheck[Rule]):
    """Evaluates a function that :func:`feature_rule` decorates."""

    chosen: ClassVar[Callable[[Any], type[Features]]]
    valid: ClassVar[bool]
    evaluate: ClassVar[Evaluate]
    relies: ClassVar[Relies]
    notes_depth: ClassVar[bool] = True

    @property
    def judges(self) -> type[Features]:
        """The eligible features."""
        return type(self).chosen(self.rule)

    def judge(self, batch: FeatureBatch) -> Judged:
        """Violations of the eligible features of this batch."""
        features, said = self.judges.of(batch, self.context.data.profile, valid=self.valid)
        if not self.notes_depth:
            said = Counter({kind: n for kind, n in said.items() if kind != THREE_D})
        # The features are shared by rules; what a rule notes is not.
        features = replace(features, context=self.context, said=Counter(said))
        found = type(self).evaluate(self.rule, features) if len(features) else Violations.none()
        return Judged(len(features), found, features.said)

    def reduce(self, partials: Sequence[Judged]) -> RuleOutcome:
        """All violations, the excluded features, and the unit of bounds when it is an angle."""
        profile = self.context.data.profile
        outcome = with_degrees(super().reduce(partials), self.rule, profile)
        others = (o.profile.pyproj_crs for o in self.context.others)
        moved = [operation_note(profile.pyproj_crs, crs) for crs in others]
        return replace(outcome, notes=(*outcome.notes, *filter(None, moved)))

    def depends(self) -> Sequence[Any] | None:
        """Facts of the profile; None when attributes decide, which disables the cache."""
        if self.rule.columns():
            return None
        return type(self).relies(self.rule, self.context.data.profile)

    def facts(self, batch: FeatureBatch, partial: Judged) -> Facts:
        """The facts common to all geometry checks, for the features that were checked."""
        features, _ = self.judges.of(batch, self.context.data.profile, valid=self.valid)
        return super().facts(batch, partial).only(features.index)


def feature_rule(
    judges: type[Features] | Callable[[Any], type[Features]],
    *,
    valid: bool = False,
    deep: bool = False,
    relies: Relies = extent_of,
) -> Callable[[Callable[[Any, F], Violations]], Callable[[Any, F], Violations]]:
    """Registers a function as the evaluation of the rule model of its first parameter.

    Args:
        judges: eligible features, or a function of the rule that gives them; all others are
            counted and noted.
        valid: invalid geometries are excluded.
        deep: Z and M are checked too, so no note says that geometries were judged in the XY plane.
        relies: (rule, profile) → what the violations of a geometry depend on beside it.

    """

    def register(function: Callable[[Any, F], Violations]) -> Callable[[Any, F], Violations]:
        model = next(iter(get_type_hints(function).values()))
        parts = {
            "chosen": staticmethod((lambda _rule: judges) if isinstance(judges, type) else judges),
            "valid": valid,
            "notes_depth": not deep,
            "relies": staticmethod(relies),
            "evaluate": staticmethod(function),
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        evaluates(model)(type(f"{model.__name__}Check", (FeatureRuleCheck,), parts))
        return function

    return register
