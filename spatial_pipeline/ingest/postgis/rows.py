"""Rows as PostgreSQL's ``record_send`` packs them → Arrow columns, column by column.

A packed row is the number of columns, then of each column the oid of its type, its length (-1 for
null) and its bytes, all integers in network order. The place of a column depends on the lengths
before it, so columns are found one after the other, each for all rows at once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.ingest.defects import Defects

_EPOCH_DAYS = 10_957
"""Days from 1970-01-01 to 2000-01-01, where PostgreSQL's time begins."""
_EPOCH_US = _EPOCH_DAYS * 86_400_000_000
_INFINITE_DAYS = (np.iinfo(np.int32).min, np.iinfo(np.int32).max)
_MAX_DIGITS = {128: 38, 256: 76}
_ROW_HEAD = 6
"""Bytes before the value of a row with one column: their number, and the length."""
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
class Decoded:
    """A column as Arrow holds it.

    Attributes:
        array: (n,) values; null for those that it cannot hold.
        lost: indices of those.
        texts: texts of those values.

    """

    array: pa.Array
    lost: Sequence[int] = ()
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Coding:
    """Encoding of a column on its way from the server.

    Attributes:
        arrow: type in which it is staged.
        sql: expression that is packed, ``{}`` for the column.
        decode: values and this type → column.

    """

    arrow: pa.DataType
    sql: str
    decode: Callable[[PackedValues, pa.DataType], Decoded]


def found_rows(data: bytes, at: int) -> tuple[NDArray[np.int64], int]:
    """Places of the whole rows of a binary COPY of one column.

    Args:
        data: bytes of the stream.
        at: place of the first row.

    Returns:
        (n,) first byte of the value of each row, and the place behind the last whole one.

    """
    # The place of a row hangs on the length of the former one; a loop of struct needs 0.1 s for a
    # million rows, less than a search for row heads in all bytes.
    unpack, size, places = struct.Struct(">hi").unpack_from, len(data), []
    while at + _ROW_HEAD <= size:
        (_, length) = unpack(data, at)
        if at + _ROW_HEAD + length > size:
            break
        places.append(at + _ROW_HEAD)
        at += _ROW_HEAD + length
    return np.array(places, dtype=np.int64), at


def unpacked(
    buffer: NDArray[np.uint8],
    places: NDArray[np.int64],
    codings: Sequence[Coding],
    names: Sequence[str],
    before: int,
    defects: Defects,
) -> list[pa.Array]:
    """The columns of packed rows.

    Args:
        buffer: (b,) bytes.
        places: (n,) first byte of each packed row.
        codings: one a column.
        names: names of the columns.
        before: rows of the source before these.
        defects: gets the values that have no counterpart in the staged type.

    """
    at = places + 4
    columns = []
    for coding, name in zip(codings, names, strict=True):
        sizes = _at(buffer, at + 4, ">i4").astype(np.int64)
        null = sizes < 0
        sizes[null] = 0
        found = coding.decode(PackedValues(buffer, at + 8, sizes, null), coding.arrow)
        if len(found.lost):
            rows = np.asarray(found.lost, dtype=np.int64) + before
            defects.add(rows, name, found.texts, f"cannot be held by {coding.arrow}")
        columns.append(found.array)
        at = at + 8 + sizes
    return columns


def numbers(kind: str) -> Callable[[PackedValues, pa.DataType], Decoded]:
    """Decoder of numbers of a fixed width."""

    def decode(values: PackedValues, target: pa.DataType) -> Decoded:
        return Decoded(pa.array(values.numbers(kind), mask=values.null).cast(target))

    return decode


def booleans(values: PackedValues, target: pa.DataType) -> Decoded:
    """Decoder of bool."""
    return Decoded(pa.array(values.numbers("u1") != 0, type=target, mask=values.null))


def dates(values: PackedValues, target: pa.DataType) -> Decoded:
    """Decoder of date; ``infinity`` is lost."""
    days = values.numbers(">i4").astype(np.int64)
    endless = ~values.null & np.isin(days, _INFINITE_DAYS)
    null = values.null | endless
    held = np.where(null, 0, days + _EPOCH_DAYS).astype(np.int32)
    return Decoded(pa.array(held, mask=null).cast(target), *_endless(endless, days))


def instants(values: PackedValues, target: pa.DataType) -> Decoded:
    """Decoder of timestamps; ``infinity`` and what Arrow cannot hold are lost."""
    micros = values.numbers(">i8")
    endless = ~values.null & ((micros > _LATEST_US) | (micros == np.iinfo(np.int64).min))
    null = values.null | endless
    held = pa.array(np.where(null, 0, micros) + _EPOCH_US, mask=null).cast(target)
    return Decoded(held, *_endless(endless, micros))


def _endless(endless: NDArray[np.bool_], values: NDArray[np.int64]) -> tuple[list[int], list[str]]:
    rows = np.flatnonzero(endless)
    return rows.tolist(), ["-infinity" if v < 0 else "infinity" for v in values[rows].tolist()]


def texts(values: PackedValues, target: pa.DataType) -> Decoded:
    """Decoder of text; what is no UTF-8 stays for ingest to find."""
    found = values.binary()
    return Decoded(pa.Array.from_buffers(target, len(found), found.buffers(), found.null_count))


def blobs(values: PackedValues, target: pa.DataType) -> Decoded:
    """Decoder of bytes."""
    return Decoded(values.binary().cast(target))


def decimals(values: PackedValues, target: pa.DataType) -> Decoded:
    """Decoder of numbers that are packed as text; NaN, infinity and other digits are lost."""
    found = texts(values, pa.string()).array
    # Arrow takes numbers with more digits than its integers have modulo 2^128.
    digits = pc.utf8_ltrim(found, "-0.")
    count = pc.subtract(pc.binary_length(digits), pc.count_substring(digits, "."))
    special = pc.is_in(found, value_set=pa.array(["NaN", "Infinity", "-Infinity"]))
    special = pc.or_(special, pc.greater(count, _MAX_DIGITS[target.bit_width]).fill_null(False))
    kept = pc.if_else(special, None, found)
    lost = np.flatnonzero(special.to_numpy(zero_copy_only=False))
    try:
        held = kept.cast(target)
    except pa.ArrowInvalid:
        unfit = [i for i, text in enumerate(kept.to_pylist()) if not _fits(text, target)]
        lost = np.union1d(lost, np.array(unfit, dtype=np.int64))
        there = np.ones(len(kept), dtype=bool)
        there[unfit] = False
        held = pc.if_else(pa.array(there), kept, None).cast(target)
    return Decoded(held, lost.tolist(), found.take(pa.array(lost, pa.int64())).to_pylist())


def _fits(text: str | None, target: pa.DataType) -> bool:
    try:
        pa.array([text], pa.string()).cast(target)
    except pa.ArrowInvalid:
        return False
    return True


def _at(buffer: NDArray[np.uint8], places: NDArray[np.int64], kind: str) -> NDArray[np.int64]:
    """Numbers at these bytes, whatever their alignment."""
    width = np.dtype(kind).itemsize
    if not len(places):
        return np.empty(0, dtype=kind)
    view: NDArray[np.int64] = np.ndarray(
        (len(buffer) - width + 1,), dtype=kind, buffer=buffer, strides=(1,)
    )
    return view[places]
