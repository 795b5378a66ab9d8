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
        wide = [f.name for f in batch.schema if pa.types.is_decimal256(f.type)]
        table = pa.Table.from_batches([batch]).append_column(
            number, pa.array(np.arange(batch.num_rows))
        )
        # DuckDB has no numbers of more than 38 digits; a condition on other columns needs none.
        table = table.drop_columns(wide)
        try:
            self._connection.register("features", table)
            # Parsed as one expression: no statement can hide in it.
            with limited(self._connection):
                kept = (
                    self._connection.table("features")
                    .filter(duckdb.SQLExpression(self.text))
                    .select(duckdb.ColumnExpression(number))
                    .fetchnumpy()[number]
                )
        except (duckdb.Error, TimeoutError) as exc:
            msg = f"where: {str(exc).splitlines()[0]}"
            if any(name in self.text for name in wide):
                msg += f" (no condition takes numbers of more than 38 digits: {', '.join(wide)})"
            raise SourceError(msg) from exc
        return np.sort(np.asarray(kept, dtype=np.int64))
