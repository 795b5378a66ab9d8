"""Rules that judge the values of columns: a function of the values that are not null.

A rule is a function that is decorated by :func:`column_rule`. It gets its model and the values of
one column of a batch, once for each column that the model names, and returns the violations. With
``rows=True`` it gets the rows of all those columns together, nulls included, and may return which
of them it could not judge, too; with ``nulls=True`` each column with its nulls, which are judged
then. Counts, notes about nulls, places, the cache over versions and registration are done here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar, get_type_hints

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, Context, evaluates
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.join.where_filter import columns_of
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.features import FeatureBatch, computed
from spatial_pipeline.model.violations import RuleOutcome, Violations

Unjudged = NDArray[np.bool_]
"""(n,) rows that a rule could not judge because a value is null."""
ROWS = ""
"""Name under which rows that are not judged are counted, in place of that of a column."""
SHOWN = 60
"""Characters of a value that a reason shows."""


@dataclass(frozen=True)
class AttributeRows:
    """Features of a batch by their attributes, as arrays of equal length n.

    Attributes:
        batch: all features of the batch.
        index: (n,) int64 places of the features in the batch.
        table: (n,) the columns that the rule names.
        prepared: what the rule prepared once for all batches.

    """

    batch: FeatureBatch
    index: NDArray[np.int64]
    table: pa.Table
    prepared: Any = None

    def __len__(self) -> int:
        return len(self.index)

    def violations(
        self, row: Any, reason: str | Sequence[str], measure: Any = np.nan, unit: str = ""
    ) -> Violations:
        """Violations of some of the rows, placed on their geometries.

        Args:
            row: (m,) index of the row of each violation, or (n,) bool.
            reason: what is wrong, one text or (m,) of them.
            measure: (m,) sizes of the defects.
            unit: unit of the measures.

        """
        features = self.batch.take(self.index[row])
        return Violations.build(
            features.rows, reason, places(features.geometry), measure=measure, unit=unit
        )


@dataclass(frozen=True)
class Values(AttributeRows):
    """The values of one column that are not null, or all of them for a rule with ``nulls``."""

    @property
    def name(self) -> str:
        """Name of the column."""
        return str(self.table.column_names[0])

    @property
    def values(self) -> pa.ChunkedArray:
        """(n,) the values."""
        return self.table.column(0)


@dataclass(frozen=True)
class ColumnResult:
    """Partial result of one batch.

    Attributes:
        checked: values judged.
        nulls: nulls that were not judged, by column.
        found: violations.
        counts: number of violations, by column; of rules about rows none.

    """

    checked: int
    nulls: Counter[str]
    found: Violations
    counts: Counter[str] = field(default_factory=Counter)


Evaluate = Callable[[Any, Any], Violations | tuple[Violations, Unjudged]]
Prepare = Callable[[Any, Context], Any]
Says = Callable[[Any, Counter[str]], str]
E = TypeVar("E", bound=Evaluate)


class ColumnRuleCheck(BatchCheck[Rule]):
    """Evaluates a function that :func:`column_rule` decorates."""

    needs_geometry = False
    function: ClassVar[Evaluate]
    rows: ClassVar[bool]
    nulls: ClassVar[bool]
    typed: ClassVar[bool]
    says: ClassVar[Says | None]
    prepare: ClassVar[Prepare | None]

    @computed
    def prepared(self) -> Any:
        """Value that the rule prepares once for all batches."""
        prepare = type(self).prepare
        return None if prepare is None else prepare(self.rule, self.context)

    def map(self, batch: FeatureBatch) -> ColumnResult:
        """Values judged, nulls, and violations."""
        names = self.rule.columns()
        if self.rows:
            read = (
                *names,
                *columns_of("\n".join(self.rule.conditions()), batch.table.column_names),
            )
            table = batch.table.select(list(dict.fromkeys(read)))
            every = AttributeRows(batch, np.arange(len(batch)), table, self.prepared)
            found, unjudged = self._found(every)
            lost = int(unjudged.sum())
            return ColumnResult(len(batch) - lost, Counter({ROWS: lost}), found)
        parts, nulls, counts, checked = [], Counter[str](), Counter[str](), 0
        for name in names:
            values = self._values(batch, name)
            nulls[name] = len(batch) - len(values)
            checked += len(values)
            parts.append(self._found(values)[0])
            counts[name] = len(parts[-1])
        return ColumnResult(checked, nulls, Violations.concat(parts), counts)

    def _values(self, batch: FeatureBatch, name: str) -> Values:
        column = batch.table.column(name)
        if self.nulls:
            every = np.arange(len(batch))
            return Values(batch, every, pa.table({name: column}), self.prepared)
        filled = np.flatnonzero(column.is_valid().to_numpy())
        return Values(batch, filled, pa.table({name: column.drop_null()}), self.prepared)

    def _found(self, rows: AttributeRows) -> tuple[Violations, Unjudged]:
        every = np.zeros(len(rows), dtype=bool)
        if not (len(rows) or self.typed):
            return Violations.none(), every
        found = type(self).function(self.rule, rows)
        return found if isinstance(found, tuple) else (found, every)

    @property
    def _counted(self) -> tuple[str, ...]:
        """Names under which nulls are counted."""
        return (ROWS,) if self.rows else self.rule.columns()

    def violations_of(self, partial: ColumnResult) -> Violations:
        """The violations."""
        return partial.found

    def without_violations(self, partial: ColumnResult) -> ColumnResult:
        """Values judged, and nulls."""
        return replace(partial, found=Violations.none())

    def reduce(self, partials: Sequence[ColumnResult]) -> RuleOutcome:
        """All violations, and how many nulls were not judged."""
        nulls = sum((p.nulls for p in partials), Counter())
        counts = sum((p.counts for p in partials), Counter())
        says = type(self).says
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            violations=Violations.concat(p.found for p in partials),
            message=says(self.rule, counts) if says is not None and counts else "",
            notes=tuple(_unjudged(nulls[name], name) for name in self._counted if nulls[name]),
        )


def _unjudged(count: int, name: str) -> str:
    many = "s" * (count != 1)
    if name == ROWS:
        return f"{count} row{many} not judged because of a null"
    return f"{count} null{many} in {name} not judged"


def shown(value: Any) -> str:
    """A value in a reason, cut when it is long."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def column_rule(
    *,
    rows: bool = False,
    nulls: bool = False,
    typed: bool = False,
    says: Says | None = None,
    prepare: Prepare | None = None,
) -> Callable[[E], E]:
    """Registers a function as the evaluation of the rule model of its first parameter.

    Args:
        rows: the function gets all columns of the rule together, nulls included.
        nulls: the function gets each column with its nulls.
        typed: the function refuses types of columns, so it also gets a column without a value.
        says: (rule, number of violations by column) → the message, when there are any.
        prepare: called once, with the rule and its context (the other datasets); its value is
            ``prepared`` of the rows.

    """

    def register(function: E) -> E:
        model = next(iter(get_type_hints(function).values()))
        parts = {
            "function": staticmethod(function),
            "rows": rows,
            "nulls": nulls,
            "typed": typed,
            "says": None if says is None else staticmethod(says),
            "prepare": None if prepare is None else staticmethod(prepare),
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        evaluates(model)(type(f"{model.__name__}Check", (ColumnRuleCheck,), parts))
        return function

    return register
