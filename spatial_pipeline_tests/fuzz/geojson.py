"""GeoJSON and sequences: random features, typical damage, and Python's own reader as the oracle."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import shapely

from spatial_pipeline_tests.fuzz.harness import GEOMETRY

KIND = "vector"
NAMES = ("a", "name", "größe", "x y", 'q"q', "名", "id", "type", "geom", "A", "{", "a.b")
TEXTS = ("", "a", "ü", 'say "hi"', "a\\b", "two\nlines", "}", "{[", "\t", "名前", "12", "null",
         "2020-01-31", "10:20:30", "\\", '\\"', "\U0001f600")  # fmt: skip


class JsonText:
    """A value that is staged as the JSON text of it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            try:
                return _exactly(json.loads(other)) == _exactly(self.value)
            except ValueError:
                return False
        return _exactly(other) == _exactly(self.value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"JsonText({self.value!r})"


def _exactly(value: Any) -> Any:
    """A value that equals another only if that is of the same kinds."""
    if isinstance(value, list):
        return [_exactly(v) for v in value]
    if isinstance(value, dict):
        return {k: _exactly(v) for k, v in value.items()}
    return (
        repr(value) if isinstance(value, float) and value != value else (value, type(value) is bool)
    )


def write(rng: random.Random, folder: Path) -> Path:
    """A sound text: a collection, a sequence, or one feature."""
    names = rng.sample(NAMES, rng.randint(0, 5))
    makers = [rng.choice(list(VALUES.values())) for _ in names]
    ids = rng.choice([None, None, lambda i: i, lambda i: f"f{i}", lambda i: i * 10**15])
    form = rng.choice(["collection", "collection", "collection", "lines", "rs", "one"])
    features = []
    for i in range(1 if form == "one" else rng.randint(0 if form == "collection" else 1, 8)):
        properties = {n: m(rng) for n, m in zip(names, makers, strict=True) if rng.random() < 0.9}
        feature: dict[str, Any] = {"type": "Feature", "properties": properties}
        if rng.random() < 0.05:
            feature["properties"] = None
        if ids is not None and rng.random() < 0.9:
            feature["id"] = ids(i)
        feature["geometry"] = _geometry(rng)
        if rng.random() < 0.1:
            feature["bbox"] = [0, 0, 1, 1]
        if rng.random() < 0.3:
            feature = dict(rng.sample(list(feature.items()), len(feature)))
        features.append(feature)
    indent = rng.choice([None, None, 1])
    ascii_only = rng.random() < 0.5

    def dumps(value: Any) -> str:
        return json.dumps(value, indent=indent, ensure_ascii=ascii_only)

    if form == "collection":
        members: dict[str, Any] = {"type": "FeatureCollection", "features": features}
        if rng.random() < 0.3:
            members["name"] = rng.choice(TEXTS)
        if rng.random() < 0.2:
            name = rng.choice(["EPSG:3857", "urn:ogc:def:crs:OGC:1.3:CRS84"])
            members["crs"] = {"type": "name", "properties": {"name": name}}
        if rng.random() < 0.3:
            members = dict(rng.sample(list(members.items()), len(members)))
        text = dumps(members)
    elif form == "one":
        text = dumps(features[0])
    elif form == "rs":
        text = "".join("\x1e" + dumps(f) + "\n" for f in features)
    else:
        text = "\n".join(json.dumps(f, ensure_ascii=ascii_only) for f in features)
    path = folder / (
        "a.geojsonl" if form in {"lines", "rs"} else rng.choice(["a.geojson", "a.json"])
    )
    bom = b"\xef\xbb\xbf" if rng.random() < 0.1 else b""
    path.write_bytes(bom + text.encode())
    return path


def _maybe(rng: random.Random, value: Any) -> Any:
    return None if rng.random() < 0.2 else value


VALUES: dict[str, Any] = {
    "int": lambda r: _maybe(r, r.randint(-1000, 1000)),
    "big": lambda r: r.choice([2**31, 2**53 + 1, 2**63 - 1, -(2**63), 10**17]),
    "real": lambda r: _maybe(r, r.choice([r.uniform(-1, 1), 1e300, 5e-324, -0.0, 1e17])),
    "number": lambda r: r.choice([1, 2**53, 0.5, -3, 1e20]),
    "truth": lambda r: _maybe(r, r.random() < 0.5),
    "text": lambda r: _maybe(r, r.choice(TEXTS)),
    "mixed": lambda r: r.choice([None, 1, 1.5, "1", "x", [1], {"a": None}]),
    "flag": lambda r: r.choice([None, True, "x", "true"]),
    "day": lambda r: _maybe(
        r, f"{r.randint(1, 9999):04d}-{r.randint(1, 12):02d}-{r.randint(1, 31):02d}"
    ),
    "time": lambda r: "2020-01-31T10:20" + r.choice(["", ":30", ":30.5", ":30.000001"]),
    "zoned": lambda r: "2020-01-31T10:20:30" + r.choice(["+02:00", "Z", "-03:30"]),
    "clock": lambda r: f"{r.randint(0, 24):02d}:20:30",
    "list": lambda r: r.choice([[], ["a", ""], [1, 2], [1.5], [None], [True], [2**60, 1], [[1]]]),
    "texts": lambda r: r.choice([["a", "ü"], [], None]),
    "numbers": lambda r: r.choice([[1, 2], [0.5], []]),
    "object": lambda r: r.choice([{}, {"b": [1, {"c": 2**70}], "ü": "}"}, None]),
}


def _geometry(rng: random.Random, depth: int = 0) -> Any:
    width = rng.choice([2, 2, 2, 3])

    def xy() -> list[float]:
        return [round(rng.uniform(-180, 180), rng.randint(0, 15)) for _ in range(width)]

    def line() -> list[Any]:
        return [xy() for _ in range(rng.randint(2, 4))]

    def ring() -> list[Any]:
        first = xy()
        return [first, xy(), xy(), first]

    def polygon() -> list[Any]:
        return [ring() for _ in range(rng.randint(1, 2))]

    kind = rng.choice(["null", "Point", "Point", "LineString", "Polygon", "Polygon", "MultiPoint",
                       "MultiLineString", "MultiPolygon", "GeometryCollection"])  # fmt: skip
    if kind == "null":
        return None
    if kind == "GeometryCollection":
        members = [g for _ in range(rng.randint(0, 2)) if (g := _geometry(rng, depth + 1))]
        widths = {len(_first(m)) for m in members}
        return {"type": kind, "geometries": members if len(widths) < 2 and depth < 3 else []}
    make = {"Point": xy, "LineString": line, "Polygon": polygon}
    if kind.startswith("Multi"):
        inner = make[kind.removeprefix("Multi")]
        return {"type": kind, "coordinates": [inner() for _ in range(rng.randint(0, 3))]}
    return {"type": kind, "coordinates": make[kind]() if rng.random() < 0.95 else []}


def _first(value: Any) -> Any:
    while isinstance(value, dict):
        value = value.get("coordinates", value.get("geometries"))
        value = value[0] if value and isinstance(value[0], dict) else value
    while value and isinstance(value[0], list):
        value = value[0]
    return value


def damage(rng: random.Random, path: Path) -> None:
    """What happens to texts: wrong values, lost members, other elements, stray signs."""
    text = path.read_bytes().decode("utf-8-sig")
    kind = rng.choice(["insert", "number", "number", "text", "member", "element", "line"])
    at = rng.randrange(len(text) + 1)
    if kind == "insert":
        text = text[:at] + rng.choice([*'{}[],:"\\ 1', "\0", "\x1e", "null"]) + text[at:]
    elif kind == "number" and (numbers := list(re.finditer(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text))):
        found = rng.choice(numbers)
        wrong = ["1e999", "NaN", "-Infinity", "true", "null", '"1"', "12345678901234567890", "01",
                 "1" * 400, "[1, 2]", "{}", "1.", "9007199254740993", "-0", "1e5", "", '"x"',
                 "0.1000000000000000055511151231257827"]  # fmt: skip
        text = text[: found.start()] + rng.choice(wrong) + text[found.end() :]
    elif kind == "text" and (texts := list(re.finditer(r'"[^"\\]*"', text))):
        found = rng.choice(texts)
        wrong = ['"Point"', '"Feature"', '"\\ud800"', '"a"', '"coordinates"', '"features"', "1",
                 '"2020-02-30"', '"type"', '"\\u0000"', '"id"', "null",
                 '"MultiPolygon"']  # fmt: skip
        text = text[: found.start()] + rng.choice(wrong) + text[found.end() :]
    elif kind == "member" and (pairs := list(re.finditer(r'"[^"\\]*"\s*:\s*[^,{}\[\]]+,', text))):
        found = rng.choice(pairs)
        text = text[: found.end()] + rng.choice(["", found[0]]) + text[found.end() :]
        if rng.random() < 0.5:
            text = text[: found.start()] + text[found.end() :]
    elif kind == "element" and (starts := list(re.finditer(r'\{\s*"type"', text))):
        at = rng.choice(starts).start()
        strange = ["null,", "5,", '{"type": "Foo"},', '{"type": "Point", "coordinates": [9, 9]},',
                   "[],", ",",
                   '{"type": "Feature", "geometry": null, "properties": {}},']  # fmt: skip
        text = text[:at] + rng.choice(strange) + text[at:]
    elif kind == "line":
        lines = text.splitlines(keepends=True)
        i = rng.randrange(len(lines)) if lines else 0
        lines[i : i + 1] = rng.choice([[], lines[i : i + 1] * 2])
        text = "".join(lines)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))


def expected(path: Path) -> list[dict[str, object]]:
    """The rows of a text as Python's reader understands it.

    Raises:
        ValueError: it is not well-formed, or no GeoJSON.

    """
    features, sequence = _features(path.read_bytes().decode("utf-8-sig"))
    rows = []
    for feature in features:
        if not isinstance(feature, dict) or (feature.get("type") != "Feature" and not sequence):
            msg = f"{feature!r} is no feature"
            raise ValueError(msg)
        if feature.get("type") != "Feature":
            feature = {"type": "Feature", "geometry": feature}
        rows.append(feature)
    properties = [f.get("properties") for f in rows]
    for given in properties:
        if given is not None and not isinstance(given, dict):
            msg = f"properties are {given!r}"
            raise ValueError(msg)
    properties = [p or {} for p in properties]
    names = dict.fromkeys(n for p in properties for n in p)
    columns = {n: _column([p.get(n) for p in properties]) for n in names}
    ids = [f.get("id") for f in rows]
    if any(i is not None for i in ids) and ids != [p.get("id") for p in properties]:
        taken = {n.casefold() for n in names}
        name, number = "id", 1
        while name in taken:
            name, number = f"id_{number}", number + 1
        columns[name] = _column(ids)
    geometries = [_shape(f.get("geometry")) for f in rows]
    table = [{n: c[i] for n, c in columns.items()} for i in range(len(rows))]
    for row, geometry in zip(table, geometries, strict=True):
        row[GEOMETRY] = geometry
    return table


def _features(text: str) -> tuple[list[Any], bool]:
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_float=_real)
    values, at = [], 0
    while at < len(text):
        if text[at] in " \t\r\n\x1e":
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        values.append(value)
    if len(values) == 1 and isinstance(values[0], dict) and "features" in values[0]:
        (collection,) = values
        if collection.get("type") == "FeatureCollection" and isinstance(
            collection["features"], list
        ):
            return collection["features"], False
    return values, True


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    given = list(pairs)
    if len(dict(given)) < len(given):
        msg = f"a name stands twice: {given}"
        raise ValueError(msg)
    return dict(given)


def _real(text: str) -> float:
    if abs(float(text)) == float("inf"):
        msg = f"{text} is too large"
        raise ValueError(msg)
    return float(text)


def _column(values: list[Any]) -> list[Any]:
    """Values as they are, but structures, and what stands beside texts, as JSON text."""
    kinds = {type(v) for v in values if v is not None}
    structured = bool(kinds & {dict, list})
    if structured or (str in kinds and len(kinds) > 1):
        return [v if v is None or isinstance(v, str) else JsonText(v) for v in values]
    if bool in kinds and len(kinds) > 1:
        msg = "truth values stand beside others"
        raise ValueError(msg)
    days = [_day(v) if isinstance(v, str) else v for v in values]
    return days if kinds == {str} and str not in set(map(type, days)) else values


def _day(text: str) -> dt.date | str:
    try:
        return dt.date.fromisoformat(text) if len(text) == 10 else text
    except ValueError:
        return text


def _shape(value: Any) -> bytes | None:
    """ISO WKB of a geometry; the dimensions are those of its positions."""
    if value is None:
        return None
    wkb = _wkb(value, len(_first(value) or [0, 0]))
    try:
        shapely.from_wkb(wkb)
    except shapely.errors.ShapelyError as exc:
        raise ValueError(str(exc)) from exc
    return wkb


def _wkb(value: Any, width: int) -> bytes:
    kinds = ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
             "GeometryCollection"]  # fmt: skip
    kind = kinds.index(value["type"]) + 1
    head = struct.pack("<BI", 1, kind + 1000 * (width - 2))
    if kind == 7:
        members = [_wkb(g, width) for g in value["geometries"]]
        return head + struct.pack("<I", len(members)) + b"".join(members)
    coordinates = value["coordinates"]
    if kind == 1:
        return head + _position(coordinates or [float("nan")] * width, width)
    if kind == 2:
        return head + _line(coordinates, width)
    if kind == 3:
        for ring in coordinates:
            if ring and ring[0][:2] != ring[-1][:2]:
                msg = "a ring is not closed"
                raise ValueError(msg)
        parts = [_line(ring, width) for ring in coordinates]
    else:
        parts = [_wkb({"type": kinds[kind - 4], "coordinates": c}, width) for c in coordinates]
    return head + struct.pack("<I", len(parts)) + b"".join(parts)


def _line(positions: Any, width: int) -> bytes:
    return struct.pack("<I", len(positions)) + b"".join(_position(p, width) for p in positions)


def _position(numbers: Any, width: int) -> bytes:
    if not isinstance(numbers, list) or len(numbers) != width:
        msg = f"{numbers!r} is no position of {width} numbers"
        raise ValueError(msg)
    for number in numbers:
        if type(number) not in {int, float}:
            msg = f"{number!r} is no number"
            raise ValueError(msg)
    return struct.pack(f"<{width}d", *numbers)
