"""Distinct rows of a table, and equality of values as contracts write them."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.join import join_keys


def distinct(table: pa.Table) -> tuple[list[tuple[Any, ...]], NDArray[np.int64]]:
    """Distinct rows as Python values, and which of them each row is.

    Args:
        table: (n,) rows.

    Returns:
        k rows, and (n,) int64 places among them.

    """
    group = join_keys.groups(table)
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    rows = table.take(pa.array(first))
    columns = [column.to_pylist() for column in rows.columns]
    return list(zip(*columns, strict=True)), which.reshape(-1)


def same_value(value: Any, written: Any) -> bool:
    """True when a value of a column is the one that a contract writes.

    Numbers are equal by value, booleans only to booleans, NaN to NaN, days to the same day; a time
    without a zone that is compared with one that has a zone is taken as UTC.
    """
    if isinstance(value, bool) or isinstance(written, bool):
        return value is written
    if isinstance(value, float) and math.isnan(value):
        return isinstance(written, float) and math.isnan(written)
    if isinstance(value, dt.datetime) and isinstance(written, dt.datetime):
        return _in_utc(value) == _in_utc(written)
    if isinstance(value, dt.datetime) != isinstance(written, dt.datetime):
        return False
    return bool(value == written)


def _in_utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
