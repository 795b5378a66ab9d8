"""Duplicate and equal keys among many rows: hashes find candidates, values confirm them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.check.join.positions import Packed, unpacked
from spatial_pipeline.model.hashing.checksums import row_seeds

if TYPE_CHECKING:
    import duckdb

_OF_THREAD = threading.local()
RANGE = 1 << 20
"""Approximate number of hashes processed together."""
BUCKETS = 4
"""Buckets per hash: at most one in four hashes shares a bucket with a stranger."""
THROWN = 1 << 16
"""Hashes put into buckets in one call."""


def hashes(table: pa.Table) -> NDArray[np.uint64]:
    """(n,) hash of each row: equal rows have equal hashes, in every batch of this process."""
    if not table.num_rows:
        return np.empty(0, dtype=np.uint64)
    if table.num_columns == 1 and pa.types.is_integer(table.column(0).type):
        # The common case; a database query takes twenty times as long.
        return row_seeds(pc.fill_null(table.column(0), 0).to_numpy())
    columns = [f"c{i}" for i in range(table.num_columns)]
    found = _query(table, f"hash({', '.join(columns)})")
    return np.asarray(found, dtype=np.uint64)


def groups(table: pa.Table) -> NDArray[np.int64]:
    """(n,) numbers from 0 on: equal for rows with equal values, and only for those.

    NaN equals NaN, -0.0 equals 0.0, null equals null; text is compared byte by byte.
    """
    if not table.num_rows:
        return np.empty(0, dtype=np.int64)
    columns = [f"c{i}" for i in range(table.num_columns)]
    found = _query(table, f"dense_rank() OVER (ORDER BY {', '.join(columns)})")
    return np.asarray(found, dtype=np.int64) - 1


def shared(values: NDArray[Any]) -> NDArray[np.int64]:
    """Indices of the values that occur more than once, equal values side by side."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    same = ordered[1:] == ordered[:-1]
    twice = np.zeros(len(values), dtype=bool)
    twice[1:] |= same
    twice[:-1] |= same
    return order[twice]


def suspects(parts: Sequence[tuple[NDArray[np.uint64], Packed]]) -> NDArray[np.int64]:
    """Ascending positions of the hashes that occur more than once in all parts together.

    Processed by ranges of hashes, each of which fits into memory.

    Args:
        parts: (n,) hashes and their (n,) positions.

    """
    total = sum(len(hashes) for hashes, _ in parts)
    bits = max(total // RANGE, 1).bit_length() - 1
    found = [np.empty(0, dtype=np.int64)]
    for value in range(1 << bits):
        values, places = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for hashes, kept in parts:
            # A shift by all 64 bits is not defined.
            inside = slice(None) if not bits else np.flatnonzero(hashes >> (64 - bits) == value)
            values.append(hashes[inside])
            places.append(unpacked(kept)[inside])
        every, place = np.concatenate(values), np.concatenate(places)
        some = _crowded(every, bits)
        found.append(place[some[shared(every[some])]])
    return np.sort(np.concatenate(found))


def _crowded(hashes: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Indices of hashes, including all that occur more than once; few of the others.

    The hashes are written to buckets, last writer wins: a hash that finds itself in its bucket, and
    is found by no other, is unique. Sorting all of them takes twice as long.

    Args:
        hashes: (n,) the hashes.
        bits: number of their highest bits that are equal.

    """
    n = len(hashes)
    size = max(n * BUCKETS - 1, 1).bit_length()
    here = np.arange(n, dtype=np.uint32)
    last = np.empty(1 << size, dtype=np.uint32)
    alone = np.ones(n, dtype=bool)
    chunks = [slice(i, i + THROWN) for i in range(0, n, THROWN)]
    buckets = [((hashes[c] << bits) >> (64 - size)).view(np.int64) for c in chunks]
    for chunk, bucket in zip(chunks, buckets, strict=True):
        last[bucket] = here[chunk]
    for chunk, bucket in zip(chunks, buckets, strict=True):
        met = last[bucket]
        other = met[met != here[chunk]]
        alone[chunk] &= met == here[chunk]
        alone[other] = False
    return np.flatnonzero(~alone)


def labels(values: Sequence[Any]) -> str:
    """Values of a key as text for people: one bare, several in brackets."""
    texts = [repr(v) if isinstance(v, str) else str(v) for v in values]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _query(table: pa.Table, expression: str) -> NDArray[Any]:
    """Evaluates one of our expressions over the columns c0, c1, …, in row order."""
    # DuckDB is loaded for keys that are no whole numbers.
    import duckdb

    plain = [_plain(column) for column in table.columns]
    names = [f"c{i}" for i in range(len(plain))]
    rows = pa.table([*plain, pa.array(np.arange(table.num_rows))], names=[*names, "i"])
    connection = _connection()
    connection.register("keys", rows)
    try:
        relation = connection.table("keys").select(
            duckdb.SQLExpression(expression).alias("value"), duckdb.ColumnExpression("i")
        )
        found = relation.fetchnumpy()
    finally:
        connection.unregister("keys")
    out = np.empty(table.num_rows, dtype=np.asarray(found["value"]).dtype)
    out[np.asarray(found["i"])] = np.asarray(found["value"])
    return out


def _connection() -> duckdb.DuckDBPyConnection:
    """The database of this thread: opening one takes longer than hashing a batch."""
    import duckdb

    if not hasattr(_OF_THREAD, "connection"):
        _OF_THREAD.connection = duckdb.connect(
            config={"enable_external_access": False, "lock_configuration": True, "threads": 1}
        )
    return cast("duckdb.DuckDBPyConnection", _OF_THREAD.connection)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a type that DuckDB reads from Arrow."""
    if pa.types.is_float16(column.type):
        return column.cast(pa.float32())
    if pa.types.is_decimal256(column.type):
        return column.cast(pa.string())
    return column
