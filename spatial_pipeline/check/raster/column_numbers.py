"""Numbers of a column of another dataset, such as classes and heights."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import VectorReader


def column_numbers(data: VectorReader, column: str) -> NDArray[np.float64]:
    """(n,) numbers of a column in staged order, NaN for null.

    Raises:
        RuleError: there is no such column, or it holds no numbers.

    """
    kinds = {c.name: c.type for c in data.profile.columns}
    if column not in kinds:
        msg = f"needs column {column} in {data.profile.uri}"
        raise RuleError(msg)
    found: list[NDArray[np.float64]] = [np.empty(0)]
    for index in range(data.batch_count()):
        values = data.batch(index, (column,), geometry=False).table.column(column)
        try:
            numbers = pc.cast(values, pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
            msg = f"needs numbers in column {column} of {data.profile.uri}: it is {kinds[column]}"
            raise RuleError(msg) from exc
        found.append(pc.fill_null(numbers, np.nan).to_numpy())
    return np.concatenate(found)
