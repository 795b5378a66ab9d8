"""CSV: random tables, typical damage, and an oracle that reads one character after the other."""

from __future__ import annotations

import csv
import datetime as dt
import random
import re
import struct
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import shapely

from spatial_pipeline_tests.fuzz.harness import GEOMETRY, distinct

KIND = "vector"
NAMES = (
    "id",
    "name",
    "Wert",
    "größe",
    "x y",
    "a;b",
    'q"q',
    "n|m",
    "class",
    "名",
    " pad ",
    "",
    "id",
)
TEXTS = (
    "a",
    "",
    "ü",
    "x,y",
    'say "hi"',
    "two\nlines",
    "a;b",
    " lead",
    "it's",
    "名前",
    "12 m",
    "-",
    "\t",
)
WKT_NAMES = ("wkt", "geometry", "geom", "the_geom", "wkt_geom", "shape")
PAIRS = (("x", "y"), ("lon", "lat"), ("longitude", "latitude"), ("easting", "northing"))
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
BLANKS = " \t\r\n\u00a0"


def write(rng: random.Random, folder: Path) -> Path:
    """A sound CSV file: any delimiter, line end, encoding and style of quoting."""
    delimiter = rng.choice(",,,;\t|")
    end = rng.choice(["\n", "\n", "\r\n", "\r"])
    kinds = [rng.choice(list(TYPES)) for _ in range(rng.randint(1, 6))]
    columns = [_column(rng, kind) for kind in kinds]
    names = [rng.choice(NAMES) for _ in columns]
    types = [TYPES[kind] for kind in kinds]
    place = rng.choice(["none", "wkt", "wkt", "xy"])
    if place == "wkt":
        names.insert(0, rng.choice(WKT_NAMES))
        types.insert(0, "String")
        columns.insert(0, _wkt)
    elif place == "xy":
        names += rng.choice(PAIRS)
        columns += [_coordinate, _coordinate]
        types += ["Real", "CoordY(10.3)"]
    quote_all = rng.random() < 0.2
    rows = [[make(rng) for make in columns] for _ in range(rng.randint(0, 8))]

    def field(text: str | None) -> str:
        if text is None:
            return ""
        if quote_all or text == "" or text != text.strip() or re.search(r'[",;|\t\r\n ]', text):
            return '"' + text.replace('"', '""') + '"'
        return text

    lines = [delimiter.join(field(n) or '""' for n in names)]
    lines += [
        delimiter.join(map(field, row)) if any(row) else delimiter.join(['""'] * len(row))
        for row in rows
    ]
    text = end.join(lines) + rng.choice([end, end, ""])
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
    path = folder / rng.choice(["a.csv", "a.csv", "a.tsv"])
    path.write_bytes(text.encode(encoding))
    if path.suffix == ".csv" and rng.random() < 0.25:
        path.with_suffix(".csvt").write_text(",".join(f'"{t}"' for t in types) + "\n")
    return path


TYPES = {
    "int": "Integer", "big": "String", "real": "Real", "code": "String(5)", "day": "Date",
    "time": "DateTime", "truth": "String", "text": "String", "mixed": "String", "zoned": "DateTime",
}  # fmt: skip
"""Kinds of columns, and the type that a .csvt file gives them."""


def _column(rng: random.Random, kind: str) -> Any:
    makers = {
        "int": lambda r: str(r.randint(-1000, 1000)),
        "big": lambda r: str(r.choice([2**53 + 1, 2**62, -(2**63), 2**64, 10**17])),
        "real": lambda r: r.choice(
            [repr(r.uniform(-200, 200)), f"{r.random():.3f}", f"{r.random():.17g}"]
        ),
        "code": lambda r: f"{r.randint(0, 9999):05d}",
        "day": lambda r: str(dt.date(r.randint(1, 9999), r.randint(1, 12), r.randint(1, 28))),
        "time": lambda r: "2020-01-31 10:20" + r.choice(["", ":30", ":30.5", ":30.000001"]),
        "truth": lambda r: r.choice(["true", "false"]),
        "text": lambda r: r.choice(TEXTS),
        "zoned": lambda r: "2020/01/31 10:20:30" + r.choice(["+02", "Z", "-03:30"]),
    }
    makers["mixed"] = lambda r: r.choice([makers["int"], makers["text"], makers["day"]])(r)
    nulls = rng.choice([0, 0.3])
    return lambda r: None if r.random() < nulls else makers[kind](r)


def _coordinate(rng: random.Random) -> str | None:
    return rng.choice(
        [repr(rng.uniform(-180, 180)), f"{rng.uniform(0, 9):.2f}", str(rng.randint(0, 99))]
    )


def _wkt(rng: random.Random) -> str | None:
    def xy() -> str:
        return f"{rng.uniform(-180, 180):.{rng.randint(0, 12)}f} {rng.randint(-90, 90)}"

    first = xy()
    ring = f"({first}, {xy()}, {xy()}, {first})"
    return rng.choice(
        [None, f"POINT ({xy()})", f"LINESTRING({xy()}, {xy()})", f"POLYGON ({ring})", "POINT EMPTY",
         f"MULTIPOLYGON (({ring}), ({ring}))", f"POINT Z ({xy()} 5)", "POLYGON EMPTY",
         f"MULTIPOINT (({xy()}), ({xy()}))",
         f"GEOMETRYCOLLECTION (POINT ({xy()}), LINESTRING ({xy()}, {xy()}))"]
    )  # fmt: skip


def damage(rng: random.Random, path: Path) -> None:
    """What happens to tables: stray quotes, lost or added fields, wrong values, wrong encodings."""
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    text = data.decode(encoding)
    at = rng.randrange(len(text) + 1)
    kind = rng.choice(["insert", "insert", "field", "line", "value", "bytes", "cut"])
    if kind == "insert":
        text = (
            text[:at]
            + rng.choice(['"', '""', ",", ";", "\0", "\r", "\n", " ", "#", "e", "٣", "\u00a0"])
            + text[at:]
        )
    elif kind == "field":
        found = [m.start() for m in re.finditer(r"[,;\t|]", text)] or [0]
        at = rng.choice(found)
        text = (
            text[:at] + text[at + 1 :] if rng.random() < 0.5 else text[:at] + text[at] + text[at:]
        )
    elif kind == "line":
        lines = text.splitlines(keepends=True)
        i = rng.randrange(len(lines))
        lines[i : i + 1] = rng.choice(
            [
                [],
                [lines[i]] * 2,
                [lines[i][: len(lines[i]) // 2]],
                ["# note\n", lines[i]],
                ["\n", lines[i]],
            ]
        )
        text = "".join(lines)
    elif kind == "value":
        numbers = list(re.finditer(r"[0-9.]+", text))
        if numbers:
            found = rng.choice(numbers)
            wrong = rng.choice(
                [
                    "1e999",
                    "nan",
                    "inf",
                    "abc",
                    "1,5",
                    "2020-02-30",
                    "0x10",
                    "12345678901234567890",
                    "1.7",
                    "",
                    "-0",
                    "007",
                    "1e-5",
                    "POINT (1 2)",
                ]
            )
            text = text[: found.start()] + wrong + text[found.end() :]
    elif kind == "cut":
        text = text[:at]
    data = text.encode(encoding)
    if kind == "bytes":
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.choice([b"\xfc", b"\xff\xfe", b"\xc3", b"\0"]) + data[at:]
    path.write_bytes(data)


def expected(path: Path) -> list[dict[str, object]]:
    """The rows of a file, read one character after the other.

    Raises:
        ValueError: the file is not well-formed.

    """
    data = path.read_bytes()
    encoding = "utf-8-sig"
    if data[:4] in {b"\xff\xfe\0\0", b"\0\0\xfe\xff"}:
        encoding = "utf-32"
    elif data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        encoding = "utf-16"
    text = data.decode(encoding)
    if "\0" in text:
        msg = "it holds NUL"
        raise ValueError(msg)
    if stated := re.match(r"sep=([^\r\n])\r?\n", text, re.IGNORECASE | re.ASCII):
        delimiter, text = stated[1], text[stated.end() :]
    else:
        delimiter = _delimiter(text, path.suffix)
    records = _records(text, delimiter)
    if not records:
        return []
    numeric = [not quoted and NUMBER.fullmatch(t.strip(" \t\r\n\v\f")) for t, quoted in records[0]]
    if any(numeric):
        names = [f"field_{i + 1}" for i in range(len(numeric))]
    else:
        names = [t.strip(" ") or f"field_{i + 1}" for i, (t, _) in enumerate(records.pop(0))]
    rows = []
    for record in records:
        while len(record) > len(names) and record[-1] == ("", False):
            record = record[:-1]
        if len(record) != len(names):
            msg = f"{len(record)} fields of {len(names)}"
            raise ValueError(msg)
        rows.append(record)
    return _table(distinct(names), rows, _types(path, len(names)))


def _delimiter(text: str, suffix: str) -> str:
    lines = [line for line in re.split(r"[\r\n]+", text) if line][:2]
    bare = ["".join(line.split('"')[::2]) for line in lines] or [""]
    counts = Counter(bare[0])
    same = len(bare) == 2 and bare[0].count("\t") == bare[1].count("\t")
    if "\t" in bare[0] and (same or suffix == ".tsv"):
        return "\t"
    most = max(counts[c] for c in ",;\t|")
    if most == 0:
        return " " if " " in bare[0] else ","
    best = [c for c in ",;\t|" if counts[c] == most]
    return best[0] if len(best) == 1 else ","


def _records(text: str, delimiter: str) -> list[list[tuple[str, bool]]]:
    """Records of (text, quoted); blank lines left out."""
    text = re.sub(r"\r+\n", lambda m: m[0], text)
    records: list[list[tuple[str, bool]]] = []
    record: list[tuple[str, bool]] = []
    ends = set()
    i = 0
    while i < len(text):
        quoted = text[i] == '"'
        value = ""
        if quoted:
            i += 1
            while True:
                if i >= len(text):
                    msg = "a quote is not closed"
                    raise ValueError(msg)
                if text[i] == '"':
                    if text[i + 1 : i + 2] != '"':
                        break
                    i += 1
                value += text[i]
                i += 1
            i += 1
        else:
            while i < len(text) and text[i] not in (delimiter, "\r", "\n"):
                value += text[i]
                i += 1
        record.append((value, quoted))
        if i < len(text) and text[i] == delimiter:
            i += 1
            if i == len(text):
                record.append(("", False))
            continue
        if i < len(text):
            end = re.compile(r"\r*\n|\r").match(text, i)
            if end is None:
                msg = "text follows a quote"
                raise ValueError(msg)
            ends.add(end[0][-1])
            i = end.end()
        if record != [("", False)]:
            records.append(record)
        record = []
    if record:
        records.append(record)
    if len(ends) > 1:
        msg = "line ends are mixed"
        raise ValueError(msg)
    return records


def _types(path: Path, columns: int) -> list[str]:
    """Declared types in lower case without widths, none without a .csvt file."""
    file = path.with_suffix(".csvt")
    if path.suffix != ".csv" or not file.exists():
        return []
    lines = file.read_bytes().decode("utf-8-sig", "replace").splitlines() or [""]
    given = next(csv.reader(lines[:1], skipinitialspace=True), [])
    types = [
        re.sub(r"\s*\(\d+(\.\d+)?\)$", "", t.strip(), flags=re.ASCII).casefold() for t in given
    ]
    known = {"integer", "real", "date", "datetime", "coordx", "coordy", "coordz", "wkt"}
    types = [t if t in known else "string" for t in types[:columns]]
    return types + ["string"] * (columns - len(types))


def _table(
    names: list[str], rows: list[list[tuple[str, bool]]], types: list[str]
) -> list[dict[str, object]]:
    lower = {n.casefold(): i for i, n in reversed(list(enumerate(names)))}
    wkt = next((lower[n] for n in WKT_NAMES if n in lower), None)
    pair = next(([lower[a], lower[b]] for a, b in _PAIRS if a in lower and b in lower), None)
    pair = pair if wkt is None else None
    table: list[dict[str, object]] = [{} for _ in rows]
    for i, name in enumerate(names):
        values = (
            _geometries(rows, i)
            if i == wkt
            else _values([r[i] for r in rows], pair and i in pair, types[i : i + 1])
        )
        for row, value in zip(table, values, strict=True):
            row[GEOMETRY if i == wkt else name] = value
    if pair is not None:
        for row, record in zip(table, rows, strict=True):
            xy = [_coordinate_of(record[i][0]) for i in pair]
            row[GEOMETRY] = None if None in xy else shapely.Point(*xy)
    elif wkt is None and rows and GEOMETRY not in names:
        for row in table:
            row[GEOMETRY] = None
    return table


_PAIRS = (
    ("x", "y"), ("lon", "lat"), ("lng", "lat"), ("long", "lat"), ("longitude", "latitude"),
    ("easting", "northing"), ("x_coord", "y_coord"), ("xcoord", "ycoord"), ("point_x", "point_y"),
)  # fmt: skip


def _coordinate_of(text: str) -> float | None:
    bare = text.strip(BLANKS)
    if not text:
        return None
    if re.fullmatch(r"[+-]?\d+,\d+", bare, re.ASCII):
        bare = bare.replace(",", ".")
    if not NUMBER.fullmatch(bare) or abs(float(bare)) == float("inf"):
        msg = f"{text!r} is no coordinate"
        raise ValueError(msg)
    return float(bare)


def _values(cells: list[tuple[str, bool]], coordinate: Any, types: list[str]) -> list[object]:
    texts = [t for t, _ in cells if t]
    if coordinate:
        return [_coordinate_of(t) for t, _ in cells]
    if types and types != ["string"] and types != ["wkt"]:
        return [_declared(t.strip(BLANKS), types[0]) if t else None for t, _ in cells]
    for convert in () if types else (_int, _float, _date, _time, _truth):
        try:
            if texts:
                [convert(t.strip(BLANKS)) for t in texts]
                return [convert(t.strip(BLANKS)) if t else None for t, _ in cells]
        except ValueError:
            continue
    apart = {quoted for t, quoted in cells if not t} == {True, False}
    return [t if t or (quoted and apart) else None for t, quoted in cells]


def _declared(text: str, kind: str) -> object:
    if kind == "integer":
        if not re.fullmatch(r"[+-]?\d+", text, re.ASCII) or not -(2**31) <= int(text) < 2**31:
            raise ValueError(text)
        return int(text)
    if kind in {"real", "coordx", "coordy", "coordz"}:
        if re.fullmatch(r"(nan|[+-]?inf(inity)?)", text, re.ASCII | re.IGNORECASE):
            return float(text)
        return _coordinate_of(text)
    form = r"\d{4}[-/]\d\d[-/]\d\d"
    if kind == "datetime":
        form += r"[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)?"
    if not re.fullmatch(form, text, re.ASCII):
        raise ValueError(text)
    text = text.replace("/", "-")
    if kind == "date":
        return dt.date.fromisoformat(text)
    text = re.sub(r"\.(\d+)", lambda m: "." + m[1].ljust(6, "0"), text)
    return dt.datetime.fromisoformat(text)


def _int(text: str) -> int:
    if not re.fullmatch(r"-?(0|[1-9]\d{0,17})", text, re.ASCII):
        raise ValueError
    return int(text)


def _float(text: str) -> float:
    if not re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,2})?", text, re.ASCII):
        raise ValueError
    with localcontext(prec=1500):
        # Zeros that fill a fraction are no digits of the value.
        bare = re.sub(r"(\.\d*?)0+(?=[eE]|$)", r"\1", text)
        wanted, found = Decimal(bare), Decimal(float(text))
        if abs(found - wanted) * 2 > Decimal((0, (1,), int(wanted.as_tuple().exponent))):
            raise ValueError
    return float(text)


def _date(text: str) -> dt.date:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError
    return dt.date.fromisoformat(text)


def _time(text: str) -> dt.datetime:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?", text, re.ASCII):
        raise ValueError
    head, _, fraction = text.partition(".")
    return dt.datetime.fromisoformat(head).replace(microsecond=int(fraction.ljust(6, "0") or 0))


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text] if text in {"true", "false"} else _fail()


def _fail() -> bool:
    raise ValueError


def _geometries(rows: list[list[tuple[str, bool]]], column: int) -> list[object]:
    return [geometry_of(row[column][0]) if row[column][0] else None for row in rows]


def geometry_of(text: str) -> bytes:
    """WKB of well-known text, token by token.

    Raises:
        ValueError: it is none.

    """
    if "\u00a0" in text:
        raise ValueError(text)
    tokens = re.findall(r"[(),]|[^\s(),]+", text, re.ASCII)
    try:
        found = _geometry(tokens)[0]
    except (IndexError, KeyError, struct.error) as exc:
        raise ValueError(text) from exc
    if tokens:
        raise ValueError(text)
    return found


KINDS = {
    "POINT": 1, "LINESTRING": 2, "POLYGON": 3, "MULTIPOINT": 4, "MULTILINESTRING": 5,
    "MULTIPOLYGON": 6, "GEOMETRYCOLLECTION": 7,
}  # fmt: skip


def _geometry(tokens: list[str]) -> tuple[bytes, str]:
    """WKB of the geometry that the tokens start with, and its dimensions."""
    name = tokens.pop(0).upper()
    bare = re.sub(r"(?<=[TNGY])(ZM|Z|M)$", "", name) if name not in KINDS else name
    dims = name[len(bare) :]
    if tokens[0].upper() in {"Z", "M", "ZM"} and not dims:
        dims = tokens.pop(0).upper()
    kind = KINDS[bare]
    if tokens[0].upper() == "EMPTY":
        tokens.pop(0)
        nothing = struct.pack("<d", float("nan")) * (2 + len(dims))
        return _head(kind, dims) + (nothing if kind == 1 else b"\0" * 4), dims
    if kind == 7:
        members = _listed(tokens, lambda: _geometry(tokens))
        dims = "".join(d for d in "ZM" if any(d in own for _, own in members))
        return _head(7, dims) + struct.pack("<I", len(members)) + b"".join(
            w for w, _ in members
        ), dims
    value = _nested(tokens)
    widths = {len(p) for p in _leaves(value)}
    if len(widths) != 1 or not widths <= {2, 3, 4}:
        raise ValueError(value)
    if dims and widths != {2 + len(dims)}:
        raise ValueError(value)
    dims = dims or "ZM"[: widths.pop() - 2]
    return _part(kind, value, dims), dims


def _listed(tokens: list[str], one: Callable[[], Any]) -> list[Any]:
    """What stands in brackets, between commas."""
    found = []
    if tokens.pop(0) != "(":
        raise ValueError(tokens)
    while True:
        found.append(one())
        after = tokens.pop(0)
        if after == ")":
            return found
        if after != ",":
            raise ValueError(after)


def _nested(tokens: list[str]) -> Any:
    """Nested lists of positions, which are tuples."""

    def one() -> Any:
        if tokens[0] == "(":
            return _nested(tokens)
        numbers = []
        while tokens[0] not in {",", ")"}:
            token = tokens.pop(0)
            special = re.fullmatch(r"[+-]?(nan|inf|infinity)", token, re.IGNORECASE)
            if not NUMBER.fullmatch(token) and not special:
                raise ValueError(token)
            numbers.append(float(token))
            if abs(numbers[-1]) == float("inf") and not special:
                raise ValueError(token)
        return tuple(numbers)

    return _listed(tokens, one)


def _leaves(value: Any) -> list[tuple[float, ...]]:
    return [value] if isinstance(value, tuple) else [p for part in value for p in _leaves(part)]


def _part(kind: int, value: Any, dims: str) -> bytes:
    if kind == 1:
        (position,) = value
        if position[0] != position[0] and position[1] != position[1]:
            raise ValueError(value)
        return _head(1, dims) + struct.pack(f"<{len(position)}d", *position)
    if kind in {4, 5, 6}:
        if kind == 4:
            value = [p if isinstance(p, list) else [p] for p in value]
        parts = [_part(kind - 3, part, dims) for part in value]
        return _head(kind, dims) + struct.pack("<I", len(parts)) + b"".join(parts)
    rings = value if kind == 3 else [value]
    if any(not isinstance(p, tuple) for ring in rings for p in ring) or len(rings[0]) < 2:
        raise ValueError(value)
    if kind == 3 and any(len(ring) < 3 or ring[0][:2] != ring[-1][:2] for ring in rings):
        raise ValueError(value)
    lines = [
        struct.pack("<I", len(r)) + b"".join(struct.pack(f"<{len(p)}d", *p) for p in r)
        for r in rings
    ]
    return (
        _head(kind, dims) + (struct.pack("<I", len(rings)) if kind == 3 else b"") + b"".join(lines)
    )


def _head(kind: int, dims: str) -> bytes:
    return struct.pack("<BI", 1, kind + 1000 * ("Z" in dims) + 2000 * ("M" in dims))
