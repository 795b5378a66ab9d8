"""A batch of features → the bytes of a binary COPY, and a digest that the server can compute too.

A row of the stream is the number of fields, then each field as its length and its bytes; rows are
joined by one Arrow kernel, column by column, never row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.features import FeatureBatch, decoded
from spatial_pipeline.publish.postgis.columns import ColumnType, big_endian
from spatial_pipeline.publish.postgis.wkb_types import EWKB_FLAGS, LITTLE, as_binary, promoted
from spatial_pipeline.publish.postgis.wkb_types import heads as heads_of

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
DIGITS = 15
"""Hexadecimal digits of a row's MD5 that are summed: 60 bits."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Digest of the content of rows that does not depend on their order.

    Attributes:
        count: number of rows.
        attributes: sum over the rows of 60 bits of the MD5 of the attributes.
        geometry: the same of the geometries as ISO WKB, little endian.

    """

    count: int = 0
    attributes: int = 0
    geometry: int = 0

    def __add__(self, other: Digest) -> Digest:
        return Digest(
            self.count + other.count,
            self.attributes + other.attributes,
            self.geometry + other.geometry,
        )


class Encoder:
    """Encodes the batches of one dataset, one after another.

    Attributes:
        promoted: geometries that became Multi ones so far.

    """

    def __init__(
        self, types: Sequence[ColumnType], srid: int | None, *, multi: bool = False
    ) -> None:
        """Prepares the constants.

        Args:
            types: PostgreSQL types of the attribute columns.
            srid: SRID that every geometry gets; None for a dataset without geometry.
            multi: single geometries become Multi ones of one part.

        """
        self._types = types
        self._srid = srid
        self._multi = multi
        self.promoted = 0
        self._duckdb = duckdb.connect(config={"threads": 1})

    def close(self) -> None:
        """Frees what hashing needs."""
        self._duckdb.close()

    def encode(self, batch: FeatureBatch) -> tuple[pa.Buffer, Digest]:
        """The rows of a batch as COPY reads them, geometry last, and their digest.

        Args:
            batch: features; the table has one column a type.

        Raises:
            StoreError: PostgreSQL cannot hold a value as it is.

        """
        count = len(batch)
        columns = [batch.table.column(i).combine_chunks() for i in range(len(self._types))]
        names = batch.table.column_names
        fields = [_named(n, c, t) for n, c, t in zip(names, columns, self._types, strict=False)]
        stream = [_constant(len(fields) + (self._srid is not None), 2, count), *fields]
        record = [_constant(len(fields), 4, count)]
        for kind, field in zip(self._types, fields, strict=True):
            record += [_constant(kind.oid, 4, count), field]
        nothing = pa.nulls(count, pa.binary())
        wkb = nothing
        if self._srid is not None:
            wkb = nothing if batch.wkb is None else normal_wkb(batch.wkb)
            if self._multi:
                wkb, count_promoted = promoted(wkb)
                self.promoted += count_promoted
            stream += _ewkb(wkb, self._srid)
        attributes = _joined(record) if fields else nothing
        return _bytes(_joined(stream)), self._digest(attributes, as_binary(wkb))

    def _digest(self, attributes: pa.Array, geometry: pa.Array) -> Digest:
        hashed = pa.table({"attributes": attributes, "geometry": geometry})
        sums = ", ".join(
            f"sum(('0x' || left(md5({name}), {DIGITS}))::bigint)" for name in hashed.column_names
        )
        self._duckdb.register("hashed", hashed)
        rows = self._duckdb.execute(f"SELECT {sums} FROM hashed").fetchall()
        self._duckdb.unregister("hashed")
        return Digest(len(hashed), *(int(value or 0) for value in rows[0]))


def digest_sql(columns: Sequence[str], geometry: str | None, as_binary: str) -> str:
    """Expressions (count, attributes, geometry) that give a :class:`Digest` on the server.

    Args:
        columns: quoted attribute columns, in the order of :class:`Encoder`.
        geometry: quoted geometry column or None.
        as_binary: qualified name of PostGIS' ``ST_AsBinary``.

    """

    def total(value: str) -> str:
        bits = f"('x' || left(md5({value}), {DIGITS}))::bit({4 * DIGITS})::bigint"
        return f"coalesce(sum({bits}), 0)"

    attributes = f"record_send(ROW({', '.join(columns)}))"
    return ", ".join(
        [
            "count(*)",
            total(attributes) if columns else "0",
            total(f"{as_binary}({geometry}, 'NDR')") if geometry else "0",
        ]
    )


def normal_wkb(wkb: pa.Array) -> pa.Array:
    """The geometries as ISO WKB, little endian, which is what PostGIS' ``ST_AsBinary`` gives.

    Only what is written differently is decoded and written again; what cannot be decoded stays.
    """
    wkb = wkb.cast(pa.binary())
    heads = heads_of(wkb)
    codes = heads[:, 1:].copy().view("<u4").reshape(-1)
    # A collection may hold parts in another byte order; such parts are not looked for.
    odd = np.flatnonzero((heads[:, 0] != LITTLE) | (codes & EWKB_FLAGS != 0))
    odd = odd[wkb.is_valid().to_numpy(zero_copy_only=False)[odd]]
    if not len(odd):
        return wkb
    values = wkb.to_numpy(zero_copy_only=False)
    geometries = decoded(values[odd])
    known = ~shapely.is_missing(geometries)
    values = values.copy()
    values[odd[known]] = shapely.to_wkb(geometries[known], byte_order=LITTLE, flavor="iso")
    return pa.array(values, pa.binary())


def _ewkb(wkb: pa.Array, srid: int) -> tuple[pa.Array, pa.Array]:
    """Length and EWKB header of each geometry, and what follows the header."""
    heads = heads_of(wkb)
    null = wkb.is_null().to_numpy(zero_copy_only=False)
    little = heads[:, 0] == LITTLE
    sizes = pc.fill_null(pc.binary_length(wkb), 0).to_numpy(zero_copy_only=False)
    short = ~null & (sizes < 5)
    out = np.empty((len(wkb), 13), dtype=np.uint8)
    out[:, :4] = big_endian(np.where(null, -1, sizes + np.where(short, 0, 4)), 4)
    out[:, 4:9] = heads
    out[little, 8] |= 0x20
    out[~little, 5] |= 0x20
    out[:, 9:] = np.where(
        little[:, None],
        np.frombuffer(srid.to_bytes(4, "little"), np.uint8),
        np.frombuffer(srid.to_bytes(4, "big"), np.uint8),
    )
    kept = np.where(null | short, 4, 13)
    # A damaged record goes to the server as it is, which names it.
    longest = int(sizes.max(initial=0))
    rest = pc.if_else(pa.array(short), wkb, pc.binary_slice(wkb, 5, max(5, longest)))
    return _ragged(out, kept), pc.fill_null(rest, b"")


def _named(name: str, column: pa.Array, kind: ColumnType) -> pa.Array:
    """A field of each row; errors name the column."""
    try:
        return _field(column, kind)
    except StoreError as exc:
        msg = f"column {name!r}: {exc}"
        raise StoreError(msg) from exc


def _field(column: pa.Array, kind: ColumnType) -> pa.Array:
    """Length and value of each row of a column."""
    null = column.is_null().to_numpy(zero_copy_only=False)
    if kind.width is not None:
        out = np.empty((len(column), 4 + kind.width), dtype=np.uint8)
        out[:, :4] = big_endian(np.where(null, -1, kind.width), 4)
        out[:, 4:] = kind.encode(column)
        return _ragged(out, np.where(null, 4, 4 + kind.width))
    values = kind.encode(column)
    sizes = pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
    lengths = big_endian(np.where(null, -1, sizes), 4)
    prefix = _ragged(lengths, np.full(len(column), 4))
    empty = pc.if_else(pa.array(null), pa.scalar(b"", pa.binary()), values)
    return _joined([prefix, pc.fill_null(empty, b"")])


def _ragged(matrix: NDArray[np.uint8], kept: NDArray[np.int64]) -> pa.Array:
    """The first ``kept`` bytes of each row of a matrix as a binary array."""
    width = matrix.shape[1]
    offsets = np.zeros(len(matrix) + 1, dtype=np.int32)
    np.cumsum(kept, out=offsets[1:])
    if offsets[-1] == matrix.size:
        data = np.ascontiguousarray(matrix)
    else:
        data = matrix[np.arange(width) < kept[:, None]]
    return _binary(len(matrix), offsets, data)


def _constant(number: int, size: int, count: int) -> pa.Array:
    offsets = np.arange(count + 1, dtype=np.int32) * size
    return _binary(count, offsets, np.frombuffer(number.to_bytes(size, "big") * count, np.uint8))


def _binary(count: int, offsets: NDArray[np.int32], data: NDArray[np.uint8]) -> pa.Array:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.binary(), count, buffers)


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    if len(parts) == 1:
        return parts[0]
    return pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.binary()))


def _bytes(rows: pa.Array) -> pa.Buffer:
    data = rows.buffers()[2]
    return pa.py_buffer(b"") if data is None or not len(rows) else data
