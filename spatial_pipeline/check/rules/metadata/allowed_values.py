"""allowed_values: every value of a column is one of a list."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from spatial_pipeline.check.api import Values, Violations, column_rule, shown
from spatial_pipeline.check.join.distinct import distinct, same_value
from spatial_pipeline.contract.rules.attributes import AllowedValues


@column_rule()
def evaluate(rule: AllowedValues, column: Values) -> Violations:
    """Values that are not in the list; 1 and 1.0 are equal, 1 and true are not."""
    values, which = distinct(pa.table({column.name: column.values}))
    wrong = np.array([not any(same_value(v, a) for a in rule.values) for (v,) in values])
    bad = np.flatnonzero(wrong[which])
    reasons = [f"{column.name} is {shown(values[i][0])}, not an allowed value" for i in which[bad]]
    return column.violations(bad, reasons)
