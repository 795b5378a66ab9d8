"""Sound Shapefiles written byte by byte, so that tests know what they hold."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

NAMES = ("id", "NAME", "wert", "x y", "a", "flaeche", "a", "h2", "", "bbox", "tenletters")
TEXTS = (
    "a",
    "",
    "ä",
    "Straße",
    " lead",
    "x  y",
    "12",
    "?",
    "é",
    "****",
    "ab cd ef",
    "0",
    "null",
    "ÿ",
)
ENCODINGS = (
    (None, 0, "ascii"), ("UTF-8", 0, "utf-8"), ("UTF-8", 87, "utf-8"), ("65001", 0, "utf-8"),
    ("1252", 87, "cp1252"), ("ISO-8859-1", 87, "latin-1"), (None, 3, "cp1252"),
    (None, 87, "cp1252"), (None, 2, "cp850"), ("ANSI 1252", 3, "cp1252"), ("932", 0, "ascii"),
    ("UTF-8\r\n", 3, "utf-8"), (None, 0, "utf-8"), ("ISO 88591", 0, "latin-1"),
)  # fmt: skip
"""Text of the .cpg file, language driver, and what texts are written in."""
SHAPES = (1, 3, 5, 5, 5, 8, 11, 13, 15, 18, 21, 23, 25, 28)
NO_DATA = -1.7976931348623157e308


def write(rng: random.Random, folder: Path) -> Path:
    """A sound Shapefile: any shape type and encoding, with null shapes and deleted records."""
    cpg, language, codec = rng.choice(ENCODINGS)
    kind = rng.choice(SHAPES)
    rows = rng.randint(0, 8)
    shapes = [_random_content(rng, kind) for _ in range(rows)]
    upper = rng.random() < 0.15
    stem = folder / rng.choice(["a", "Ab", "x y"])

    def named(suffix: str) -> Path:
        return Path(f"{stem}{suffix.upper() if upper else suffix}")

    box = [0.0] * 8 if rng.random() < 0.7 else [rng.choice([math.nan, math.inf, 1.0])] * 8
    for suffix, data in zip((".shp", ".shx"), main_and_index(kind, shapes, box), strict=True):
        named(suffix).write_bytes(data)
    named(".dbf").write_bytes(_table(rng, rows, codec, language))
    if cpg is not None:
        named(".cpg").write_text(cpg, newline="")
    if rng.random() < 0.3:
        named(".prj").write_text(WGS84)
    return named(".shp")


def save(path: Path, kind: int, contents: Sequence[bytes], table: bytes | None = None) -> Path:
    """Writes a .shp file of these contents of records, its index and its table.

    Args:
        path: the .shp file.
        kind: shape type.
        contents: content of each record.
        table: the .dbf file; one with the number of each record where it is None.

    """
    for suffix, data in zip((".shp", ".shx"), main_and_index(kind, contents), strict=True):
        path.with_suffix(suffix).write_bytes(data)
    numbers = [[str(i).encode()] for i in range(len(contents))]
    path.with_suffix(".dbf").write_bytes(table or table_of([("id", "N", 6, 0)], numbers))
    return path


def main_and_index(
    kind: int, contents: Sequence[bytes], box: Sequence[float] = (0.0,) * 8
) -> tuple[bytes, bytes]:
    """A .shp file and its .shx file."""
    offset, main, index = 50, b"", b""
    for number, content in enumerate(contents, 1):
        words = len(content) // 2
        main += struct.pack(">2i", number, words) + content
        index += struct.pack(">2i", offset, words)
        offset += 4 + words

    def headed(data: bytes) -> bytes:
        head = struct.pack(">i20xi", 9994, 50 + len(data) // 2)
        return head + struct.pack("<2i8d", 1000, kind, *box) + data

    return headed(main), headed(index)


def table_of(
    fields: Sequence[tuple[str | bytes, str, int, int]],
    rows: Sequence[Sequence[bytes]],
    language: int = 0,
    deleted: Collection[int] = (),
) -> bytes:
    """A .dbf file.

    Args:
        fields: name, type, width and decimals of each.
        rows: cells of each record, without padding.
        language: language driver.
        deleted: records that are marked as deleted.

    """
    records = b""
    for number, row in enumerate(rows):
        records += b"*" if number in deleted else b" "
        for (_, letter, size, _), cell in zip(fields, row, strict=True):
            records += cell.ljust(size) if letter == "C" else cell.rjust(size)
    width = 1 + sum(size for _, _, size, _ in fields)
    start = 32 + 32 * len(fields) + 1
    head = struct.pack("<4BIHH17xB2x", 3, 120, 1, 1, len(rows), start, width, language)
    for name, letter, size, decimals in fields:
        raw = name if isinstance(name, bytes) else name.encode()
        head += struct.pack("<11sc4xBB14x", raw, letter.encode(), size, decimals)
    return head + b"\r" + records + b"\x1a"


WGS84 = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)


def _table(rng: random.Random, rows: int, codec: str, language: int) -> bytes:
    """A .dbf file."""
    fields = [rng.choice(FIELDS) for _ in range(rng.randint(1, 6))]
    nulls = rng.choice([0, 0.3])
    records = []
    for _ in range(rows):
        record = []
        for letter, size, _, make in fields:
            text = "" if rng.random() < nulls else make(rng)
            cell = text.encode(codec, "ignore")[:size]
            cell = cell.decode(codec, "ignore").encode(codec)
            if not cell:
                cell = rng.choice([b"", b"*" * size if letter in "NF" else b"", b"\0" * size])
            record.append(cell)
        records.append(record)
    deleted = {i for i in range(rows) if rng.random() < 0.1}
    data = table_of([(rng.choice(NAMES), *f[:3]) for f in fields], records, language, deleted)
    return data if rng.random() < 0.7 else data[:-1]


FIELDS: tuple[tuple[str, int, int, Any], ...] = (
    ("N", 6, 0, lambda r: str(r.randint(-999, 99999))),
    ("N", 10, 0, lambda r: str(r.randint(-(10**8), 10**10 - 1))),
    ("N", 20, 0, lambda r: str(r.choice([2**53 + 1, 2**62 + 1, -(2**63), 2**63, 7, 10**19]))),
    ("N", 9, 2, lambda r: f"{r.uniform(-9999, 9999):.2f}"),
    ("N", 24, 15, lambda r: f"{r.uniform(-1e6, 1e6):.15f}"),
    ("N", 30, 10, lambda r: r.choice([f"{r.randint(0, 10**18)}.0000000001", "0.5", "1."])),
    ("N", 19, 11, lambda r: f"{r.uniform(0, 1e7):.{r.randint(5, 9)}f}00"),
    ("F", 13, 0, lambda r: r.choice(["12", "1.5", f"{r.random():.5e}", "+3"])),
    ("F", 19, 11, lambda r: f"{r.uniform(-1e9, 1e9):.11e}"),
    ("D", 8, 0, lambda r: f"{r.randint(1, 9999):04d}{r.randint(1, 12):02d}{r.randint(1, 28):02d}"),
    ("D", 8, 0, lambda r: r.choice(["00000000", "20240229", "19000228"])),
    ("L", 1, 0, lambda r: r.choice("TtYyFfNn?")),
    ("C", 12, 0, lambda r: r.choice(TEXTS)),
    ("C", 3, 0, lambda r: r.choice(TEXTS)),
    ("C", 254, 0, lambda r: r.choice(TEXTS) * r.randint(1, 40)),
)
"""Type, width, decimals and texts of fields."""


def _random_content(rng: random.Random, kind: int) -> bytes:
    """Content of a record."""
    if rng.random() < 0.1:
        return struct.pack("<i", 0)
    base, z, m = kind % 10, kind // 10 == 1, kind > 10
    if base == 1:
        parts = [[_position(rng)]]
    elif base == 8:
        parts = [[_position(rng) for _ in range(rng.randint(0, 4))]]
    elif base == 3:
        lines = rng.choice([1, 1, 2, 0])
        parts = [[_position(rng) for _ in range(rng.randint(2, 5))] for _ in range(lines)]
    else:
        parts = _rings(rng)
    count = sum(map(len, parts))
    heights = [float(rng.randint(0, 9)) for _ in range(count)] if z else None
    measures = None
    if m and rng.random() < 0.8:
        some = rng.choice([[NO_DATA], [NO_DATA, 1.5], [2.5, math.nan], [-1.1e38, 0.0]])
        measures = [rng.choice(some) for _ in range(count)]
    return content(kind, parts, heights, measures)


def content(
    kind: int,
    parts: Sequence[Sequence[tuple[float, float]]],
    z: Sequence[float] | None = None,
    m: Sequence[float] | None = None,
) -> bytes:
    """Content of a record: one part for points; Z and M of all positions."""
    base = kind % 10
    points = [p for part in parts for p in part]
    data = struct.pack("<i", kind)
    if base != 1:
        data += struct.pack("<4d", 0, 0, 1, 1)
        data += b"" if base == 8 else struct.pack("<i", len(parts))
        data += struct.pack("<i", len(points))
        starts = [] if base == 8 else [sum(map(len, parts[:i])) for i in range(len(parts))]
        data += struct.pack(f"<{len(starts)}i", *starts)
    data += b"".join(struct.pack("<2d", *p) for p in points)
    for ordinates in (z, m):
        if ordinates is not None:
            data += b"" if base == 1 else struct.pack("<2d", 0, 1)
            data += struct.pack(f"<{len(ordinates)}d", *ordinates)
    return data


def _position(rng: random.Random) -> tuple[float, float]:
    if rng.random() < 0.02:
        return rng.choice([(math.nan, 1.0), (math.inf, 0.0), (math.nan, math.nan)])
    return rng.uniform(-180, 180), float(rng.randint(-90, 90))


def _rings(rng: random.Random) -> list[list[tuple[float, float]]]:
    """Rings of islands with lakes, in which are islands again; sometimes in the wrong order."""
    rings = []
    for island in range(rng.choice([1, 1, 1, 2, 3, 0])):
        x, size = island * 20.0 + rng.random(), 9.0
        for depth in range(rng.choice([1, 1, 2, 2, 3, 4])):
            rings.append(_box(x, depth % 2 == 0, size))
            size = size / rng.choice([2, 3])
    if rng.random() < 0.3:
        rings = [ring[::-1] for ring in rings]
    if rng.random() < 0.3:
        rng.shuffle(rings)
    return rings


def _box(x: float, clockwise: bool, size: float) -> list[tuple[float, float]]:
    ring = [(x - size, 0 - size), (x - size, size), (x + size, size), (x + size, 0 - size)]
    ring.append(ring[0])
    return ring if clockwise else ring[::-1]
