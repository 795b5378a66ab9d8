"""Form of rules about ranges of numbers: base class that gathers them.

A rule subclasses :class:`RangeCheck` and names the pairs of ranges that violate it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.join.ranges import Ranges
from spatial_pipeline.contract.rules.ranges import RangeRule
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

R = TypeVar("R", bound=RangeRule)
MOST = 1_000_000
"""Pairs of ranges that are listed."""


@dataclass(frozen=True)
class GatheredRanges:
    """Ranges of a batch, as arrays of equal length n.

    Attributes:
        positions: (n,) staged positions of their features.
        one: (n,) where they begin.
        other: (n,) where they end.
        groups: (n,) the columns of the groups.
        nulls: ranges with a null, which are left out.
        whole: the numbers are integers.

    """

    positions: NDArray[np.int64]
    one: NDArray[np.float64]
    other: NDArray[np.float64]
    groups: pa.Table
    nulls: int
    whole: bool


@dataclass(frozen=True)
class RangePairs:
    """Pairs of ranges in violation.

    Attributes:
        first: (p,) places in the sorted ranges.
        second: (p,) places in the sorted ranges.
        reason: (p,) what is wrong.
        measure: (p,) how much.
        total: number of pairs, those that are not listed included.

    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    reason: Sequence[str]
    measure: NDArray[np.float64]
    total: int


class RangeCheck(BatchCheck[R]):
    """Gathers the ranges; all of a group are compared at the end, sorted."""

    needs_geometry = False

    @abstractmethod
    def pairs(self, ranges: Ranges, *, whole: bool) -> RangePairs:
        """Pairs in violation; ``whole`` says that all numbers are integers."""

    def map(self, batch: FeatureBatch) -> GatheredRanges:
        """The ranges of one batch.

        Raises:
            RuleError: a column holds no numbers.

        """
        columns = [batch.table.column(name) for name in (self.rule.from_, self.rule.to)]
        kept, whole, numbers = np.ones(len(batch), dtype=bool), True, []
        for name, column in zip((self.rule.from_, self.rule.to), columns, strict=True):
            if not (pa.types.is_null(column.type) or _is_number(column.type)):
                msg = f"column {name} holds {column.type}, no numbers"
                raise RuleError(msg)
            whole &= not pa.types.is_floating(column.type)
            number = column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy()
            numbers.append(number)
            kept &= np.isfinite(number)
        some = np.flatnonzero(kept)
        return GatheredRanges(
            batch.positions[some],
            numbers[0][some],
            numbers[1][some],
            batch.table.select(list(self.rule.group_by)).take(pa.array(some)),
            len(batch) - len(some),
            whole,
        )

    def reduce(self, partials: Sequence[GatheredRanges]) -> RuleOutcome:
        """One violation per pair, with both features."""
        if not partials:
            return RuleOutcome(0)
        one, other, positions = (
            np.concatenate([getattr(p, name) for p in partials])
            for name in ("one", "other", "positions")
        )
        group = self._groups(partials, one, other)
        ranges = Ranges.of(group, one, other)
        found = self.pairs(ranges, whole=all(p.whole for p in partials))
        nulls, back = sum(p.nulls for p in partials), int((one > other).sum())
        notes = [f"{nulls} range{'s' * (nulls != 1)} without two numbers not judged"] * bool(nulls)
        if back:
            notes.append(f"{back} range{'s' * (back != 1)} taken as if they ran forwards")
        if found.total > len(found.first):
            notes.append(f"{found.total} pairs, of which {len(found.first)} are listed")
        first, second = (positions[ranges.index[p]] for p in (found.first, found.second))
        return RuleOutcome(
            checked=len(one),
            violations=self._placed(first, second, found),
            count=found.total,
            notes=tuple(notes),
        )

    def _groups(
        self,
        partials: Sequence[GatheredRanges],
        one: NDArray[np.float64],
        other: NDArray[np.float64],
    ) -> NDArray[np.int64]:
        group = np.zeros(len(one), dtype=np.int64)
        if self.rule.group_by:
            group = join_keys.groups(pa.concat_tables([p.groups for p in partials]))
        if self.rule.parity:
            group = group * 2 + (np.minimum(one, other) % 2 == 1)
        return group

    def _placed(
        self, first: NDArray[np.int64], second: NDArray[np.int64], found: RangePairs
    ) -> Violations:
        """Violations at the second range of each pair, with the keys of both."""
        if not len(first):
            return Violations.none()
        data = cast("VectorReader", self.context.data)
        here = data.take(second, ())
        there = data.take(first, (), geometry=False)
        rows = np.stack([here.rows, there.rows], axis=1)
        spots = places(here.geometry)
        return Violations.build(rows, list(found.reason), spots, measure=found.measure)


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


__all__ = ["MOST", "RangeCheck", "RangePairs"]
