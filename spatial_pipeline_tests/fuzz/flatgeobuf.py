"""FlatGeobuf: files written by GDAL, damaged, and decoded by a reader of a few lines.

The oracle walks the FlatBuffers by their tables, without GDAL or an index.

Source: flatgeobuf.org, version 3 of header.fbs and feature.fbs.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import struct
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyogrio
import shapely

from spatial_pipeline_tests.fuzz.harness import GEOMETRY

KIND = "vector"
MAGIC = b"fgb\x03fgb"
NAMES = ("a", "name", "größe", "x y", 'q"q', "名", "A2", "a.b")
FORMATS = {0: "b", 1: "B", 2: "?", 3: "h", 4: "H", 5: "i", 6: "I", 7: "q", 8: "Q", 9: "f", 10: "d"}
TEXTS, TIME, BINARY = {11, 12}, 13, 14
VALUES: dict[str, tuple[pa.DataType, tuple[Any, ...]]] = {
    "bool": (pa.bool_(), (True, False)),
    "int16": (pa.int16(), (-(2**15), 2**15 - 1)),
    "int32": (pa.int32(), (-(2**31), 2**31 - 1)),
    "int64": (pa.int64(), (2**63 - 1, -(2**63), 2**53 + 1)),
    "float": (pa.float32(), (1.5, -3.25)),
    "double": (pa.float64(), (0.1, 1e300, 5e-324)),
    "text": (pa.string(), ("a", "ü", "名前", "12")),
    "bytes": (pa.binary(), (b"\0\xff", b"a")),
    "day": (pa.date32(), (dt.date(2020, 1, 31),)),
    "time": (pa.timestamp("ms"), (dt.datetime(2020, 1, 31, 10, 20, 30),)),  # noqa: DTZ001
    "zoned": (pa.timestamp("ms", "UTC"), (dt.datetime(2020, 1, 31, 10, 20, 30, tzinfo=dt.UTC),)),
}
SHAPES = {
    "Point": ("POINT (1 2)", "POINT (-5.5 1e300)"),
    "LineString": ("LINESTRING (0 0, 1 1)", "LINESTRING (0 0, 1 1, 2 0)"),
    "Polygon": (
        "POLYGON ((0 0, 1 0, 1 1, 0 0))",
        "POLYGON ((0 0, 9 0, 9 9, 0 0), (2 1, 3 1, 3 2, 2 1))",
    ),
    "MultiPoint": ("MULTIPOINT ((0 0), (1 1))",),
    "MultiPolygon": ("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))",),
    "Point Z": ("POINT Z (1 2 3)",),
    "Unknown": ("POINT (1 2)", "LINESTRING (0 0, 1 1)", "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))"),
}


def write(rng: random.Random, folder: Path) -> Path:
    """A sound file, with or without an index."""
    count = rng.randint(0, 8)
    kind = rng.choice(list(SHAPES))
    columns: dict[str, pa.Array] = {}
    for name in rng.sample(NAMES, rng.randint(0, 5)):
        type_, values = VALUES[rng.choice(list(VALUES))]
        columns[name] = pa.array([rng.choice([None, *values]) for _ in range(count)], type_)
    index = rng.random() < 0.5
    raw = [
        None
        if not index and rng.random() < 0.1
        else bytes(shapely.to_wkb(shapely.from_wkt(rng.choice(SHAPES[kind])), flavor="iso"))
        for _ in range(count)
    ]
    columns["geometry"] = pa.array(raw, pa.binary())
    path = folder / "a.fgb"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.write_arrow(
            pa.table(columns), path, driver="FlatGeobuf", geometry_name="geometry",
            geometry_type=kind, crs="EPSG:4326", SPATIAL_INDEX="YES" if index else "NO",
        )  # fmt: skip
    return path


def damage(rng: random.Random, path: Path) -> None:
    """What happens to such files: a false count, lost or doubled features, a cut, no index."""
    data = bytearray(path.read_bytes())
    start = 8 + 4 + struct.unpack_from("<I", data, 8)[0]
    header = _Table.root(bytes(data[12:start]))
    count = header.scalar(8, "Q", 0)
    node = header.scalar(9, "H", 16)
    size = _index_size(count, node)
    kind = rng.choice(["count", "cut", "index", "drop", "double", "tail", "node"])
    field = header.place(8)
    if kind == "count" and field:
        struct.pack_into("<Q", data, 12 + field, rng.choice([0, 1, count + 1, 2**40, 2**63]))
    elif kind == "node" and header.place(9):
        struct.pack_into("<H", data, 12 + header.place(9), rng.choice([0, 1, 2, 16]))
    elif kind == "index" and size:
        del data[start : start + size]
    elif kind == "drop":
        begin = start + size
        if begin + 4 < len(data):
            del data[begin : begin + 4 + struct.unpack_from("<I", data, begin)[0]]
    elif kind == "double":
        begin = start + size
        if begin + 4 < len(data):
            end = begin + 4 + struct.unpack_from("<I", data, begin)[0]
            data[begin:begin] = data[begin:end]
    elif kind == "tail":
        data += bytes(rng.randint(1, 9))
    else:
        del data[rng.randrange(len(data)) :]
    path.write_bytes(bytes(data))


def _index_size(count: int, node: int) -> int:
    if not node or not count:
        return 0
    if node < 2:
        msg = "the index has nodes of one item"
        raise ValueError(msg)
    total, level = count, count
    while True:
        level = -(-level // node)
        total += level
        if level == 1:
            return total * 40


class _Table:
    """A table of FlatBuffers."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self.virtual = at - struct.unpack_from("<i", data, at)[0]
        if not 0 <= self.virtual < len(data):
            msg = "a table lies outside"
            raise ValueError(msg)
        self.size = struct.unpack_from("<H", data, self.virtual)[0]

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def place(self, field: int) -> int:
        slot = 4 + 2 * field
        if slot >= self.size:
            return 0
        offset = struct.unpack_from("<H", self.data, self.virtual + slot)[0]
        return self.at + offset if offset else 0

    def scalar(self, field: int, form: str, default: Any) -> Any:
        place = self.place(field)
        return struct.unpack_from("<" + form, self.data, place)[0] if place else default

    def target(self, field: int) -> int:
        place = self.place(field)
        return place + struct.unpack_from("<I", self.data, place)[0] if place else 0

    def table(self, field: int) -> _Table | None:
        place = self.target(field)
        return _Table(self.data, place) if place else None

    def tables(self, field: int) -> list[_Table]:
        place = self.target(field)
        if not place:
            return []
        (count,) = struct.unpack_from("<I", self.data, place)
        places = [place + 4 + 4 * i for i in range(min(count, len(self.data)))]
        return [_Table(self.data, p + struct.unpack_from("<I", self.data, p)[0]) for p in places]

    def vector(self, field: int, form: str) -> list[Any]:
        place = self.target(field)
        if not place:
            return []
        (count,) = struct.unpack_from("<I", self.data, place)
        return list(struct.unpack_from(f"<{count}{form}", self.data, place + 4))

    def raw(self, field: int) -> bytes:
        place = self.target(field)
        if not place:
            return b""
        (count,) = struct.unpack_from("<I", self.data, place)
        if place + 4 + count > len(self.data):
            msg = "a vector ends outside"
            raise ValueError(msg)
        return self.data[place + 4 : place + 4 + count]


def expected(path: Path) -> list[dict[str, object]]:
    """The features in the order of the file.

    Raises:
        ValueError: the file is damaged.

    """
    try:
        return _expected(path.read_bytes())
    except (struct.error, IndexError, OverflowError, shapely.errors.ShapelyError) as exc:
        raise ValueError(str(exc)) from exc


def _expected(data: bytes) -> list[dict[str, object]]:
    if data[:3] != MAGIC[:3] or data[3] != 3:
        msg = "is no FlatGeobuf"
        raise ValueError(msg)
    start = 12 + struct.unpack_from("<I", data, 8)[0]
    header = _Table.root(data[12:start])
    kind = header.scalar(2, "B", 0)
    flags = [header.scalar(f, "?", False) for f in (3, 4)]
    columns = [(c.raw(0).decode(), c.scalar(1, "B", 0)) for c in header.tables(7)]
    count = header.scalar(8, "Q", 0)
    at = start + _index_size(count, header.scalar(9, "H", 16))
    rows: list[dict[str, object]] = []
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        if at + 4 + size > len(data):
            msg = "the last feature is cut"
            raise ValueError(msg)
        feature = _Table.root(data[at + 4 : at + 4 + size])
        at += 4 + size
        row: dict[str, object] = {name: None for name, _ in columns}
        row.update(_properties(feature.raw(1), columns))
        geometry = feature.table(0)
        row[GEOMETRY] = None if geometry is None else _shape(geometry, kind, flags)
        rows.append(row)
    if count and len(rows) != count:
        msg = f"{len(rows)} features of {count}"
        raise ValueError(msg)
    return rows


def _properties(raw: bytes, columns: list[tuple[str, int]]) -> dict[str, object]:
    cells: dict[str, object] = {}
    at = 0
    while at < len(raw):
        (number,) = struct.unpack_from("<H", raw, at)
        name, kind = columns[number]
        at += 2
        if kind in FORMATS:
            (value,) = struct.unpack_from("<" + FORMATS[kind], raw, at)
            at += struct.calcsize("<" + FORMATS[kind])
        else:
            (size,) = struct.unpack_from("<I", raw, at)
            value = raw[at + 4 : at + 4 + size]
            if len(value) != size:
                msg = "a property is cut"
                raise ValueError(msg)
            at += 4 + size
            if kind in TEXTS:
                value = value.decode()
                if kind == 12:
                    json.loads(value)
            elif kind == TIME:
                text = value.decode()
                value = (
                    dt.datetime.fromisoformat(text)
                    if len(text) > 10
                    else dt.date.fromisoformat(text)
                )
            elif kind != BINARY:
                msg = f"type {kind}"
                raise ValueError(msg)
        if name in cells:
            msg = f"{name} stands there twice"
            raise ValueError(msg)
        cells[name] = value
    return cells


def _shape(geometry: _Table, kind: int, flags: list[bool]) -> bytes | None:
    kind = geometry.scalar(6, "B", 0) if kind == 0 else kind
    wkb = _wkb(geometry, kind, *flags)
    shapely.from_wkb(wkb)
    return wkb


def _wkb(geometry: _Table, kind: int, has_z: bool, has_m: bool) -> bytes:
    head = struct.pack("<BI", 1, kind + 1000 * has_z + 2000 * has_m)
    if kind in {6, 7}:
        parts = geometry.tables(7)
        inner = [_wkb(p, 3 if kind == 6 else p.scalar(6, "B", 0), has_z, has_m) for p in parts]
        return head + struct.pack("<I", len(inner)) + b"".join(inner)
    flat = geometry.vector(1, "d")
    extra = [geometry.vector(f, "d") for f, there in ((2, has_z), (3, has_m)) if there]
    if any(2 * len(e) != len(flat) for e in extra) or len(flat) % 2:
        msg = "there are not as many coordinates of each axis"
        raise ValueError(msg)
    positions = [
        struct.pack(f"<{2 + len(extra)}d", flat[2 * i], flat[2 * i + 1], *(e[i] for e in extra))
        for i in range(len(flat) // 2)
    ]
    if kind == 1:
        return head + (positions[0] if positions else struct.pack("<2d", *[float("nan")] * 2))
    if kind == 2:
        return head + struct.pack("<I", len(positions)) + b"".join(positions)
    if kind == 4:
        point = struct.pack("<BI", 1, 1 + 1000 * has_z + 2000 * has_m)
        return head + struct.pack("<I", len(positions)) + b"".join(point + p for p in positions)
    if kind not in {3, 5}:
        msg = f"type {kind}"
        raise ValueError(msg)
    ends = geometry.vector(0, "I") or ([len(positions)] if positions else [])
    if ends != sorted(ends) or (ends and ends[-1] != len(positions)):
        msg = "rings do not end with the positions"
        raise ValueError(msg)
    out = head + struct.pack("<I", len(ends))
    for begin, end in zip([0, *ends], ends, strict=False):
        line = b"" if kind == 3 else struct.pack("<BI", 1, 2 + 1000 * has_z + 2000 * has_m)
        out += line + struct.pack("<I", end - begin) + b"".join(positions[begin:end])
    return out
