"""Sound Shapefiles written byte by byte, so that tests know what they hold."""

from __future__ import annotations

import math
import random
import struct
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
POINTS = {1: "point", 3: "line", 5: "polygon", 8: "points"}


def write(rng: random.Random, folder: Path) -> Path:
    """A sound Shapefile: any shape type and encoding, with null shapes and deleted records."""
    cpg, language, codec = rng.choice(ENCODINGS)
    kind = rng.choice(SHAPES)
    rows = rng.randint(0, 8)
    shapes = [_content(rng, kind) for _ in range(rows)]
    upper = rng.random() < 0.15
    stem = folder / rng.choice(["a", "Ab", "x y"])

    def named(suffix: str) -> Path:
        return Path(f"{stem}{suffix.upper() if upper else suffix}")

    offset, main, index = 50, b"", b""
    for number, content in enumerate(shapes, 1):
        words = len(content) // 2
        main += struct.pack(">2i", number, words) + content
        index += struct.pack(">2i", offset, words)
        offset += 4 + words
    box = [0.0] * 8 if rng.random() < 0.7 else [rng.choice([math.nan, math.inf, 1.0])] * 8
    for suffix, data in ((".shp", main), (".shx", index)):
        head = struct.pack(">i20xi", 9994, 50 + len(data) // 2)
        named(suffix).write_bytes(head + struct.pack("<2i8d", 1000, kind, *box) + data)
    named(".dbf").write_bytes(_table(rng, rows, codec, language))
    if cpg is not None:
        named(".cpg").write_text(cpg, newline="")
    if rng.random() < 0.3:
        named(".prj").write_text(WGS84)
    return named(".shp")


WGS84 = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)


def _table(rng: random.Random, rows: int, codec: str, language: int) -> bytes:
    """A .dbf file."""
    fields = [rng.choice(FIELDS) for _ in range(rng.randint(1, 6))]
    width = 1 + sum(f[1] for f in fields)
    start = 32 + 32 * len(fields) + 1
    head = struct.pack("<4BIHH17xB2x", 3, 120, 1, 1, rows, start, width, language)
    for letter, size, decimals, _ in fields:
        name = rng.choice(NAMES).encode()
        head += struct.pack("<11sc4xBB14x", name, letter.encode(), size, decimals)
    nulls = rng.choice([0, 0.3])
    records = b""
    for _ in range(rows):
        records += b"*" if rng.random() < 0.1 else b" "
        for letter, size, _, make in fields:
            text = "" if rng.random() < nulls else make(rng)
            cell = text.encode(codec, "ignore")[:size]
            cell = cell.decode(codec, "ignore").encode(codec)
            if not cell:
                cell = rng.choice([b"", b"*" * size if letter in "NF" else b"", b"\0" * size])
            records += cell.ljust(size) if letter == "C" else cell.rjust(size)
    return head + b"\r" + records + rng.choice([b"\x1a", b"\x1a", b""])


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


def _content(rng: random.Random, kind: int) -> bytes:
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
    points = [p for part in parts for p in part]
    xy = b"".join(struct.pack("<2d", *p) for p in points)
    data = struct.pack("<i", kind)
    if base != 1:
        data += struct.pack("<4d", 0, 0, 1, 1)
        if base != 8:
            data += struct.pack("<i", len(parts))
        data += struct.pack("<i", len(points))
        if base != 8:
            starts = [sum(map(len, parts[:i])) for i in range(len(parts))]
            data += struct.pack(f"<{len(starts)}i", *starts)
    data += xy
    spread = b"" if base == 1 else struct.pack("<2d", 0, 1)
    if z:
        data += spread + b"".join(struct.pack("<d", rng.randint(0, 9)) for _ in points)
    if m and rng.random() < 0.8:
        measures = rng.choice([[NO_DATA], [NO_DATA, 1.5], [2.5, math.nan], [-1.1e38, 0.0]])
        data += spread + b"".join(struct.pack("<d", rng.choice(measures)) for _ in points)
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
