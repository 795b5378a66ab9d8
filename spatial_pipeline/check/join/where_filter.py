"""Attribute conditions of contracts, evaluated by DuckDB over Arrow columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.condition_columns import condition_columns, hint
from spatial_pipeline.runtime.sql_limit import limited


def columns_of(condition: str, available: Sequence[str]) -> tuple[str, ...]:
    """The available columns that a condition may use: those whose name occurs in its text."""
    text = condition.casefold().replace('""', '"')
    return tuple(c for c in available if re.search(re.escape(c.casefold()), text))


def mask(table: pa.Table, condition: str) -> NDArray[np.bool_]:
    """(n,) bool: where a SQL condition over the columns of ``table`` is true (null is not).

    The database has no access to files or network, so a contract cannot read through it.

    Raises:
        RuleError: the condition is no valid DuckDB expression over these columns, or takes too
            long.
        GivenUpError: the work was cancelled.

    """
    if table.num_rows == 0:
        return np.zeros(0, dtype=bool)
    with duckdb.connect(
        config={"enable_external_access": False, "lock_configuration": True, "threads": 1}
    ) as connection:
        name = "n"
        while name in table.column_names:
            name += "_"
        number = pa.array(np.arange(table.num_rows))
        left_out: tuple[str, ...] = ()
        try:
            columns, left_out = condition_columns(table, condition)
            connection.register("features", columns.append_column(name, number))
            # DuckDB parses the condition as one expression: a statement cannot hide in it.
            with limited(connection):
                relation = connection.table("features").filter(duckdb.SQLExpression(condition))
                kept = relation.select(duckdb.ColumnExpression(name)).fetchnumpy()[name]
        except (duckdb.Error, ValueError, TimeoutError) as exc:
            msg = f"where: {str(exc).splitlines()[0]}{hint(condition, left_out)}"
            raise RuleError(msg) from exc
    out = np.zeros(table.num_rows, dtype=bool)
    out[np.asarray(kept, dtype=np.int64)] = True
    return out
