"""Rows as PostgreSQL's ``record_send`` packs them → Arrow columns, column by column.

A packed row is the number of columns, then of each column the oid of its type, its length (-1 for
null) and its bytes, all integers in network order. The place of a column depends on the lengths
before it, so columns are found one after the other, each for all rows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.gdal_messages import add

_EPOCH_DAYS = 10_957
"""Days from 1970-01-01 to 2000-01-01, where PostgreSQL's time begins."""
_EPOCH_US = _EPOCH_DAYS * 86_400_000_000
_INFINITE_DAYS = (np.iinfo(np.int32).min, np.iinfo(np.int32).max)
_LATEST_US = np.iinfo(np.int64).max - _EPOCH_US


@dataclass(frozen=True)
class PackedValues:
    """One column of n packed rows.

    Attributes:
        buffer: (b,) uint8, all packed rows.
        starts: (n,) first byte of each value.
        sizes: (n,) bytes of each value, 0 for null.
        null: (n,) mask.

    """

    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    null: NDArray[np.bool_]

    def numbers(self, kind: str) -> NDArray[np.int64]:
        """(n,) numbers of a fixed width in network order, in native order; 0 for null."""
        out = np.zeros(len(self.starts), dtype=np.dtype(kind).newbyteorder("="))
        there = ~self.null
        out[there] = _at(self.buffer, self.starts[there], kind)
        return out

    def binary(self) -> pa.Array:
        """(n,) Arrow binary, copied by one Arrow kernel."""
        # The buffer as alternating gaps and values; the values are taken.
        there = ~self.null
        edges = np.empty(2 * int(there.sum()), dtype=np.int64)
        edges[0::2] = self.starts[there]
        edges[1::2] = self.starts[there] + self.sizes[there]
        spans = pa.Array.from_buffers(
            pa.large_binary(),
            max(0, len(edges) - 1),
            [None, pa.py_buffer(edges), pa.py_buffer(self.buffer)],
        )
        picked = np.zeros(len(there), dtype=np.int64)
        picked[there] = np.arange(0, len(edges), 2)
        return spans.take(pa.array(picked, mask=self.null)).cast(pa.binary())


@dataclass(frozen=True)
class Coding:
    """How a column travels.

    Attributes:
        arrow: type in which it is staged.
        sql: expression that is packed, ``{}`` for the column.
        decode: values and this type → array.

    """

    arrow: pa.DataType
    sql: str
    decode: Callable[[PackedValues, pa.DataType], pa.Array]


def unpacked(
    rows: Sequence[bytes], codings: Sequence[Coding], names: Sequence[str], notes: list[str]
) -> list[pa.Array]:
    """The columns of packed rows.

    Args:
        rows: n packed rows.
        codings: one a column.
        names: names of the columns, for messages.
        notes: gets a line for each column with values that became null.

    Raises:
        SourceError: a value has no counterpart in the staged type.

    """
    buffer = np.frombuffer(b"".join(rows), dtype=np.uint8)
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    at = np.cumsum(lengths) - lengths + 4
    columns = []
    for coding, name in zip(codings, names, strict=True):
        sizes = _at(buffer, at + 4, ">i4").astype(np.int64)
        null = sizes < 0
        sizes[null] = 0
        values = PackedValues(buffer, at + 8, sizes, null)
        try:
            columns.append(coding.decode(values, coding.arrow))
        except pa.ArrowInvalid as exc:
            msg = f"column {name!r} has a value that {coding.arrow} cannot hold: {exc}"
            raise SourceError(msg) from exc
        if columns[-1].null_count > int(null.sum()):
            add(notes, f"column {name!r} has infinite times, staged as null")
        at = at + 8 + sizes
    return columns


def numbers(kind: str) -> Callable[[PackedValues, pa.DataType], pa.Array]:
    """Decoder of numbers of a fixed width."""

    def decode(values: PackedValues, target: pa.DataType) -> pa.Array:
        return pa.array(values.numbers(kind), mask=values.null).cast(target)

    return decode


def booleans(values: PackedValues, target: pa.DataType) -> pa.Array:
    """Decoder of bool."""
    return pa.array(values.numbers("u1") != 0, type=target, mask=values.null)


def dates(values: PackedValues, target: pa.DataType) -> pa.Array:
    """Decoder of date; ``infinity`` becomes null."""
    days = values.numbers(">i4").astype(np.int64)
    null = values.null | np.isin(days, _INFINITE_DAYS)
    days = np.where(null, 0, days + _EPOCH_DAYS).astype(np.int32)
    return pa.array(days, mask=null).cast(target)


def instants(values: PackedValues, target: pa.DataType) -> pa.Array:
    """Decoder of timestamps; ``infinity`` and what Arrow cannot hold become null."""
    micros = values.numbers(">i8")
    null = values.null | (micros > _LATEST_US) | (micros == np.iinfo(np.int64).min)
    return pa.array(np.where(null, 0, micros) + _EPOCH_US, mask=null).cast(target)


def texts(values: PackedValues, target: pa.DataType) -> pa.Array:
    """Decoder of text; what is no UTF-8 stays for ingest to find."""
    found = values.binary()
    return pa.Array.from_buffers(target, len(found), found.buffers(), found.null_count)


def blobs(values: PackedValues, target: pa.DataType) -> pa.Array:
    """Decoder of bytes."""
    return values.binary().cast(target)


def decimals(values: PackedValues, target: pa.DataType) -> pa.Array:
    """Decoder of numbers that are packed as text."""
    return texts(values, pa.string()).cast(target)


def _at(buffer: NDArray[np.uint8], places: NDArray[np.int64], kind: str) -> NDArray[np.int64]:
    """Numbers at these bytes, whatever their alignment."""
    width = np.dtype(kind).itemsize
    if not len(places):
        return np.empty(0, dtype=kind)
    view: NDArray[np.int64] = np.ndarray(
        (len(buffer) - width + 1,), dtype=kind, buffer=buffer, strides=(1,)
    )
    return view[places]
