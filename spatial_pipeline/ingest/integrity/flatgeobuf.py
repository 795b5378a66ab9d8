"""Features of a FlatGeobuf file, counted by their lengths, and its times as they are written.

GDAL stops at the number of the header, skips bytes that are left over, and takes the offset off a
time.

Source: flatgeobuf.org, version 3 of header.fbs and feature.fbs; FlatBuffers' internals for tables.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import pyarrow as pa

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.geojson_columns import typed
from spatial_pipeline.ingest.formats.layer import Layer

_MAGIC, _VERSION, _START = b"fgb", 3, 12
_NODE_BYTES = 40
_MAX_DEPTH = 64
"""Levels of an index; each divides the number of nodes by two at least."""
_SIZES = {0: 1, 1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 8: 8, 9: 4, 10: 8}
"""Bytes of a property by the type of its column; others state their length."""
_TIME = 13
_WORD = struct.Struct("<I")


def audit(layer: Layer, file: Path) -> dict[str, pa.Array]:
    """Counts the features of a file.

    Returns:
        Columns of times to stage in the place of GDAL's.

    Raises:
        SourceError: it is cut, or does not hold as many features as its header says.

    """
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _audited(layer, data)
        except (struct.error, IndexError) as exc:
            msg = "the file is cut, or a length in it is wrong"
            raise SourceError(msg) from exc


def _audited(layer: Layer, data: mmap.mmap) -> dict[str, pa.Array]:
    if data[:3] != _MAGIC or data[3] != _VERSION:
        msg = "it is no FlatGeobuf file of version 3"
        raise SourceError(msg)
    start = _START + _word(data, 8)
    header = _START + _word(data, _START)
    count = _scalar(data, header, 8, "<Q", 0)
    places = _features(data, start + _index_bytes(count, _scalar(data, header, 9, "<H", 16)))
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
    texts: dict[str, list[str | None]] = {n: [None] * len(places) for n in wanted}
    for row, place in enumerate(places):
        for number, text in _times(data, place, [kind for _, kind in columns]):
            if times.get(number) in texts:
                texts[times[number]][row] = text
    return {
        name: typed(values, name, layer.schema.field(name).type, layer.defects)
        for name, values in texts.items()
    }


def _features(data: mmap.mmap, at: int) -> list[int]:
    """Where each feature's table of bytes begins."""
    places: list[int] = []
    end = len(data)
    while at < end:
        (size,) = _WORD.unpack_from(data, at)
        places.append(at + 4)
        at += 4 + size
    if at > end:
        msg = f"the file is cut in feature {len(places) - 1}"
        raise SourceError(msg)
    return places


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


def _times(data: mmap.mmap, place: int, kinds: list[int]) -> list[tuple[int, str]]:
    """Numbers and texts of the columns of times in a feature."""
    table = place + _word(data, place)
    vector = _target(data, table, 1)
    if not vector:
        return []
    found: list[tuple[int, str]] = []
    at, end = vector + 4, vector + 4 + _word(data, vector)
    while at < end:
        (number,) = struct.unpack_from("<H", data, at)
        at += 2
        size = _SIZES.get(kinds[number])
        if size is None:
            size = _word(data, at)
            at += 4
        if kinds[number] == _TIME:
            found.append((number, data[at : at + size].decode("utf-8", "surrogateescape")))
        at += size
    return found


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
    """Where a field of a table stands; 0 where it has its default."""
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
