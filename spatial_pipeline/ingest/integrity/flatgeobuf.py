"""Features of a FlatGeobuf file, counted by their lengths, and its times as they are written.

GDAL stops at the number of the header, skips bytes that are left over, and takes the offset off a
time.

Source: flatgeobuf.org, version 3 of header.fbs and feature.fbs; FlatBuffers' internals for tables.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.geojson_columns import typed
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.stretches import gathered

_MAGIC, _VERSION, _START = b"fgb", 3, 12
_NODE_BYTES = 40
_MAX_DEPTH = 64
"""Levels of an index; each divides the number of nodes by two at least."""
_SIZES = {0: 1, 1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 8: 8, 9: 4, 10: 8}
"""Bytes of a property by the type of its column; others state their length."""
_FIXED = np.full(256, -1)
_FIXED[list(_SIZES)] = list(_SIZES.values())
_TIME = 13
_PROPERTIES = 6
"""Place of the properties in the virtual table of a feature."""
_NODE = np.dtype([("box", "<f8", 4), ("offset", "<u8")])
_WORD = struct.Struct("<I")


def audit(layer: Layer, file: Path) -> dict[str, pa.Array]:
    """Counts the features of a file.

    Returns:
        Columns of times to stage in the place of GDAL's.

    Raises:
        SourceError: it is cut, or does not hold as many features as its header says.

    """
    with file.open("rb") as stream:
        # Not closed here: the traceback of an error holds views of it.
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            return _audited(layer, data)
        except (struct.error, IndexError) as exc:
            msg = "the file is cut, or a length in it is wrong"
            raise SourceError(msg) from exc


def _audited(layer: Layer, data: mmap.mmap) -> dict[str, pa.Array]:
    if data[:3] != _MAGIC or data[3] != _VERSION:
        msg = "it is not a FlatGeobuf file of version 3"
        raise SourceError(msg)
    start = _START + _word(data, 8)
    header = _START + _word(data, _START)
    count = _scalar(data, header, 8, "<Q", 0)
    behind = start + _index_bytes(count, _scalar(data, header, 9, "<H", 16))
    places = _features(data, behind, count if behind > start else 0)
    # A header of 0 does not say, as of a stream whose length was not known.
    if count and len(places) != count:
        msg = f"declares {count} features, it holds {len(places)}"
        raise SourceError(msg)
    layer.declared_count = len(places)
    columns = _columns(data, header)
    times = {i: n for i, (n, kind) in enumerate(columns) if kind == _TIME}
    wanted = {f.name for f in layer.attributes if pa.types.is_temporal(f.type)}
    if not wanted & set(times.values()):
        return {}
    kinds = np.array([kind for _, kind in columns])
    found: dict[str, pa.Array] = {}
    for number, text in _times(data, places, kinds).items():
        name = times[number]
        if name in wanted:
            kind = layer.schema.field(name).type
            found[name] = typed(text, name, kind, layer.defects)
    return found


def _features(data: mmap.mmap, at: int, indexed: int) -> NDArray[np.int64]:
    """Offset of each feature's table.

    Args:
        data: the file.
        at: position of the first feature.
        indexed: leaves of the index, which stands in front of it; 0 without an index.

    """
    end = len(data)
    if indexed and at <= end:
        # What the index says is true when each feature ends where the next one begins.
        leaves = np.frombuffer(data, _NODE, indexed, at - indexed * _NODE_BYTES)["offset"]
        starts = at + leaves.astype(np.int64)
        if starts[0] == at and (np.diff(starts) > 0).all() and starts[-1] + 4 <= end:
            ends = starts + 4 + _numbers(data, starts, "<u4")
            if (ends[:-1] == starts[1:]).all() and ends[-1] == end:
                return starts + 4
    places: list[int] = []
    while at < end:
        (size,) = _WORD.unpack_from(data, at)
        places.append(at + 4)
        at += 4 + size
    if at > end:
        msg = f"the file is cut in feature {len(places) - 1}"
        raise SourceError(msg)
    return np.array(places, np.int64)


def _numbers(data: mmap.mmap, at: NDArray[np.int64], form: str) -> NDArray[np.int64]:
    """(n,) whole numbers of a file from each position on.

    Raises:
        IndexError: a position is outside of it.

    """
    if len(at) and at.min() < 0:
        raise IndexError
    kind = np.dtype(form)
    return gathered(data, at, kind.itemsize).view(kind)[:, 0].astype(np.int64)


def _index_bytes(count: int, node: int) -> int:
    """Bytes of the packed R-tree between header and features."""
    if not count or not node:
        return 0
    total = level = count
    for _ in range(_MAX_DEPTH if node > 1 else 0):
        level = -(-level // node)
        total += level
        if level == 1:
            return total * _NODE_BYTES
    msg = f"its index has nodes of {node}"
    raise SourceError(msg)


def _times(
    data: mmap.mmap, places: NDArray[np.int64], kinds: NDArray[np.int64]
) -> dict[int, list[str | None]]:
    """Texts of all features by the number of a column of times, None where one has none."""
    starts = {int(n): np.zeros(len(places), np.int64) for n in np.flatnonzero(kinds == _TIME)}
    ends = {n: s.copy() for n, s in starts.items()}
    rows, at, end = _properties(data, places)
    while len(rows):
        number = _numbers(data, at, "<u2")
        kind = kinds[number]
        sizes = _FIXED[kind]
        at, stated = at + 2, sizes < 0
        sizes[stated] = _numbers(data, at[stated], "<u4")
        at += 4 * stated
        for column in starts:
            mine = number == column
            starts[column][rows[mine]] = at[mine]
            ends[column][rows[mine]] = (at + sizes)[mine]
        more = at + sizes < end
        rows, at, end = rows[more], (at + sizes)[more], end[more]
    return {
        column: [
            data[begin:stop].decode("utf-8", "surrogateescape") if begin else None
            for begin, stop in zip(starts[column].tolist(), ends[column].tolist(), strict=True)
        ]
        for column in starts
    }


def _properties(
    data: mmap.mmap, places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Features that have properties, where these begin, and where they end."""
    tables = places + _numbers(data, places, "<u4")
    virtual = tables - _numbers(data, tables, "<i4")
    rows = np.flatnonzero(_numbers(data, virtual, "<u2") > _PROPERTIES)
    offsets = _numbers(data, virtual[rows] + _PROPERTIES, "<u2")
    rows, offsets = rows[offsets > 0], offsets[offsets > 0]
    fields = tables[rows] + offsets
    vectors = fields + _numbers(data, fields, "<u4")
    begin = vectors + 4
    end = begin + _numbers(data, vectors, "<u4")
    some = begin < end
    return rows[some], begin[some], end[some]


def _columns(data: mmap.mmap, header: int) -> list[tuple[str, int]]:
    """Names and types of the columns of the header."""
    vector = _target(data, header, 7)
    found: list[tuple[str, int]] = []
    for i in range(_word(data, vector) if vector else 0):
        place = vector + 4 + 4 * i
        column = place + _word(data, place)
        name = _target(data, column, 0)
        raw = data[name + 4 : name + 4 + _word(data, name)]
        try:
            found.append((raw.decode(), _scalar(data, column, 1, "<B", 0)))
        except UnicodeDecodeError as exc:
            msg = f"the name of a column is not UTF-8: {raw!r}"
            raise SourceError(msg) from exc
    return found


def _word(data: mmap.mmap, at: int) -> int:
    value: int = _WORD.unpack_from(data, at)[0]
    return value


def _field(data: mmap.mmap, table: int, number: int) -> int:
    """Offset of a field of a table; 0 where it has its default."""
    virtual = table - struct.unpack_from("<i", data, table)[0]
    slot = 4 + 2 * number
    if slot >= struct.unpack_from("<H", data, virtual)[0]:
        return 0
    offset = struct.unpack_from("<H", data, virtual + slot)[0]
    return table + int(offset) if offset else 0


def _scalar(data: mmap.mmap, table: int, number: int, form: str, default: int) -> int:
    place = _field(data, table, number)
    return int(struct.unpack_from(form, data, place)[0]) if place else default


def _target(data: mmap.mmap, table: int, number: int) -> int:
    place = _field(data, table, number)
    return place + _word(data, place) if place else 0


@dataclass(frozen=True)
class FlatGeobufHeader:
    """The header of a file.

    Attributes:
        envelope: minima and then maxima of all dimensions, empty when it declares none.
        geometry_type: number of the type, 0 for mixed ones.
        has_z: features have Z.
        columns: name and number of the type of each column.
        features: declared number of features, 0 when it is not known.
        node_size: entries of a node of the index, 0 without an index.
        has_crs: a reference system is declared.

    """

    envelope: tuple[float, ...]
    geometry_type: int
    has_z: bool
    columns: tuple[tuple[str, int], ...]
    features: int
    node_size: int
    has_crs: bool


def header_of(file: Path) -> FlatGeobufHeader | None:
    """The header of a FlatGeobuf file; None when it cannot be read."""
    with file.open("rb") as stream:
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            return _header(data)
        except (struct.error, IndexError, SourceError):
            return None


def index_boxes(file: Path) -> NDArray[np.float64]:
    """(n, 4) boxes of the leaves of the packed R-tree, in the order of the features."""
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        table = _START + _word(data, _START)
        count = _scalar(data, table, 8, "<Q", 0)
        node = _scalar(data, table, 9, "<H", 16)
        behind = _START + _word(data, 8) + _index_bytes(count, node)
        # A copy, as a view would keep the file open.
        leaves = bytes(data[behind - count * _NODE_BYTES : behind])
    return np.frombuffer(leaves, _NODE, count)["box"].astype(np.float64)


def _header(data: mmap.mmap) -> FlatGeobufHeader:
    table = _START + _word(data, _START)
    vector = _target(data, table, 1)
    count = _word(data, vector) if vector else 0
    envelope = struct.unpack_from(f"<{min(count, 8)}d", data, vector + 4) if vector else ()
    return FlatGeobufHeader(
        envelope=tuple(envelope),
        geometry_type=_scalar(data, table, 2, "<B", 0),
        has_z=bool(_scalar(data, table, 3, "<B", 0)),
        columns=tuple(_columns(data, table)),
        features=_scalar(data, table, 8, "<Q", 0),
        node_size=_scalar(data, table, 9, "<H", 16),
        has_crs=bool(_field(data, table, 10)),
    )
