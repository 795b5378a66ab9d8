"""expression: a SQL expression is true for every row."""

from __future__ import annotations

from spatial_pipeline.check.api import AttributeRows, Unjudged, Violations, column_rule
from spatial_pipeline.check.join.where_filter import truth
from spatial_pipeline.contract.rules.attributes import Expression


@column_rule(rows=True)
def evaluate(rule: Expression, rows: AttributeRows) -> tuple[Violations, Unjudged]:
    """Rows for which the expression is false, and those for which it is null."""
    value = truth(rows.table, rule.sql, "sql")
    return rows.violations(value == 0, f"not true: {rule.sql}"), value < 0
