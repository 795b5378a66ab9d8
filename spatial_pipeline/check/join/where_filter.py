"""Attribute conditions of contracts, evaluated by DuckDB over Arrow columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.condition_columns import condition_columns, hint
from spatial_pipeline.runtime.sql_limit import limited

if TYPE_CHECKING:
    import duckdb


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
    out = np.zeros(table.num_rows, dtype=bool)
    if table.num_rows:
        # DuckDB is loaded for the rules that have conditions.
        import duckdb

        with _rows(table, condition, "where") as rows:
            # DuckDB parses the condition as one expression: a statement cannot hide in it.
            out[rows(duckdb.SQLExpression(condition))] = True
    return out


def truth(table: pa.Table, sql: str, name: str) -> NDArray[np.int8]:
    """(n,) 1 where a SQL expression over the columns is true, 0 where it is false, -1 for null.

    Rows are judged one by one, so an expression with a query, a window or an aggregate in it is
    refused: its value would depend on which rows are read together.

    Args:
        table: (n,) rows.
        sql: DuckDB expression, from a contract.
        name: parameter that holds it, for errors.

    Raises:
        RuleError: it is no valid DuckDB expression over these columns, has no truth value, or
            takes too long.
        GivenUpError: the work was cancelled.

    """
    out = np.zeros(table.num_rows, dtype=np.int8)
    if not table.num_rows:
        return out
    import duckdb

    with _rows(table, sql, name) as rows:
        expression = duckdb.SQLExpression(sql)
        (kind,) = rows.relation.select(expression).limit(0).types
        if kind not in {"BOOLEAN", '"NULL"'}:
            msg = f"{name}: the expression gives {kind}, neither true nor false"
            raise RuleError(msg)
        if rows.queries(sql):
            msg = f"{name}: a query inside of an expression is not possible: rows are judged alone"
            raise RuleError(msg)
        out[rows(expression)] = 1
        out[rows(expression.isnull())] = -1
    return out


def both_sides(own: pa.Table, other: pa.Table, count: int) -> pa.Table:
    """(n,) pairs for :func:`truth`: a struct ``a`` of one row and a struct ``b`` of the other.

    Args:
        own: (n,) columns of the first row of each pair.
        other: (n,) columns of the second.
        count: n, which a table without columns may not know.

    """
    structs = [
        pa.StructArray.from_arrays(
            [c.combine_chunks() for c in t.columns] or [pa.nulls(count)], t.column_names or [""]
        )
        for t in (own, other)
    ]
    return pa.table(structs, names=["a", "b"])


class _Selection:
    """A table in a database of its own, and the rows of it that a condition selects."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: pa.Table) -> None:
        self.connection = connection
        self.number = "n"
        while self.number in table.column_names:
            self.number += "_"
        numbers = pa.array(np.arange(table.num_rows))
        connection.register("features", table.append_column(self.number, numbers))
        self.relation = connection.table("features")

    def __call__(self, condition: duckdb.Expression) -> NDArray[np.int64]:
        """Ascending numbers of the rows for which a condition is true."""
        import duckdb

        chosen = self.relation.filter(condition).select(duckdb.ColumnExpression(self.number))
        return np.sort(np.asarray(chosen.fetchnumpy()[self.number], dtype=np.int64))

    def queries(self, sql: str) -> bool:
        """True when an expression has a query in it; it is parsed, not run."""
        asked = self.connection.execute("SELECT json_serialize_sql(?)", [f"SELECT {sql}"])
        ((parsed,),) = asked.fetchall()
        return "SUBQUERY" in _classes(json.loads(parsed))


@contextmanager
def _rows(table: pa.Table, condition: str, name: str) -> Iterator[_Selection]:
    import duckdb

    left_out: tuple[str, ...] = ()
    try:
        columns, left_out = condition_columns(table, condition)
        with (
            duckdb.connect(
                config={"enable_external_access": False, "lock_configuration": True, "threads": 1}
            ) as connection,
            limited(connection),
        ):
            yield _Selection(connection, columns)
    except (duckdb.Error, ValueError, TimeoutError) as exc:
        msg = f"{name}: {str(exc).splitlines()[0]}{hint(condition, left_out)}"
        raise RuleError(msg) from exc


def _classes(node: Any) -> set[str]:
    """Classes of all nodes of a parsed query."""
    if isinstance(node, list):
        return set().union(*map(_classes, node))
    if not isinstance(node, dict):
        return set()
    own = {node["class"]} if isinstance(node.get("class"), str) else set()
    return own.union(*map(_classes, node.values()))
