"""Form of join rules: a function of features and the rows of another dataset with their key.

A rule is a function that is decorated by :func:`join_rule`. It gets its model and some features
with the number of their related rows, and returns the violations; with ``pairs=True`` it gets every
feature with each related row. Reading, joining, conditions of both sides, nulls, notes, places and
registration are done here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar, cast, get_type_hints

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.base import PlannedCheck, evaluates
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.join.key_join import AT_ONCE, Side
from spatial_pipeline.check.join.related import Related, related
from spatial_pipeline.check.join.where_filter import both_sides, columns_of, truth
from spatial_pipeline.contract.rules.joins import JoinRule
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.arrow_json import json_values
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

PAIRS = 1 << 18
"""Pairs that are read and judged at once."""
ALONE, NULL = "without a related row", "because of a null"


@dataclass(frozen=True)
class JoinedRows:
    """Features with a whole key, as arrays of equal length n.

    Attributes:
        data: their dataset.
        positions: (n,) staged positions.
        table: (n,) the columns that the rule names.
        count: (n,) related rows of each.

    """

    data: VectorReader
    positions: NDArray[np.int64]
    table: pa.Table
    count: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.positions)

    def labels(self, names: Sequence[str], row: NDArray[np.int64]) -> list[str]:
        """Values of some columns as text: ``a = 1, b = 'x'``."""
        columns = [json_values(self.table.column(n).take(pa.array(row))) for n in names]
        return [
            ", ".join(f"{n} = {v!r}" for n, v in zip(names, values, strict=True))
            for values in zip(*columns, strict=True)
        ]

    def violations(
        self, row: NDArray[np.int64], reason: Sequence[str], measure: Any = np.nan, unit: str = ""
    ) -> Violations:
        """Violations of (m,) rows, placed on their geometries."""
        if not len(row):
            return Violations.none()
        features = self.data.take(self.positions[row], ())
        spots = places(features.geometry)
        return Violations.build(features.rows, reason, spots, measure=measure, unit=unit)


@dataclass(frozen=True)
class JoinedPairs(JoinedRows):
    """Features, each once for every related row; ``count`` is 1.

    Attributes:
        other: (n,) columns of the related rows.

    """

    other: pa.Table

    @property
    def both(self) -> pa.Table:
        """(n,) a struct ``a`` of the feature and a struct ``b`` of the related row."""
        return both_sides(self.table, self.other, len(self))


@dataclass(frozen=True)
class JoinResult:
    """Partial result of some features.

    Attributes:
        checked: features, or pairs, judged.
        lost: those that were not judged, by the reason.
        found: violations.

    """

    checked: int
    lost: Counter[str]
    found: Violations


Evaluate = Callable[[Any, Any], Violations | tuple[Violations, NDArray[np.bool_]]]
E = TypeVar("E", bound=Evaluate)


class JoinRuleCheck(PlannedCheck[JoinRule]):
    """Evaluates a function that :func:`join_rule` decorates."""

    function: ClassVar[Evaluate]
    pairs: ClassVar[bool]

    def plan(self) -> Iterable[Callable[[], JoinResult]]:
        """Joins the keys, then judges the features in bounded chunks.

        Raises:
            RuleError: there is nothing to join with, a column is missing, keys cannot be compared.

        """
        if not self.context.others:
            msg = "nothing to compare with"
            raise RuleError(msg)
        rule, cancelled = self.rule, self.context.cancelled
        data, other = (cast("VectorReader", d) for d in (self.context.data, self.context.others[0]))
        here = Side.of(data, rule.own_key, rule.where, cancelled)
        there = Side.of(other, rule.other_key, rule.other_where, cancelled)
        found = related(here, there)
        judged = np.flatnonzero(found.judged)
        lost = JoinResult(0, Counter(nulls=found.nulls), Violations.none())
        chunks = [judged[i : i + AT_ONCE] for i in range(0, len(judged), AT_ONCE)]
        return [lambda: lost, *(partial(self._judged, found, chunk) for chunk in chunks)]

    def _judged(self, found: Related, positions: NDArray[np.int64]) -> JoinResult:
        data = cast("VectorReader", self.context.data)
        if not self.pairs and self.rule.unless is None:
            table = data.take(positions, self._columns(data), geometry=False).table
            return self._called(JoinedRows(data, positions, table, found.count[positions]))
        results = []
        for block in found.blocks(positions, PAIRS):
            self.context.cancelled()
            results.append(self._block(found, block))
        lost = sum((r.lost for r in results), Counter())
        violations = Violations.concat(r.found for r in results)
        return JoinResult(sum(r.checked for r in results), lost, violations)

    def _block(self, found: Related, positions: NDArray[np.int64]) -> JoinResult:
        data, other = (cast("VectorReader", d) for d in (self.context.data, self.context.others[0]))
        table = data.take(positions, self._columns(data), geometry=False).table
        index, partners = found.pairs(positions)
        theirs = other.take(partners, self._other_columns(other), geometry=False).table
        ours = table.take(pa.array(index))
        if self.rule.unless is not None:
            kept = np.flatnonzero(
                truth(both_sides(ours, theirs, len(ours)), self.rule.unless, "unless") != 1
            )
            index, ours, theirs = index[kept], ours.take(pa.array(kept)), theirs.take(kept)
        count = np.bincount(index, minlength=len(positions))
        if not self.pairs:
            return self._called(JoinedRows(data, positions, table, count))
        result = self._called(
            JoinedPairs(data, positions[index], ours, np.ones(len(index), np.int64), theirs)
        )
        result.lost[ALONE] = int((count == 0).sum())
        return result

    def _called(self, rows: JoinedRows) -> JoinResult:
        if not len(rows):
            return JoinResult(0, Counter(), Violations.none())
        found = type(self).function(self.rule, rows)
        found, lost = found if isinstance(found, tuple) else (found, np.zeros(0, dtype=bool))
        nulls = int(lost.sum())
        return JoinResult(len(rows) - nulls, Counter({NULL: nulls}), found)

    def _columns(self, data: VectorReader) -> tuple[str, ...]:
        names = [c.name for c in data.profile.columns]
        said = columns_of("\n".join(self.rule.pair_sql), names)
        return tuple(dict.fromkeys((*self.rule.columns(), *said)))

    def _other_columns(self, other: VectorReader) -> tuple[str, ...]:
        names = [c.name for c in other.profile.columns]
        asked = getattr(self.rule, "other_columns", None) or ()
        missing = [c for c in asked if c not in names]
        if missing:
            msg = f"needs column {', '.join(missing)} in {other.profile.uri}"
            raise RuleError(msg)
        said = columns_of("\n".join(self.rule.pair_sql), names)
        return tuple(dict.fromkeys((*self.rule.other_key, *asked, *said)))

    def violations_of(self, partial: JoinResult) -> Violations:
        """The violations."""
        return partial.found

    def without_violations(self, partial: JoinResult) -> JoinResult:
        """Counts of judged and excluded features."""
        return JoinResult(partial.checked, partial.lost, Violations.none())

    def reduce(self, partials: Sequence[JoinResult]) -> RuleOutcome:
        """All violations, and what was not judged."""
        lost = sum((p.lost for p in partials), Counter())
        pairs = "pair" if self.pairs else "row"
        said = {
            "nulls": ("row", "with a null in the key not judged"),
            ALONE: ("row", f"{ALONE} not judged"),
            NULL: (pairs, f"not judged {NULL}"),
        }
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            violations=Violations.concat(p.found for p in partials),
            notes=tuple(
                f"{lost[name]} {what}{'s' * (lost[name] != 1)} {text}"
                for name, (what, text) in said.items()
                if lost[name]
            ),
        )


def join_rule(*, pairs: bool = False) -> Callable[[E], E]:
    """Registers a function as the evaluation of the rule model of its first parameter.

    Args:
        pairs: the function gets each feature with each related row (:class:`JoinedPairs`), and may
            return which pairs it could not judge, too.

    """

    def register(function: E) -> E:
        model = next(iter(get_type_hints(function).values()))
        parts = {
            "function": staticmethod(function),
            "pairs": pairs,
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        evaluates(model)(type(f"{model.__name__}Check", (JoinRuleCheck,), parts))
        return function

    return register
