"""Rows of another dataset with the key of a feature: any number of rows for any number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.join.attribute_difference import comparable_keys
from spatial_pipeline.check.join.key_join import AT_ONCE, NOWHERE, Side


@dataclass(frozen=True)
class Related:
    """The related rows of n features in staged order.

    Attributes:
        judged: (n,) bool: the condition of the rule holds, and no part of the key is null.
        nulls: features for which the condition holds and a part of the key is null.
        count: (n,) related rows of each.
        first: (n,) place of the first of them in ``partners``.
        partners: (k,) staged positions in the other dataset, rows of one key side by side.

    """

    judged: NDArray[np.bool_]
    nulls: int
    count: NDArray[np.int64]
    first: NDArray[np.int64]
    partners: NDArray[np.int64]

    def pairs(self, features: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All pairs of some features: (p,) index into ``features``, and (p,) partners."""
        count = self.count[features]
        index = np.repeat(np.arange(len(features)), count)
        begin = np.cumsum(count) - count
        place = np.arange(len(index)) - begin[index] + self.first[features][index]
        return index, self.partners[place]

    def blocks(self, features: NDArray[np.int64], most: int) -> Iterator[NDArray[np.int64]]:
        """Features in runs of about ``most`` pairs each; one feature is never divided."""
        total = np.cumsum(self.count[features])
        cuts = np.flatnonzero(np.diff(total // most)) + 1
        yield from np.split(features, cuts)


def related(here: Side, there: Side) -> Related:
    """Relates features to the rows of another dataset with equal keys.

    Keys are compared by ranges of their hashes, each of which fits into memory. A null equals
    nothing, NaN equals NaN.

    Raises:
        RuleError: the key columns hold values that cannot be compared.

    """
    a, b = here.keys(), there.keys()
    own, others = [], []
    for name, paired_name in zip(here.key, there.key, strict=True):
        one, other = comparable_keys(a.column(name), b.column(paired_name), name)
        own.append(one)
        others.append(other)
    names = [f"c{i}" for i in range(len(own))]
    a, b = pa.table(own, names=names), pa.table(others, names=names)
    whole, whole_there = _whole(a), _whole(b)
    nulls = int((here.judged & ~whole).sum())
    judged = here.judged & whole
    ours, theirs = np.flatnonzero(judged), np.flatnonzero(there.judged & whole_there)
    count, first = np.zeros(len(a), np.int64), np.zeros(len(a), np.int64)
    parts, found = [NOWHERE], 0
    bits = max((len(ours) + len(theirs)) // join_keys.RANGE, 1).bit_length() - 1
    hashes = (_hashes(a, ours), _hashes(b, theirs)) if bits else None
    for value in range(1 << bits):
        here.cancelled()
        mine, others_ = ours, theirs
        if hashes is not None:
            mine, others_ = (
                rows[h >> np.uint64(64 - bits) == value]
                for rows, h in zip((ours, theirs), hashes, strict=True)
            )
        both = pa.concat_tables([a.take(pa.array(mine)), b.take(pa.array(others_))])
        group = join_keys.groups(both)
        g, h = group[: len(mine)], group[len(mine) :]
        order = np.argsort(h, kind="stable")
        begin, end = (np.searchsorted(h[order], g, side=s) for s in ("left", "right"))
        count[mine], first[mine] = end - begin, begin + found
        parts.append(others_[order])
        found += len(order)
    return Related(judged, nulls, count, first, np.concatenate(parts))


def _whole(keys: pa.Table) -> NDArray[np.bool_]:
    whole = np.ones(len(keys), dtype=bool)
    for column in keys.columns:
        whole &= column.is_valid().to_numpy()
    return whole


def _hashes(keys: pa.Table, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    parts = [
        join_keys.hashes(keys.take(pa.array(rows[begin : begin + AT_ONCE])))
        for begin in range(0, len(rows), AT_ONCE)
    ]
    return np.concatenate([np.empty(0, np.uint64), *parts])


__all__ = ["Related", "related"]
