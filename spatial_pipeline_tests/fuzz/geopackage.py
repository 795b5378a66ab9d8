"""GeoPackage: tables written and damaged through SQLite, which is the oracle, too."""

from __future__ import annotations

import datetime as dt
import random
import re
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import shapely

from spatial_pipeline_tests.fuzz.harness import GEOMETRY

KIND = "vector"
NAMES = ("a", "name", "größe", "x y", 'q"q', "名", "A2", "class", "a.b", "order")
TYPES = (
    "BOOLEAN", "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "FLOAT", "DOUBLE", "REAL",
    "TEXT", "TEXT(5)", "BLOB", "BLOB(3)", "DATE", "DATETIME",
)  # fmt: skip
BITS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 32, "INT": 64, "INTEGER": 64}
SHAPES = (
    "POINT (1 2)", "POINT EMPTY", "LINESTRING (0 0, 1 1)", "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    "MULTIPOINT ((0 0), (1 1))", "POINT Z (1 2 3)", "POINT M (1 2 3)", "POINT ZM (1 2 3 4)",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))", "GEOMETRYCOLLECTION (POINT (1 2))",
    "MULTILINESTRING Z ((0 0 1, 1 1 2))", "POLYGON EMPTY", "GEOMETRYCOLLECTION EMPTY",
)  # fmt: skip
WRONG = (
    "abc", "", 1, 1.5, 2**53 + 1, 40000, -129, 2**63 - 1, b"\x00\x01", None, "2020-02-30",
    "2020-01-01", "2020-01-01T10:20:30", "2020-01-01T10:20:30Z", "2020-01-01T10:20:30+02:00",
    "2020-01-01 10:20", "2020-01-01T10:20:30.1234567Z", "2020-1-1", "24:00", "1,5", "true", 2,
    "2020-01-01T25:00:00Z", "10:20:30", "-5", "0000-01-01", "2020-01-01T10:20:30.000001Z",
    "2020-01-01T10:20Z", "2020-01-01T10:20:30z", "2020/01/01", "20200101", "2020-01-01T10:20:30 Z",
    "99999-01-01", "2020-01-01T24:00:00Z", "2020-01-01T10:20:60Z", "2020-01-01Tabc", 1e300, "nan",
    float("inf"), "ab\0cd", "\u0663",
)  # fmt: skip


def write(rng: random.Random, folder: Path) -> Path:
    """A sound file of one layer, or a table without geometry."""
    path = folder / "a.gpkg"
    names = rng.sample(NAMES, rng.randint(0, 6))
    types = [rng.choice(TYPES) for _ in names]
    spatial = rng.random() < 0.85
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA application_id=1196444487")
        database.execute("PRAGMA user_version=10300")
        database.executescript(_TABLES)
        crs = shapely_wkt()
        for srs, organization in ((4326, "EPSG"), (3857, "EPSG")):
            database.execute(
                "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)",
                (f"CRS {srs}", srs, organization, srs, crs[srs]),
            )
        for srs in (-1, 0):
            database.execute(
                "INSERT INTO gpkg_spatial_ref_sys VALUES ('u', ?, 'NONE', ?, 'undefined', NULL)",
                (srs, srs),
            )
        columns = [f"{_quoted(n)} {t}" for n, t in zip(names, types, strict=True)]
        if spatial:
            columns.insert(rng.randint(0, len(columns)), "geom GEOMETRY")
        key = "fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL"
        database.execute(f"CREATE TABLE t ({', '.join([key, *columns])})")
        kind = "features" if spatial else "attributes"
        database.execute(
            "INSERT INTO gpkg_contents VALUES ('t', ?, 't', '', '2020-01-01T00:00:00.000Z', "
            "0, 0, 1, 1, ?)",
            (kind, 4326 if spatial else None),
        )
        if spatial:
            database.execute(
                "INSERT INTO gpkg_geometry_columns VALUES ('t', 'geom', 'GEOMETRY', 4326, 2, 2)"
            )
        for _ in range(rng.randint(0, 8)):
            row = {n: _value(rng, t) for n, t in zip(names, types, strict=True)}
            if spatial:
                row["geom"] = _blob(rng)
            given = ", ".join(map(_quoted, row))
            marks = ", ".join("?" * len(row))
            text = (
                f"INSERT INTO t ({given}) VALUES ({marks})"
                if row
                else "INSERT INTO t DEFAULT VALUES"
            )
            database.execute(text, list(row.values()))
        if rng.random() < 0.2:
            database.execute("DELETE FROM t WHERE fid = 2")
        database.commit()
    return path


_TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL,
  description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
  identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL,
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER);
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL,
  m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name));
"""


def shapely_wkt() -> dict[int, str]:
    """Definitions of the two systems, in the form that the standard asks for."""
    import pyproj

    return {srs: pyproj.CRS.from_epsg(srs).to_wkt("WKT1_GDAL") for srs in (4326, 3857)}


def _value(rng: random.Random, kind: str) -> Any:
    if rng.random() < 0.2:
        return None
    base = kind.split("(")[0]
    if base in BITS:
        most = 1 << (BITS[base] - 1)
        return rng.choice([0, 1, -1, most - 1, -most, rng.randint(-most, most - 1)])
    day = str(dt.date(rng.randint(1, 9999), rng.randint(1, 12), rng.randint(1, 28)))
    return {
        "BOOLEAN": rng.choice([0, 1]),
        "TEXT": rng.choice(["", "a", "ü", "名前", "12", "a'b", 'a"b', "a\nb"]),
        "BLOB": rng.choice([b"", b"\0", b"abc"]),
        "DATE": day,
        "DATETIME": "2020-01-31T10:20:30" + rng.choice([".000Z", "Z", ".5Z", ".123Z"]),
    }.get(base, rng.choice([0.0, -1.5, 1e300, 5e-324, rng.random()]))


def _blob(rng: random.Random) -> bytes | None:
    if rng.random() < 0.15:
        return None
    shape = shapely.from_wkt(rng.choice(SHAPES))
    empty = bool(shapely.is_empty(shape))
    envelope = 0 if empty or rng.random() < 0.5 else 1
    flags = 1 | envelope << 1 | (16 if empty else 0)
    head = struct.pack("<2sBBi", b"GP", 0, flags, 4326)
    if envelope:
        xmin, ymin, xmax, ymax = shapely.bounds(shape)
        head += struct.pack("<4d", xmin, xmax, ymin, ymax)
    return head + bytes(shapely.to_wkb(shape, flavor="iso", output_dimension=4))


def damage(rng: random.Random, path: Path) -> None:
    """What happens to tables: wrong storage classes, damaged blobs, contradicting metadata."""
    with closing(sqlite3.connect(path)) as database:
        columns = [str(c[1]) for c in database.execute("PRAGMA table_info(t)")][1:]
        rows = [int(r[0]) for r in database.execute("SELECT fid FROM t")]
        kind = rng.choice(["cell", "cell", "cell", "blob", "blob", "meta"])
        if kind == "cell" and columns and rows:
            column = rng.choice(columns)
            value = rng.choice(WRONG)
            text = f"UPDATE t SET {_quoted(column)} = ? WHERE fid = ?"
            database.execute(text, (value, rng.choice(rows)))
        elif kind == "blob" and "geom" in columns and rows:
            fid = rng.choice(rows)
            (blob,) = database.execute("SELECT geom FROM t WHERE fid = ?", (fid,)).fetchone()
            database.execute("UPDATE t SET geom = ? WHERE fid = ?", (_damaged(rng, blob), fid))
        else:
            database.execute(rng.choice(_METADATA))
        database.commit()


def _damaged(rng: random.Random, blob: bytes | None) -> bytes:
    data = bytearray(blob or b"GP\0\1" + bytes(25))
    kind = rng.choice(["head", "flip", "cut", "more", "srs", "bare", "envelope"])
    if kind == "head":
        data[rng.randrange(8)] ^= 1 << rng.randrange(8)
    elif kind == "flip":
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[rng.randrange(len(data)) :]
    elif kind == "more":
        data += b"\0" * rng.randint(1, 30)
    elif kind == "srs":
        data[4:8] = struct.pack("<i", rng.choice([0, -1, 3857, 4326]))
    elif kind == "bare":
        data = bytearray(shapely.to_wkb(shapely.Point(1, 2)))
    else:
        wkb = bytes(shapely.to_wkb(shapely.Point(1, 2), flavor="iso"))
        box = rng.choice([(5, 6, 7, 8), (float("inf"),) * 4, (float("nan"),) * 4])
        data = bytearray(struct.pack("<2sBBi4d", b"GP", 0, 3, 4326, *box) + wkb)
    return bytes(data)


_METADATA = (
    "UPDATE gpkg_contents SET min_x = 9e999, max_x = -9e999",
    "UPDATE gpkg_contents SET min_x = 'NaN', max_y = NULL",
    "UPDATE gpkg_contents SET min_x = 5, max_x = -5",
    "UPDATE gpkg_contents SET srs_id = 3857",
    "UPDATE gpkg_contents SET srs_id = 99",
    "UPDATE gpkg_contents SET last_change = 'yesterday'",
    "UPDATE gpkg_geometry_columns SET srs_id = 3857",
    "UPDATE gpkg_geometry_columns SET srs_id = 99",
    "UPDATE gpkg_geometry_columns SET geometry_type_name = 'POINT', z = 0, m = 0",
    "UPDATE gpkg_geometry_columns SET geometry_type_name = 'FOO'",
    "UPDATE gpkg_geometry_columns SET column_name = 'nothing'",
    "UPDATE gpkg_spatial_ref_sys SET definition = 'GEOGCS[' WHERE srs_id = 4326",
    "DELETE FROM gpkg_geometry_columns",
    "DELETE FROM gpkg_contents",
    "UPDATE gpkg_contents SET table_name = 'u'",
    "DROP TABLE t",
    "PRAGMA user_version=0",
    "PRAGMA application_id=0",
    "CREATE TABLE gpkg_ogr_contents (table_name TEXT, feature_count INTEGER)",
)


def expected(path: Path) -> list[dict[str, object]]:
    """The rows of the table as SQLite holds them.

    Raises:
        ValueError: the file is damaged, or a value is not of its declared type.

    """
    try:
        return _expected(path)
    except (sqlite3.Error, OverflowError, struct.error, shapely.errors.ShapelyError) as exc:
        raise ValueError(str(exc)) from exc


def _expected(path: Path) -> list[dict[str, object]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        database.text_factory = bytes
        check = database.execute("PRAGMA integrity_check").fetchall()
        if check != [(b"ok",)]:
            raise ValueError(check)
        tables = [
            name.decode()
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith((b"gpkg_", b"sqlite_"))
        ]
        if len(tables) != 1:
            msg = f"there are tables {tables}"
            raise ValueError(msg)
        (table,) = tables
        found = database.execute("SELECT column_name, srs_id FROM gpkg_geometry_columns").fetchall()
        geometry, srs = (found[0][0].decode(), found[0][1]) if found else (None, None)
        columns = [
            (c[1].decode(), (c[2] or b"").decode().upper())
            for c in database.execute(f"PRAGMA table_info({_quoted(table)})")
            if not c[5]
        ]
        rows = []
        for row in database.execute(
            f"SELECT {', '.join(_quoted(n) for n, _ in columns) or 'NULL'} FROM {_quoted(table)}"
        ):
            cells: dict[str, object] = {}
            for (name, kind), value in zip(columns, row, strict=False):
                if name == geometry:
                    cells[GEOMETRY] = None if value is None else _unpacked(value, srs)
                else:
                    cells[name] = None if value is None else _typed(value, kind)
            cells.setdefault(GEOMETRY, None)
            rows.append(cells)
        return rows


def _typed(value: Any, kind: str) -> Any:
    base = re.split(r"[ (]", kind)[0]
    if base in BITS or base == "BOOLEAN":
        most = 1 << (BITS.get(base, 2) - 1)
        low, high = (0, 1) if base == "BOOLEAN" else (-most, most - 1)
        if type(value) is int and low <= value <= high:
            return bool(value) if base == "BOOLEAN" else value
    elif base in {"FLOAT", "DOUBLE", "REAL"} and type(value) in {int, float}:
        return value
    elif base in {"TEXT", "DATE", "DATETIME"} and isinstance(value, bytes):
        text = value.decode()
        if base == "TEXT":
            return text
        form = r"\d{4}-\d\d-\d\d"
        if base == "DATE" and re.fullmatch(form, text, re.ASCII):
            return dt.date.fromisoformat(text)
        form += r"[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?"
        if base == "DATETIME" and re.fullmatch(form, text, re.ASCII):
            return dt.datetime.fromisoformat(text)
    elif base == "BLOB" and isinstance(value, bytes):
        return value
    elif base not in {t.split("(")[0] for t in TYPES}:
        return value.decode() if isinstance(value, bytes) else value
    msg = f"{value!r} is no {kind}"
    raise ValueError(msg)


def _unpacked(blob: Any, srs: int) -> bytes:
    """ISO WKB of a blob, all bytes of it accounted for."""
    if not isinstance(blob, bytes) or blob[:2] != b"GP" or blob[2] != 0:
        msg = "is no geometry blob"
        raise ValueError(msg)
    flags = blob[3]
    order = "<" if flags & 1 else ">"
    size = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}[flags >> 1 & 7]
    (stated,) = struct.unpack_from(order + "i", blob, 4)
    if stated != srs:
        msg = f"SRS {stated} instead of {srs}"
        raise ValueError(msg)
    wkb = blob[8 + size :]
    shape = shapely.from_wkb(wkb)
    ours = bytes(shapely.to_wkb(shape, flavor="iso", output_dimension=4))
    if len(ours) != len(wkb):
        msg = "there are bytes behind the geometry"
        raise ValueError(msg)
    return ours


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
