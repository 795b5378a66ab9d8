"""Joins the features of two datasets by key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.join.attribute_difference import comparable_keys
from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.arrow_json import json_values
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader

NOWHERE: NDArray[np.int64] = np.empty(0, dtype=np.int64)
AT_ONCE = 16_384
"""Features whose keys are read and hashed at once: about a row group of a staged file."""


@dataclass(frozen=True)
class Side:
    """One of two datasets whose features are joined.

    Attributes:
        data: the dataset.
        key: key columns; none when features are joined by geometry.
        judged: (n,) bool in staged order: the rule's condition holds.
        cancelled: raises when the time is up.

    """

    data: VectorReader
    key: tuple[str, ...]
    judged: NDArray[np.bool_]
    cancelled: Callable[[], None] = lambda: None

    @classmethod
    def of(
        cls,
        data: VectorReader,
        key: tuple[str, ...],
        where: str | None,
        cancelled: Callable[[], None] = lambda: None,
    ) -> Side:
        """Evaluates the condition.

        Raises:
            RuleError: a key column is missing, or the condition cannot be evaluated.

        """
        names = [c.name for c in data.profile.columns]
        missing = [k for k in key if k not in names]
        if missing:
            msg = f"needs column {', '.join(missing)} of the key in {data.profile.uri}"
            raise RuleError(msg)
        judged = np.ones(data.profile.count, dtype=bool)
        if where is not None:
            for begin, batch in _read(data, columns_of(where, names), cancelled):
                judged[begin : begin + len(batch)] = mask(batch.table, where)
        return cls(data, key, judged, cancelled)

    def __len__(self) -> int:
        return len(self.judged)

    def keys(self) -> pa.Table:
        """The key columns in staged order."""
        parts = [batch.table for _, batch in _read(self.data, self.key, self.cancelled)]
        return pa.concat_tables([self.data.take(NOWHERE, self.key, geometry=False).table, *parts])

    def rows(self, positions: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """(k,) source rows of features; of all in staged order unless positions are given."""
        parts = [b.rows for _, b in _read(self.data, (), self.cancelled, positions)]
        return np.concatenate([NOWHERE, *parts])

    def labels(self, positions: NDArray[np.int64]) -> list[tuple[Any, ...]]:
        """Key values of features; their source rows when there is no key."""
        found: list[tuple[Any, ...]] = []
        for _, batch in _read(self.data, self.key, self.cancelled, positions):
            columns = [json_values(batch.table.column(k)) for k in self.key]
            found += zip(*(columns or [batch.rows.tolist()]), strict=True)
        return found


def _read(
    data: VectorReader,
    columns: Sequence[str],
    cancelled: Callable[[], None],
    positions: NDArray[np.int64] | None = None,
) -> Iterator[tuple[int, FeatureBatch]]:
    """Columns of all features, or of some, in bounded batches, with the start of each batch."""
    count = data.profile.count if positions is None else len(positions)
    for begin in range(0, count, AT_ONCE):
        cancelled()
        end = min(begin + AT_ONCE, count)
        some = np.arange(begin, end) if positions is None else positions[begin:end]
        yield begin, data.take(some, tuple(dict.fromkeys(columns)), geometry=False)


@dataclass(frozen=True)
class Join:
    """Matching features of two datasets, by their staged positions.

    Attributes:
        here: (m,) features of the dataset under check that have a partner, ascending.
        there: (m,) their partners.
        new: features that only the dataset under check has, ascending.
        gone: features that only the other dataset has, ascending.
        repeated: features of either dataset whose key is not unique in it.
        times: number of occurrences of those keys.
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

    Keys that are not unique have no partner, because the pairing is ambiguous. Keys are compared by
    ranges of their hashes, each of which fits into memory.

    Raises:
        RuleError: the key columns hold values that cannot be compared.

    """
    a, b = here.keys(), there.keys()
    for i, name in enumerate(here.key):
        one, other = comparable_keys(a.column(name), b.column(name), name)
        a, b = a.set_column(i, name, one), b.set_column(i, name, other)
    bits = max((len(a) + len(b)) // join_keys.RANGE, 1).bit_length() - 1
    if not bits:
        return _joined(a, b)
    hashes = _hashes(a), _hashes(b)
    partner = np.full(len(a), -1, dtype=np.int64)
    parts: list[Join] = []
    for value in range(1 << bits):
        here.cancelled()
        mine, theirs = (np.flatnonzero(h >> (64 - bits) == value) for h in hashes)
        found = _joined(a.take(pa.array(mine)), b.take(pa.array(theirs)))
        partner[mine[found.here]] = theirs[found.there]
        parts.append(
            Join(
                here=NOWHERE,
                there=NOWHERE,
                new=mine[found.new],
                gone=theirs[found.gone],
                repeated=(mine[found.repeated[0]], theirs[found.repeated[1]]),
                times=found.times,
                nulls=(mine[found.nulls[0]], theirs[found.nulls[1]]),
                ambiguous=found.ambiguous,
            )
        )
    del a, b, hashes
    return _whole(partner, parts)


def _whole(partner: NDArray[np.int64], parts: Sequence[Join]) -> Join:
    """The join of all ranges of hashes; ``partner`` is -1 for features without one."""
    paired_ = np.flatnonzero(partner >= 0)
    repeated = [np.concatenate([p.repeated[k] for p in parts]) for k in (0, 1)]
    order = [np.argsort(r) for r in repeated]
    times = [np.concatenate([p.times[k] for p in parts])[order[k]] for k in (0, 1)]
    nulls = [np.sort(np.concatenate([p.nulls[k] for p in parts])) for k in (0, 1)]
    return Join(
        here=paired_,
        there=partner[paired_],
        new=np.sort(np.concatenate([p.new for p in parts])),
        gone=np.sort(np.concatenate([p.gone for p in parts])),
        repeated=(repeated[0][order[0]], repeated[1][order[1]]),
        times=(times[0], times[1]),
        nulls=(nulls[0], nulls[1]),
        ambiguous=sum(p.ambiguous for p in parts),
    )


def _hashes(table: pa.Table) -> NDArray[np.uint64]:
    """(n,) hash of each row, computed in bounded chunks."""
    parts = [
        join_keys.hashes(table.slice(begin, AT_ONCE)) for begin in range(0, table.num_rows, AT_ONCE)
    ]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def _joined(one: pa.Table, other: pa.Table) -> Join:
    """Joins two tables of keys on equal ones."""
    n = len(one)
    both = pa.concat_tables([one, other])
    whole = np.ones(len(both), dtype=bool)
    for column in both.columns:
        whole &= column.is_valid().to_numpy()
    group = join_keys.groups(both)
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
