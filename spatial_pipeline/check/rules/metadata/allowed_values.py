"""allowed_values: every value of a column is one of a list or of a code table."""

from __future__ import annotations

from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.check.api import Values, Violations, column_rule, shown
from spatial_pipeline.check.base import Context
from spatial_pipeline.check.join.attribute_difference import comparable_keys
from spatial_pipeline.check.join.distinct import distinct, same_value
from spatial_pipeline.contract.rules.attributes import AllowedValues
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.arrow_json import json_values
from spatial_pipeline.model.readers import VectorReader


def accepted(rule: AllowedValues, context: Context) -> pa.ChunkedArray | None:
    """Distinct values of the code table; None when the contract lists the values.

    Raises:
        RuleError: the code table has no such column.

    """
    if rule.other is None:
        return None
    (data,) = (cast("VectorReader", o) for o in context.others)
    name = rule.other.column
    if name not in [c.name for c in data.profile.columns]:
        msg = f"needs column {name} in {data.profile.uri}"
        raise RuleError(msg)
    none = data.take(np.empty(0, dtype=np.int64), (name,), geometry=False).table
    parts = [none.column(name)]
    for index in range(data.batch_count()):
        context.cancelled()
        parts.append(data.batch(index, (name,), geometry=False).table.column(name).unique())
    chunks = [chunk for part in parts for chunk in getattr(part, "chunks", [part])]
    return pa.chunked_array([pa.chunked_array(chunks, none.column(name).type).unique()])


@column_rule(prepare=accepted)
def evaluate(rule: AllowedValues, column: Values) -> Violations:
    """Values that are not in the list; 1 and 1.0 are equal, 1 and true are not."""
    if rule.values is None:
        values, codes = comparable_keys(column.values, column.prepared, column.name)
        bad = np.flatnonzero(~pc.is_in(values, value_set=codes.drop_null()).to_numpy())
        told = json_values(column.values.take(pa.array(bad)))
        return column.violations(bad, [f"{column.name} is {shown(v)}, not a code" for v in told])
    rows, which = distinct(pa.table({column.name: column.values}))
    wrong = np.array([not any(same_value(v, a) for a in rule.values) for (v,) in rows])
    bad = np.flatnonzero(wrong[which])
    reasons = [f"{column.name} is {shown(rows[i][0])}, not an allowed value" for i in which[bad]]
    return column.violations(bad, reasons)
