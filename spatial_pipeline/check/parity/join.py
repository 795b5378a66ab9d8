"""Which features of two datasets belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check import keys
from spatial_pipeline.check.filters import columns_of, mask
from spatial_pipeline.check.parity.attribute_difference import comparable_keys
from spatial_pipeline.errors import RuleError
from spatial_pipeline.pieces import VectorData

NOWHERE: NDArray[np.int64] = np.empty(0, dtype=np.int64)
READ = 16_384
"""Features whose keys are read at once: about a row group of a staged file."""


@dataclass(frozen=True)
class Side:
    """What identifies the features of one dataset; all arrays in staged order.

    Attributes:
        data: the dataset.
        rows: (n,) source rows.
        key: key columns; without columns when features are joined by geometry.
        judged: (n,) bool: the rule's condition holds.

    """

    data: VectorData
    rows: NDArray[np.int64]
    key: pa.Table
    judged: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        data: VectorData,
        key: tuple[str, ...],
        where: str | None,
        cancelled: Callable[[], None] = lambda: None,
    ) -> Side:
        """Reads what identifies the features.

        Raises:
            RuleError: a key column is missing, or the condition cannot be evaluated.

        """
        names = [c.name for c in data.profile.columns]
        missing = [k for k in key if k not in names]
        if missing:
            msg = f"needs column {', '.join(missing)} of the key in {data.profile.uri}"
            raise RuleError(msg)
        wanted = tuple(dict.fromkeys((*key, *columns_of(where or "", names))))
        rows, tables, judged = [NOWHERE], [], [np.empty(0, dtype=bool)]
        count = data.profile.count
        for begin in range(0, count, READ):
            cancelled()
            some = np.arange(begin, min(begin + READ, count))
            batch = data.take(some, wanted, geometry=False)
            rows.append(batch.rows)
            tables.append(batch.table.select(list(key)))
            judged.append(
                np.ones(len(batch), dtype=bool)
                if where is None
                else mask(batch.table.select(list(wanted)), where)
            )
        empty = data.take(NOWHERE, key, geometry=False).table.select(list(key))
        return cls(
            data, np.concatenate(rows), pa.concat_tables([empty, *tables]), np.concatenate(judged)
        )

    def __len__(self) -> int:
        return len(self.rows)

    def labels(self, positions: NDArray[np.int64]) -> list[tuple[Any, ...]]:
        """Key values of features; their source rows when there is no key."""
        if not self.key.num_columns:
            return [(int(r),) for r in self.rows[positions]]
        taken = self.key.take(pa.array(positions))
        return list(zip(*(c.to_pylist() for c in taken.columns), strict=True))


@dataclass(frozen=True)
class Join:
    """Which features of two datasets belong together, by their staged positions.

    Attributes:
        here: (m,) features of the dataset under check that have a partner, ascending.
        there: (m,) their partners.
        new: features that only the dataset under check has, ascending.
        gone: features that only the other dataset has, ascending.
        repeated: features of either dataset whose key is not unique in it.
        times: how often those keys occur.
        nulls: features of either dataset with a null in the key.
        ambiguous: features with a key that is unique in their dataset and not in the other one.

    """

    here: NDArray[np.int64]
    there: NDArray[np.int64]
    new: NDArray[np.int64]
    gone: NDArray[np.int64]
    repeated: tuple[NDArray[np.int64], NDArray[np.int64]] = (NOWHERE, NOWHERE)
    times: tuple[NDArray[np.int64], NDArray[np.int64]] = (NOWHERE, NOWHERE)
    nulls: tuple[NDArray[np.int64], NDArray[np.int64]] = (NOWHERE, NOWHERE)
    ambiguous: int = 0


def by_key(here: Side, there: Side) -> Join:
    """Joins two datasets on equal keys; NaN equals NaN, and a null equals nothing.

    Keys that are not unique have no partner: which of them belong together cannot be told.

    Raises:
        RuleError: the key columns hold values that cannot be compared.

    """
    n = len(here)
    columns = []
    for name in here.key.column_names:
        a, b = comparable_keys(here.key.column(name), there.key.column(name), name)
        columns.append(pa.chunked_array([*a.chunks, *b.chunks], type=a.type))
    whole = np.ones(n + len(there), dtype=bool)
    for column in columns:
        whole &= column.is_valid().to_numpy()
    group = keys.groups(pa.table(columns, names=here.key.column_names))
    size = int(group.max(initial=-1)) + 1
    ours, theirs = np.flatnonzero(whole[:n]), np.flatnonzero(whole[n:])
    a, b = group[:n][ours], group[n:][theirs]
    in_a, in_b = np.bincount(a, minlength=size), np.bincount(b, minlength=size)
    partner = np.full(size, -1, dtype=np.int64)
    partner[b] = theirs
    single = in_a[a] == 1
    paired = single & (in_b[a] == 1)
    lonely = in_b[b] == 1
    return Join(
        here=ours[paired],
        there=partner[a[paired]],
        new=ours[single & (in_b[a] == 0)],
        gone=theirs[lonely & (in_a[b] == 0)],
        repeated=(ours[~single], theirs[~lonely]),
        times=(in_a[a[~single]], in_b[b[~lonely]]),
        nulls=(np.flatnonzero(~whole[:n]), np.flatnonzero(~whole[n:])),
        ambiguous=int((single & (in_b[a] > 1)).sum() + (lonely & (in_a[b] > 1)).sum()),
    )


def paired(
    a: NDArray[np.int64], b: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs equal labels: the k-th occurrence in one list with the k-th in the other.

    Args:
        a: (n,) labels from 0 on.
        b: (m,) labels from 0 on.

    Returns:
        Indices of both lists, those of the first ascending.

    """
    most = 1 + max(len(a), len(b))
    first, second = (x * most + _occurrence(x) for x in (a, b))
    _, i, j = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    order = np.argsort(i)
    return i[order], j[order]


def _occurrence(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) how many equal labels come before each."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    begins = np.append(True, ordered[1:] != ordered[:-1])[: len(labels)]
    place = np.arange(len(labels))
    out = np.empty(len(labels), dtype=np.int64)
    out[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
    return out


__all__ = ["NOWHERE", "Join", "Side", "by_key", "paired"]
