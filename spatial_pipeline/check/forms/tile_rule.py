"""Form of tile rules: a function that sees the features of a tile and their neighbours.

A rule is a function decorated by :func:`tile_rule`. It gets its model and a
:class:`Neighbourhood`, and returns all violations in it; the form keeps those that the tile
reports. Counts, notes, the cache over versions and registration are as in ``feature_rule``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeVar, get_type_hints

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import TileCheck, evaluates
from spatial_pipeline.check.forms.degrees import with_degrees
from spatial_pipeline.check.forms.feature_rule import Features
from spatial_pipeline.check.forms.geometry_check import Judged, JudgingCheck
from spatial_pipeline.check.geometry.eligible import of_dimension
from spatial_pipeline.check.geometry.unjudged import require_geometry
from spatial_pipeline.check.incremental.feature_cache import Facts
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.features import FeatureBatch, Tile
from spatial_pipeline.model.violations import RuleOutcome, Violations

N = TypeVar("N", bound="Neighbourhood")


@dataclass(frozen=True)
class Neighbourhood:
    """The eligible features of a tile and of its halo, n in all.

    Attributes:
        features: the features, those of the tile first.
        owned: number of those of the tile.
        cancelled: raises when the time is up; long loops call it.

    """

    features: Features
    owned: int
    cancelled: Callable[[], None] = field(default=lambda: None)

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def geometry(self) -> NDArray[np.object_]:
        """(n,) parts of the judged dimension in the XY plane; copies, which may be prepared."""
        return plain_shapes(self.features)

    @property
    def position(self) -> NDArray[np.int64]:
        """(n,) staged positions."""
        return self.features.batch.positions[self.features.index]

    def reports(self, feature: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(m,) bool: the tile owns the feature of lowest position among (m, k), padded with -1."""
        position = np.append(self.position, np.iinfo(np.int64).max)[feature]
        first = np.take_along_axis(feature, position.argmin(axis=1)[:, np.newaxis], axis=1)
        return np.asarray(first[:, 0] < self.owned)

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
        """Violations of some of the features: those among them that this tile reports.

        Args:
            feature: (m,) or (m, k) indices of all features of each violation, padded with -1.
            reason: what is wrong, one text or (m,) of them.
            geometry: (m,) the defects themselves.
            measure: (m,) sizes of the defects.
            unit: unit of the measures.
            part: (m,) numbers of the parts.
            ring: (m,) numbers of the rings.
            vertex: (m,) numbers of the vertices.

        """
        index = np.asarray(feature, dtype=np.int64)
        index = index[:, np.newaxis] if index.ndim == 1 else index
        rows = np.append(self.features.batch.rows[self.features.index], -1)[index]
        every = Violations.build(rows, reason, geometry, measure, unit, part, ring, vertex)
        return every.take(np.flatnonzero(self.reports(index)))

    def equal(
        self, one: NDArray[np.int64], other: NDArray[np.int64], columns: Sequence[str]
    ) -> NDArray[np.bool_]:
        """(m,) bool: pairs of features with equal values in all columns; null equals null."""
        return equal_values(self.features, one, self.features, other, columns, columns)

    def classes(self, columns: Sequence[str]) -> NDArray[np.int64]:
        """(n,) numbers of the features, equal for equal values in all columns; null equals null."""
        found = [_codes(values, values) for values in map(self.features.column, columns)]
        count = len(self.geometry)
        rows = np.stack([codes[:count] for codes in found], axis=1)
        return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def plain_shapes(features: Features, dimension: int | None = None) -> NDArray[np.object_]:
    """(n,) the parts of the dimensions that are judged, in the XY plane; copies.

    Args:
        features: the features.
        dimension: parts of this dimension only, None where there are none.

    """
    wanted = features.dimensions
    if dimension is None and wanted is not None and len(wanted) == 1:
        (dimension,) = wanted
    shapes = features.geometry
    if dimension is not None:
        shapes = of_dimension(shapes, dimension)
    return np.asarray(shapely.force_2d(shapes), dtype=object)


def equal_values(
    one_side: Features,
    one: NDArray[np.int64],
    other_side: Features,
    other: NDArray[np.int64],
    own_columns: Sequence[str],
    other_columns: Sequence[str],
) -> NDArray[np.bool_]:
    """(m,) bool: pairs with equal values in columns of either side; null equals null."""
    equal = np.ones(len(one), dtype=bool)
    for mine, theirs in zip(own_columns, other_columns, strict=True):
        left, right = one_side.column(mine), other_side.column(theirs)
        codes = _codes(left, right)
        equal &= codes[: len(left)][one] == codes[len(left) :][other]
    return equal


def _codes(left: pa.ChunkedArray, right: pa.ChunkedArray) -> NDArray[np.int64]:
    """Numbers of the values of both columns, equal where these are equal."""
    if left.type != right.type:
        types = (left.type, right.type)
        numeric = all(pa.types.is_integer(t) or pa.types.is_floating(t) for t in types)
        common = pa.float64() if numeric else pa.string()
        left, right = left.cast(common), right.cast(common)
    both = pa.chunked_array([*left.chunks, *right.chunks], type=left.type)
    encoded = both.combine_chunks().dictionary_encode(null_encoding="encode")
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


class TileRuleCheck(JudgingCheck[Rule], TileCheck[Rule]):
    """Evaluates a function that :func:`tile_rule` decorates."""

    judges: ClassVar[type[Features]]
    evaluate: ClassVar[Callable[[Any, Any], Violations]]
    around: ClassVar[Callable[[Any], float]]

    def halo(self) -> float:
        """Distance within which a feature of a violation lies from another one of it."""
        return float(type(self).around(self.rule))

    def map(self, tile: Tile) -> Judged:
        """The violations that this tile reports."""
        profile = self.context.data.profile
        require_geometry(profile)
        owned = tile.features.take(np.arange(tile.owned))
        mine, said = self.judges.of(owned, profile, valid=True)
        every, _ = self.judges.of(tile.features, profile, valid=True)
        if not len(mine):
            return Judged(0, Violations.none(), said)
        seen = Neighbourhood(every, len(mine), self.context.cancelled)
        return Judged(len(mine), type(self).evaluate(self.rule, seen), said)

    def reduce(self, partials: Sequence[Judged]) -> RuleOutcome:
        """All violations, the excluded features, and the unit of bounds when it is an angle."""
        return with_degrees(super().reduce(partials), self.rule, self.context.data.profile)

    def reach(self) -> float:
        """The halo: what happens beyond it changes nothing."""
        return self.halo()

    def depends(self) -> Sequence[Any] | None:
        """No other inputs; None when attributes decide, which disables the cache."""
        return None if self.rule.columns() else ()

    def facts(self, batch: FeatureBatch, partial: Judged) -> Facts:
        """The facts common to all geometry checks, for the features that were checked."""
        features, _ = self.judges.of(batch, self.context.data.profile, valid=True)
        return super().facts(batch, partial).only(features.index)


T = TypeVar("T")


def tile_rule(
    judges: type[Features], *, halo: float | Callable[[Any], float] = 0.0
) -> Callable[[Callable[[Any, T], Violations]], Callable[[Any, T], Violations]]:
    """Registers a function as the evaluation of the rule model of its first parameter.

    The function gets the rule and a :class:`Neighbourhood` of the valid eligible features. All
    features of a violation must touch one another's boxes when these are widened by the halo; the
    tile that owns the one of lowest position reports it.

    Args:
        judges: eligible features; all others are counted and noted.
        halo: distance in units of the CRS, or a function of the rule that gives it.

    """

    def register(function: Callable[[Any, T], Violations]) -> Callable[[Any, T], Violations]:
        model = next(iter(get_type_hints(function).values()))
        parts = {
            "judges": judges,
            "notes_depth": True,
            "around": staticmethod(halo if callable(halo) else lambda _rule: halo),
            "evaluate": staticmethod(function),
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        evaluates(model)(type(f"{model.__name__}Check", (TileRuleCheck,), parts))
        return function

    return register


__all__ = ["Neighbourhood", "TileRuleCheck", "equal_values", "plain_shapes", "tile_rule"]
