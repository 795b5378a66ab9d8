"""Statistics of columns by group: partial ones of batches, merged in any number of pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.join.exact_sum import as_float, exact_sum
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.arrow_json import json_values
from spatial_pipeline.model.hashing.checksums import added, column_sums

NO_VALUES: NDArray[np.float64] = np.empty(0)
NO_HASHES: NDArray[np.uint64] = np.empty(0, np.uint64)
WORD = 1 << 64
"""Checksums are sums modulo this."""


@dataclass(frozen=True)
class GroupStatistics:
    """Statistics of one group.

    Attributes:
        rows: features.
        nulls: nulls in the column.
        odd: NaN and infinities, which take no part in numbers.
        total: sum of the values, see ``exact_sum``.
        least: smallest value; infinity without one.
        largest: largest value; minus infinity without one.
        hashes: distinct hashes of the values; empty unless asked for.
        values: all values; empty unless asked for.
        checksum: order-independent sum of the values; 0 unless asked for.

    """

    rows: int = 0
    nulls: int = 0
    odd: int = 0
    total: int = 0
    least: float = np.inf
    largest: float = -np.inf
    hashes: NDArray[np.uint64] = field(default_factory=lambda: NO_HASHES)
    values: NDArray[np.float64] = field(default_factory=lambda: NO_VALUES)
    checksum: int = 0

    @property
    def numbers(self) -> int:
        """Values that take part."""
        return self.rows - self.nulls - self.odd

    @property
    def sum(self) -> float | None:
        """Sum of the values; None without one."""
        return as_float(self.total) if self.numbers else None

    @property
    def mean(self) -> float | None:
        """Mean of the values; None without one."""
        return as_float(self.total, self.numbers) if self.numbers else None


Groups = dict[str, GroupStatistics]
"""Values of the grouping columns as text → statistics; the key is empty for all features."""


def group_statistics(
    table: pa.Table,
    group_by: Sequence[str],
    column: str | None,
    *,
    numbers: bool,
    distinct: bool = False,
    values: bool = False,
    checksum: bool = False,
) -> Groups:
    """Statistics of each group of a batch.

    Args:
        table: (n,) the columns.
        group_by: columns that make groups; none for one group.
        column: column to sum up; None to count features.
        numbers: sum, least and largest value are wanted.
        distinct: distinct values are wanted.
        values: all values are wanted, for quantiles.
        checksum: the checksum of the values is wanted.

    Raises:
        RuleError: numbers are wanted of a column that holds none.

    """
    count = table.num_rows
    which, names = _groups(table, group_by)
    rows = np.bincount(which, minlength=len(names))
    if column is None:
        return {name: GroupStatistics(int(n)) for name, n in zip(names, rows, strict=True)}
    data = table.column(column)
    valid = data.is_valid().to_numpy()
    number = _numbers(data, column) if numbers or values else np.zeros(count)
    finite = valid & (np.isfinite(number) if number.dtype.kind == "f" else True)
    if not names:
        return {}
    hashes = join_keys.hashes(pa.table({"value": data})) if distinct else None
    order = np.argsort(which, kind="stable")
    found: Groups = {}
    for name, places in zip(names, np.split(order, np.cumsum(rows)[:-1]), strict=True):
        real, used = places[valid[places]], places[finite[places]]
        mine = number[used]
        counted = bool(numbers and len(used))
        found[name] = GroupStatistics(
            rows=len(places),
            nulls=len(places) - len(real),
            odd=len(real) - len(used),
            total=exact_sum(mine) if counted else 0,
            least=float(mine.min()) if counted else np.inf,
            largest=float(mine.max()) if counted else -np.inf,
            hashes=NO_HASHES if hashes is None else np.unique(hashes[real]),
            values=np.asarray(mine, dtype=np.float64) if values else NO_VALUES,
            checksum=value_sum(data.take(pa.array(places))) if checksum else 0,
        )
    return found


def value_sum(column: pa.ChunkedArray) -> int:
    """Sum of the checksums of all values, nulls included; it depends on no order.

    Sums of several columns of one type add up, modulo 2^64, to that of all values together.
    """
    total: dict[str, int] = {}
    for chunk in column.chunks:
        rows = np.zeros(len(chunk), dtype=np.int64)
        total = added(total, column_sums({"value": chunk}, rows))
    return total.get("value", 0)


def merged_groups(parts: Iterable[Groups]) -> Groups:
    """Statistics of all batches together, groups in alphabetical order."""
    by_name: dict[str, list[GroupStatistics]] = {}
    for part in parts:
        for name, one in part.items():
            by_name.setdefault(name, []).append(one)
    return {name: _merged(several) for name, several in sorted(by_name.items())}


def _merged(parts: Sequence[GroupStatistics]) -> GroupStatistics:
    return GroupStatistics(
        rows=sum(p.rows for p in parts),
        nulls=sum(p.nulls for p in parts),
        odd=sum(p.odd for p in parts),
        total=sum(p.total for p in parts),
        least=min(p.least for p in parts),
        largest=max(p.largest for p in parts),
        hashes=np.unique(np.concatenate([p.hashes for p in parts])),
        values=np.concatenate([p.values for p in parts]),
        checksum=sum(p.checksum for p in parts) % WORD,
    )


def _groups(table: pa.Table, group_by: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """(n,) number of the group of each row, and the names of the groups."""
    if not group_by:
        return np.zeros(table.num_rows, dtype=np.int64), [""]
    keys = table.select(list(group_by))
    group = join_keys.groups(keys)
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    columns = [json_values(c.take(pa.array(first))) for c in keys.columns]
    names = [
        ", ".join(f"{n} {v!r}" for n, v in zip(group_by, values, strict=True))
        for values in zip(*columns, strict=True)
    ]
    return which.reshape(-1), names


def _numbers(column: pa.ChunkedArray, name: str) -> NDArray[np.float64] | NDArray[np.integer]:
    """(n,) values as numbers; 0 for null."""
    kind = column.type
    if pa.types.is_null(kind):
        return np.zeros(len(column))
    if pa.types.is_decimal(kind):
        column, kind = column.cast(pa.float64()), pa.float64()
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        msg = f"column {name} holds {kind}, no numbers"
        raise RuleError(msg)
    wide = pa.uint64() if kind == pa.uint64() else pa.int64()
    plain = column.cast(wide if pa.types.is_integer(kind) else pa.float64())
    return np.asarray(plain.fill_null(0).to_numpy())


__all__ = ["GroupStatistics", "Groups", "group_statistics", "merged_groups", "value_sum"]
