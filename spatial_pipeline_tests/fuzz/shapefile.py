"""Shapefile: typical damage, and an oracle that reads tables one cell after the other."""

from __future__ import annotations

import codecs
import datetime as dt
import math
import random
import re
import struct
from decimal import Decimal, localcontext
from pathlib import Path

from spatial_pipeline_tests.fuzz.harness import GEOMETRY, distinct
from spatial_pipeline_tests.ingest.shapefile_oracle import shapes_of
from spatial_pipeline_tests.ingest.shapefiles import write

__all__ = ["KIND", "damage", "expected", "write"]
KIND = "vector"


def damage(rng: random.Random, path: Path) -> None:
    """What happens to Shapefiles: wrong cells, types, counts and indices, parts of another age."""
    files = {p.suffix.lower(): p for p in path.parent.iterdir()}
    kind = rng.choice(["cell", "cell", "cell", "cell", "field", "mark", "count", "shape", "shape",
                       "index", "encoding", "encoding", "swap", "end"])  # fmt: skip
    if kind in {"index", "shape"}:
        target = files[".shx" if kind == "index" else ".shp"]
        data = bytearray(target.read_bytes())
        if len(data) > 104:
            at = rng.randrange(100, len(data) - 3) // 4 * 4
            wrong = [
                struct.pack(order + "i", rng.choice([0, 1, 2, 3, 5, 999, -1])) for order in "<>"
            ]
            wrong += [struct.pack("<d", v)[4:] for v in (math.nan, math.inf, -1e39)]
            data[at : at + 4] = rng.choice(wrong)
        target.write_bytes(data)
        return
    if kind == "encoding" and rng.random() < 0.7:
        text = rng.choice(
            [b"UTF-8", b"1252", b"foo", b"", b"UTF-16", b"OEM 850", b"8859-1", b"932"]
        )
        path.with_suffix(".CPG" if path.suffix.isupper() else ".cpg").write_bytes(text)
        return
    target = files[".dbf"]
    data = bytearray(target.read_bytes())
    fields, start, width, rows = _header(bytes(data))
    if kind == "encoding":
        data[29] = rng.choice([0, 1, 3, 57, 87, 201, 255])
    elif kind == "field":
        at = 32 + 32 * rng.randrange(len(fields))
        where, values = rng.choice([(11, b"CNFDLMIBX"), (16, b"\1\5\x0c\0"), (17, b"\0\2\x0f")])
        data[at + where] = rng.choice(values)
    elif kind == "count":
        data[4] = max(0, data[4] + rng.choice([-1, 1, 2]))
    elif kind == "end":
        data += rng.choice([b"\x1a", b"\0", b" " * width, b"x" * (2 * width), b"\r\n"])
    elif rows and kind == "mark":
        data[start + width * rng.randrange(rows)] = rng.choice(b"* \0X")
    elif rows:
        _, _, at, size, _ = rng.choice(fields)
        at += start + width * rng.randrange(rows)
        if kind == "swap":
            other = start + width * rng.randrange(rows) + 1
            data[at : at + size], data[other : other + size] = (
                data[other : other + size],
                data[at : at + size],
            )
        else:
            data[at : at + size] = rng.choice(WRONG).ljust(size)[:size]
    target.write_bytes(data)


WRONG = (
    b"12,50", b"abc", b"1.7", b"***", b"1e5", b"20200230", b"2020-1-1", b"nan", b"inf", b"1e999",
    b"\xfc", b"\xc3", b"a\0b", b"0x10", b"1 2", b"-", b"+", b".", b"\xc3\xa9", b"\t1", b"0", b"?",
    b"00000101", b"99999999", b"\x81", b"5\0\0", b"007", b"1.0", b"1.", b"-0",
)  # fmt: skip


def _header(data: bytes) -> tuple[list[tuple[bytes, str, int, int, int]], int, int, int]:
    """Fields (name, letter, place in the record, width, decimals), start, width, records.

    Raises:
        ValueError: the header is not well-formed.

    """
    if len(data) < 33:
        msg = "no header"
        raise ValueError(msg)
    rows, start, width = struct.unpack("<IHH", data[4:12])
    fields, at, place = [], 32, 1
    while at < start and data[at : at + 1] != b"\r":
        entry = data[at : at + 32]
        if at + 32 > start or len(entry) < 32:
            msg = "a field is cut"
            raise ValueError(msg)
        name = entry[:11].split(b"\0")[0].rstrip(b" ")
        fields.append((name, chr(entry[11]), place, entry[16], entry[17]))
        place += entry[16]
        at += 32
    if place != width:
        msg = f"fields take {place} of {width}"
        raise ValueError(msg)
    return fields, start, width, rows


def expected(path: Path) -> list[dict[str, object]]:
    """The rows of a Shapefile, read one byte after the other.

    Raises:
        ValueError: the files are not well-formed, or do not agree.

    """
    files = {p.suffix.lower(): p.read_bytes() for p in path.parent.iterdir() if p.is_file()}
    shapes = shapes_of(files[".shp"], files[".shx"])
    fields, start, width, count = _header(files[".dbf"])
    data = files[".dbf"]
    rest = data[start + count * width :]
    if len(data) < start + count * width or (len(rest) >= width and rest[:1] != b"\x1a"):
        msg = f"{count} records declared"
        raise ValueError(msg)
    if len(shapes) != count:
        msg = f"{len(shapes)} shapes, {count} records"
        raise ValueError(msg)
    records = [data[start + i * width : start + (i + 1) * width] for i in range(count)]
    live = [i for i, record in enumerate(records) if record[:1] != b"*"]
    codec = _codec(files.get(".cpg"), data[29])
    names = distinct([n.decode(codec) or f"field_{i}" for i, (n, *_) in enumerate(fields, 1)])
    rows: list[dict[str, object]] = [{GEOMETRY: shapes[i]()} for i in live]
    for name, (_, letter, place, size, decimals) in zip(names, fields, strict=True):
        cells = [records[i][place : place + size] for i in live]
        values = _values(cells, letter, decimals, codec)
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return rows


DRIVERS = (
    "1:437 2:850 3:1252 8:865 9:437 10:850 11:437 13:437 14:850 15:437 16:850 17:437 18:850 19:932"
    " 20:850 21:437 22:850 23:865 24:437 25:437 26:850 27:437 28:863 29:850 31:852 34:852 35:852"
    " 36:860 37:850 38:866 55:850 64:852 77:936 78:949 79:950 80:874 87:1252 88:1252 89:1252"
    " 100:852 101:866 102:865 103:861 106:737 107:857 108:863 120:950 121:949 122:936 123:932"
    " 124:874 134:737 135:852 136:857 200:1250 201:1251 202:1254 203:1253 204:1257"
)
"""Code pages of language drivers."""
MACINTOSH = {4: "mac_roman", 150: "mac_cyrillic", 151: "mac_latin2", 152: "mac_greek"}


def _codec(cpg: bytes | None, language: int) -> str:
    stated = (
        (cpg or b"").removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\0").decode("latin-1").lower()
    )
    if not stated:
        pages = dict(pair.split(":") for pair in DRIVERS.split())
        page = pages.get(str(language))
        return MACINTOSH.get(language, "utf-8") if page is None else f"cp{page}"
    bare = re.sub(r"^(ansi|oem|windows|cp|ms)[ _-]*(?=\d)", "", stated, flags=re.ASCII)
    if match := re.fullmatch(r"(iso)?[ _-]*8859[ _-]*(\d\d?)", bare, re.ASCII):
        bare = f"iso8859-{match[2]}"
    elif re.fullmatch(r"\d+", bare, re.ASCII):
        bare = "utf-8" if bare == "65001" else f"cp{bare}"
    else:
        bare = stated
    try:
        name = codecs.lookup(bare).name
        if "".join(map(chr, range(128))).encode(name) == bytes(range(128)):
            return name
    except (LookupError, UnicodeError, ValueError):
        pass
    return "ascii"


def _values(cells: list[bytes], letter: str, decimals: int, codec: str) -> list[object]:
    if letter == "C":
        return [_string(cell, codec) for cell in cells]
    stripped = [cell.strip(b" \0") for cell in cells]
    if letter == "L":
        truth = dict.fromkeys(b"TtYy", True) | dict.fromkeys(b"FfNn", False)
        return [None if t in {b"", b"?"} or _stars(t, c) else truth[ord(t)]
                for t, c in zip(stripped, cells, strict=True)]  # fmt: skip
    if letter == "D":
        return [_day(cell) for cell in cells]
    if letter == "M" and all(set(c) <= set(b" 0\0") for c in cells):
        return [None for _ in cells]
    if letter not in "NF":
        msg = f"type {letter}"
        raise ValueError(msg)
    texts = [None if t == b"" or _stars(t, c) else t.decode("ascii")
             for t, c in zip(stripped, cells, strict=True)]  # fmt: skip
    if letter == "N" and not decimals:
        return [None if t is None else _whole(t) for t in texts]
    if all(t is None or _exact(t) for t in texts):
        return [None if t is None else float(t) for t in texts]
    return [None if t is None else Decimal(t) for t in texts]


def _stars(text: bytes, cell: bytes) -> bool:
    return text == b"*" * len(cell)


def _string(cell: bytes, codec: str) -> str | None:
    text = cell.rstrip(b" \0")
    if b"\0" in text:
        msg = "NUL"
        raise ValueError(msg)
    return text.decode(codec) or None


def _day(cell: bytes) -> dt.date | None:
    if not set(cell) - set(b" 0\0"):
        return None
    if not re.fullmatch(rb"\d{8}", cell):
        raise ValueError(cell)
    return dt.date(int(cell[:4]), int(cell[4:6]), int(cell[6:]))


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+(\.0*)?", text, re.ASCII):
        raise ValueError(text)
    return int(text.split(".")[0])


def _exact(text: str) -> bool:
    """Whether a double is the number, rounded to its digits; zeros that fill a field are none."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        raise ValueError(text)
    if math.isinf(float(text)):
        raise ValueError(text)
    if re.fullmatch(r"[^eE]*\.\d+", text, re.ASCII):
        text = text.rstrip("0")
    with localcontext(prec=1500):
        wanted, found = Decimal(text), Decimal(float(text))
        return abs(found - wanted) * 2 <= Decimal((0, (1,), int(wanted.as_tuple().exponent)))
