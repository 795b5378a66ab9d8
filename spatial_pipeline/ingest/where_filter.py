"""The attribute condition of a source, evaluated by DuckDB over Arrow batches."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.schema import free_name
from spatial_pipeline.model.condition_columns import condition_columns, hint
from spatial_pipeline.runtime.sql_limit import limited


class Condition:
    """A SQL condition over attribute columns; use it as a context manager."""

    def __init__(self, text: str) -> None:
        self.text = text
        # Without external access a contract cannot read files or the network through it.
        self._connection = duckdb.connect(
            config={"enable_external_access": False, "lock_configuration": True, "threads": 1}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def rows(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        """Ascending indices of the rows for which the condition is true; null is not true.

        Raises:
            SourceError: it is no valid condition over these columns, or takes too long.
            GivenUpError: the work was cancelled.

        """
        number = free_name("n", batch.schema.names)
        left_out: tuple[str, ...] = ()
        try:
            table, left_out = condition_columns(pa.Table.from_batches([batch]), self.text)
            table = table.append_column(number, pa.array(np.arange(batch.num_rows)))
            self._connection.register("features", table)
            # Parsed as one expression: no statement can hide in it.
            with limited(self._connection):
                kept = (
                    self._connection.table("features")
                    .filter(duckdb.SQLExpression(self.text))
                    .select(duckdb.ColumnExpression(number))
                    .fetchnumpy()[number]
                )
        except (duckdb.Error, ValueError, TimeoutError) as exc:
            msg = f"where: {str(exc).splitlines()[0]}{hint(self.text, left_out)}"
            raise SourceError(msg) from exc
        return np.sort(np.asarray(kept, dtype=np.int64))
