"""GeoParquet: tables written by Arrow, damaged in their metadata, cells and bytes."""

from __future__ import annotations

import datetime as dt
import json
import random
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from spatial_pipeline_tests.fuzz.harness import GEOMETRY

KIND = "vector"
NAMES = ("a", "name", "größe", "x y", 'q"q', "名", "A2", "a.b", "")
SHAPES = (
    "POINT (1 2)", "POINT EMPTY", "LINESTRING (0 0, 1 1)", "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    "MULTIPOINT ((0 0), (1 1))", "POINT Z (1 2 3)", "POINT M (1 2 3)", "POINT ZM (1 2 3 4)",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))", "GEOMETRYCOLLECTION (POINT (1 2))",
    "MULTILINESTRING Z ((0 0 1, 1 1 2))", "POLYGON EMPTY", "GEOMETRYCOLLECTION EMPTY",
)  # fmt: skip
_DAY = dt.date(2020, 1, 31)
_TIME = dt.datetime(2020, 1, 31, 10, 20, 30, 123456)  # noqa: DTZ001 - a time of no zone
VALUES: dict[str, tuple[pa.DataType, tuple[Any, ...]]] = {
    "bool": (pa.bool_(), (True, False)),
    "int8": (pa.int8(), (-128, 127, 0)),
    "uint64": (pa.uint64(), (2**64 - 1, 0)),
    "int64": (pa.int64(), (2**63 - 1, -(2**63), 2**53 + 1)),
    "float": (pa.float32(), (1.5, 0.0, -3.25)),
    "double": (pa.float64(), (0.1, 1e300, 5e-324, float("nan"), float("inf"))),
    "text": (pa.string(), ("", "ü", "a\0b", "名前")),
    "large": (pa.large_string(), ("a", "b")),
    "bytes": (pa.binary(), (b"", b"\0\xff")),
    "day": (pa.date32(), (_DAY, dt.date(1, 1, 1))),
    "ms": (pa.timestamp("ms"), (dt.datetime(2020, 1, 31, 10, 20),)),  # noqa: DTZ001
    "us": (pa.timestamp("us"), (_TIME,)),
    "utc": (pa.timestamp("us", "UTC"), (_TIME.replace(tzinfo=dt.UTC),)),
    "clock": (pa.time32("ms"), (dt.time(10, 20, 30),)),
    "decimal": (pa.decimal128(38, 2), (Decimal("1.25"), Decimal(10) ** 30)),
    "list": (pa.list_(pa.int64()), ([1, None], [])),
    "struct": (pa.struct([("x", pa.int64())]), ({"x": 1}, {"x": None})),
    "code": (pa.dictionary(pa.int8(), pa.string()), ("a", "b")),
}


def write(rng: random.Random, folder: Path) -> Path:
    """A sound file: WKB or a native encoding, with or without geometry."""
    count = rng.randint(0, 12)
    names = rng.sample(NAMES, rng.randint(0, 5))
    columns: dict[str, pa.Array] = {}
    for name in names:
        kind, values = VALUES[rng.choice(list(VALUES))]
        columns[name] = pa.array([rng.choice([None, *values]) for _ in range(count)], kind)
    metadata: dict[str, str] = {}
    if rng.random() < 0.85 or not columns:
        encoding = rng.choice(["WKB", "WKB", "WKB", "point", "linestring", "polygon"])
        columns["geom"], types = _geometry(rng, count, encoding)
        column: dict[str, Any] = {"encoding": encoding, "geometry_types": types}
        if rng.random() < 0.5:
            column["crs"] = rng.choice([None, _crs(3857)])
        if rng.random() < 0.3:
            column["bbox"] = [0, 0, 1, 2]
        geo = {"version": "1.1.0", "primary_column": "geom", "columns": {"geom": column}}
        metadata["geo"] = json.dumps(geo)
    table = pa.table(columns).replace_schema_metadata(metadata)
    path = folder / "a.parquet"
    compression = rng.choice(["none", "snappy", "zstd"])
    pq.write_table(table, path, row_group_size=rng.choice([3, 100]), compression=compression)
    return path


def _crs(code: int) -> Any:
    import pyproj

    return pyproj.CRS.from_epsg(code).to_json_dict()


def _geometry(rng: random.Random, count: int, encoding: str) -> tuple[pa.Array, list[str]]:
    if encoding == "WKB":
        shapes = [shapely.from_wkt(rng.choice(SHAPES)) for _ in range(count)]
        order = rng.choice([0, 1])
        raw = [
            None if rng.random() < 0.1 else bytes(shapely.to_wkb(s, flavor="iso", byte_order=order))
            for s in shapes
        ]
        return pa.array(raw, pa.binary()), []

    def xy() -> dict[str, float]:
        return {"x": rng.uniform(-9, 9), "y": rng.uniform(-9, 9)}

    def ring() -> list[Any]:
        first = xy()
        return [first, xy(), xy(), first]

    kind: pa.DataType = pa.struct([("x", pa.float64()), ("y", pa.float64())])
    make: dict[str, Any] = {
        "point": xy,
        "linestring": lambda: [xy() for _ in range(rng.randint(2, 4))],
        "polygon": lambda: [ring() for _ in range(rng.randint(1, 2))],
    }
    for _ in range({"point": 0, "linestring": 1, "polygon": 2}[encoding]):
        kind = pa.list_(kind)
    values = [None if rng.random() < 0.1 else make[encoding]() for _ in range(count)]
    names = {"point": "Point", "linestring": "LineString", "polygon": "Polygon"}
    return pa.array(values, kind), [names[encoding]]


def damage(rng: random.Random, path: Path) -> None:
    """What happens to tables: metadata that contradicts, WKB that is none, rings that are open."""
    file = pq.ParquetFile(path)
    table = file.read()
    raw = (table.schema.metadata or {}).get(b"geo")
    geo = None if raw is None else json.loads(raw)
    if geo is None:
        geo = rng.choice([{}, [], {"primary_column": "x"}, {"columns": {}}, 1])
    elif rng.random() < 0.5 and table.num_rows:
        table = _cell(rng, table, geo["columns"]["geom"]["encoding"])
    else:
        column = geo["columns"]["geom"]
        key, value = rng.choice(_METADATA)
        column[key] = value
        if rng.random() < 0.1:
            del geo[rng.choice(list(geo))]
    table = table.replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(table, path, row_group_size=rng.choice([3, 100]))


_METADATA: tuple[tuple[str, Any], ...] = (
    ("bbox", [float("inf"), 0, float("-inf"), 0]), ("bbox", [float("nan")] * 4), ("bbox", "x"),
    ("bbox", [1, 2]), ("bbox", [10**400, 0, 1, 1]), ("bbox", [True, 0, 1, 1]), ("bbox", {}),
    ("bbox", [None] * 4), ("geometry_types", ["Polygon"]), ("geometry_types", "Point"),
    ("geometry_types", [1]), ("geometry_types", [["Point"]]), ("geometry_types", None),
    ("crs", None), ("crs", "EPSG:4326"), ("crs", {}), ("crs", 4326), ("crs", []), ("crs", "x"),
    ("encoding", "WKT"), ("encoding", None), ("encoding", "point"), ("encoding", ["WKB"]),
    ("encoding", "WKB"), ("encoding", "multipolygon"), ("edges", "spherical"), ("edges", 5),
    ("orientation", "x"), ("epoch", "x"), ("covering", 5),
    ("covering", {"bbox": {"xmin": ["geom", "x"]}}),
    ("covering", {"bbox": {"xmin": []}}), ("covering", {"bbox": {"xmin": [["a"]]}}),
)  # fmt: skip


def _cell(rng: random.Random, table: pa.Table, encoding: str) -> pa.Table:
    values = table["geom"].to_pylist()
    row = rng.randrange(len(values))
    if encoding == "WKB":
        data = bytearray(values[row] or b"")
        kind = rng.choice(["flip", "cut", "more", "deep", "empty", "srid", "ring"])
        if kind == "flip" and data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == "cut" and data:
            del data[rng.randrange(len(data)) :]
        elif kind == "more":
            data += bytes(rng.randint(1, 9))
        elif kind == "deep":
            deep = struct.pack("<BII", 1, 7, 1) * 100_000 + struct.pack("<BIdd", 1, 1, 1, 2)
            data = bytearray(deep)
        elif kind == "srid":
            point = shapely.set_srid(shapely.Point(1, 2), 4326)
            data = bytearray(shapely.to_wkb(point, include_srid=True))
        elif kind == "ring":
            data = bytearray(struct.pack("<BII", 1, 3, 1) + struct.pack("<I8d", 4, *range(8)))
        else:
            data = bytearray()
        values[row] = bytes(data)
    elif encoding == "point":
        values[row] = {
            "x": rng.choice([None, 1.0, float("nan")]),
            "y": rng.choice([None, float("inf")]),
        }
    elif values[row]:
        part = values[row] if encoding == "linestring" else values[row][0]
        action = rng.choice(["pop", "null", "clear", "moved"])
        if action == "pop":
            part.pop()
        elif action == "null":
            part[rng.randrange(len(part))] = None
        elif action == "clear":
            part.clear()
        else:
            part[-1] = {"x": 77.0, "y": None if rng.random() < 0.3 else 77.0}
    column = pa.array(values, table["geom"].type)
    return table.set_column(table.schema.get_field_index("geom"), "geom", column)


def expected(path: Path) -> list[dict[str, object]]:
    """The rows as Arrow reads the whole file at once.

    Raises:
        ValueError: the file is damaged, or its metadata is no GeoParquet.

    """
    try:
        table = pq.ParquetFile(path).read()
        table.validate(full=True)
        raw = (table.schema.metadata or {}).get(b"geo")
        rows = table.to_pylist()
        if raw is None:
            return [{**row, GEOMETRY: None} for row in rows]
        geo = json.loads(raw)
        primary = geo["primary_column"]
        column = geo["columns"][primary]
        encoding = column["encoding"]
        for row in rows:
            value = row.pop(primary)
            row[GEOMETRY] = None if value is None else _shape(value, encoding)
    except (pa.ArrowException, OSError, KeyError, TypeError, AttributeError, OverflowError,
            shapely.errors.ShapelyError) as exc:  # fmt: skip
        raise ValueError(str(exc)) from exc
    return rows


def _shape(value: Any, encoding: str) -> bytes:
    if encoding == "WKB":
        shape = shapely.from_wkb(value)
        size = len(shapely.to_wkb(shape, flavor="iso", output_dimension=4))
        if size != len(value) and not shapely.get_srid(shape):
            msg = "there are bytes behind the geometry"
            raise ValueError(msg)
        return bytes(shapely.to_wkb(shape, flavor="iso", output_dimension=4))
    if encoding == "point":
        return struct.pack("<BI", 1, 1) + _position(value)
    if encoding == "linestring":
        return _checked(struct.pack("<BI", 1, 2) + _run(value))
    if encoding == "polygon":
        rings = b"".join(map(_run, value))
        return _checked(struct.pack("<BII", 1, 3, len(value)) + rings)
    msg = f"encoding {encoding!r}"
    raise ValueError(msg)


def _checked(wkb: bytes) -> bytes:
    shapely.from_wkb(wkb)
    return wkb


def _run(positions: Any) -> bytes:
    return struct.pack("<I", len(positions)) + b"".join(map(_position, positions))


def _position(value: Any) -> bytes:
    if value["x"] is None or value["y"] is None:
        msg = "a coordinate is null"
        raise ValueError(msg)
    return struct.pack("<dd", value["x"], value["y"])
