"""related_values: values compare as promised with those of related rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.check.api import JoinedPairs, Violations, join_rule, shown
from spatial_pipeline.check.join.attribute_difference import comparable_keys
from spatial_pipeline.check.join.where_filter import truth
from spatial_pipeline.contract.rules.joins import RelatedValues
from spatial_pipeline.model.arrow_json import json_values

OPERATORS = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


@join_rule(pairs=True)
def evaluate(rule: RelatedValues, pairs: JoinedPairs) -> tuple[Violations, NDArray[np.bool_]]:
    """Pairs that do not compare, and those in which a null decides."""
    if rule.sql is not None:
        value = truth(pairs.both, rule.sql, "sql")
        bad = np.flatnonzero(value == 0)
        theirs = _labels(pairs.other, rule.other_key, bad)
        told = [f"not true for the related row {t}: {rule.sql}" for t in theirs]
        return pairs.violations(bad, told), value < 0
    found, known = [Violations.none()], np.ones(len(pairs), dtype=bool)
    for own, operator, other in rule.compare or ():
        one, two = comparable_keys(pairs.table.column(own), pairs.other.column(other), own)
        right = OPERATORS[operator](one, two)
        known &= right.is_valid().to_numpy()
        bad = np.flatnonzero(~pc.fill_null(right, True).to_numpy())
        # As they are: the common type may differ between chunks.
        written = (pairs.table.column(own), pairs.other.column(other))
        values = zip(*(json_values(c.take(pa.array(bad))) for c in written), strict=True)
        told = [
            f"{own} {shown(a)}, not {operator} {other} {shown(b)} of the related row"
            for a, b in values
        ]
        found.append(pairs.violations(bad, told))
    return Violations.concat(found), ~known


def _labels(table: pa.Table, names: Sequence[str], row: NDArray[np.int64]) -> list[str]:
    columns: list[list[Any]] = [json_values(table.column(n).take(pa.array(row))) for n in names]
    return [
        ", ".join(f"{n} = {v!r}" for n, v in zip(names, values, strict=True))
        for values in zip(*columns, strict=True)
    ]
