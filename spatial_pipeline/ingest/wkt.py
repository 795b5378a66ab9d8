"""Well-known text (ISO 13249-3, OGC 06-103r4) to WKB where GEOS cannot be trusted with it.

Reads curves, surfaces, TIN and triangles, which Shapely has no types for, bounds the nesting of
collections, and refuses numbers that no double holds. Slower than GEOS, so only for the texts that
``ODD`` finds. Linearising curves belongs to ``curves``.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_NESTING = 32
"""Levels of collections; GDAL has the same limit."""
ODD = (
    r"(?i)0x|[0-9.]e[+-]?[0-9]{3}|nan|inf|curve|circ|surf|tin|triang|collection(?s:.)*collection"
    r"|multipoint\s*z?m?\s*\(\s*[-+.0-9]"
)
"""Regular expression (RE2) of texts that GEOS reads otherwise than they say, or not at all."""
_NUMBER = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:nan|inf(?:inity)?))"
_POSITION = rf"\s*{_NUMBER}(?:\s+{_NUMBER}){{1,3}}\s*"
_POSITIONS = re.compile(rf"{_POSITION}(?:,{_POSITION})*", re.ASCII)
_TOKEN = re.compile(r"\s*(?:([A-Za-z]+)|([(),])|\Z)", re.ASCII)
_SPACE = " \t\r\n\v\f"
_INFINITE = re.compile(r"inf", re.IGNORECASE)
_TYPES = {
    "POINT": 1, "LINESTRING": 2, "POLYGON": 3, "MULTIPOINT": 4, "MULTILINESTRING": 5,
    "MULTIPOLYGON": 6, "GEOMETRYCOLLECTION": 7, "CIRCULARSTRING": 8, "COMPOUNDCURVE": 9,
    "CURVEPOLYGON": 10, "MULTICURVE": 11, "MULTISURFACE": 12, "POLYHEDRALSURFACE": 15, "TIN": 16,
    "TRIANGLE": 17, "LINEARRING": 2,
}  # fmt: skip
_DIMENSIONS = {"Z": (True, False), "M": (False, True), "ZM": (True, True)}
_BARE = {4: 1, 5: 2, 6: 3, 9: 2, 10: 2, 11: 2, 12: 3, 15: 3, 16: 17}
"""Type of the members of a type that are written without a name."""
_NAMED = {7: set(_TYPES.values()), 9: {2, 8}, 10: {2, 8, 9}, 11: {2, 8, 9}, 12: {3, 10}}
"""Types of the members of a type that are written with a name."""
_JSON = {
    "Point": 1, "LineString": 2, "Polygon": 3, "MultiPoint": 4, "MultiLineString": 5,
    "MultiPolygon": 6, "GeometryCollection": 7,
}  # fmt: skip
Dimensions = tuple[bool, bool]
"""Whether there are Z and M."""


class WktError(ValueError):
    """A text that stands for no geometry; the message is a reason for a defect."""


@dataclass(frozen=True)
class Node:
    """A geometry as it is written.

    Attributes:
        kind: WKB type without dimensions.
        dimensions: stated, or those of its positions; None when nothing tells.
        positions: (n, d) of a point, line, circular string or ring.
        parts: rings or members.

    """

    kind: int
    dimensions: Dimensions | None
    positions: NDArray[np.float64] | None = None
    parts: tuple[Node, ...] = ()


def to_wkb(text: str) -> bytes:
    """ISO WKB of well-known text.

    Raises:
        WktError: it stands for no geometry, or for one that WKB cannot tell from another.

    """
    reader = _WktReader(text)
    node = reader.geometry(set(_TYPES.values()), 0)
    reader.end()
    return _written(node)


def json_to_wkb(text: str) -> bytes:
    """ISO WKB of a GeoJSON geometry (RFC 7946).

    Raises:
        WktError: it is none.

    """
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except WktError:
        raise
    except (ValueError, RecursionError) as exc:
        msg = "is not a GeoJSON geometry"
        raise WktError(msg) from exc
    return value_to_wkb(value)


def value_to_wkb(value: Any) -> bytes:
    """ISO WKB of a GeoJSON geometry (RFC 7946) that was decoded from its text.

    Raises:
        WktError: it is none.

    """
    return _written(_json_node(value, 0))


def _written(node: Node) -> bytes:
    found = set(_dimensions(node))
    if len(found) > 1:
        msg = "mixes positions with and without Z or M"
        raise WktError(msg)
    return _wkb(node, found.pop() if found else (False, False))


class _WktReader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def geometry(self, allowed: set[int], depth: int) -> Node:
        """A geometry with its name."""
        if depth > MAX_NESTING:
            msg = f"nests geometries more than {MAX_NESTING} deep"
            raise WktError(msg)
        word = self._word().upper()
        stated = None
        for suffix in ("ZM", "Z", "M"):
            if word not in _TYPES and word.removesuffix(suffix) in _TYPES:
                word, stated = word.removesuffix(suffix), _DIMENSIONS[suffix]
        if word not in _TYPES:
            raise WktError(_NO_WKT)
        kind = _TYPES[word]
        if kind not in allowed:
            msg = f"has a {word} where none may be"
            raise WktError(msg)
        if stated is None and (following := self._peek().upper()) in _DIMENSIONS:
            stated = _DIMENSIONS[following]
            self._word()
        return self._body(kind, stated, depth)

    def end(self) -> None:
        """Refuses text behind the geometry."""
        if self._text[self._at :].strip(_SPACE):
            msg = "has text behind the geometry"
            raise WktError(msg)

    def _body(self, kind: int, stated: Dimensions | None, depth: int) -> Node:
        """Parse the part of a geometry that follows the name of its type."""
        if self._peek().upper() == "EMPTY":
            self._word()
            return Node(kind, stated)
        if kind in {1, 2, 8}:
            return self._line(kind, stated)
        parts = []
        self._take("(")
        while True:
            if kind in {3, 17}:
                parts.append(self._body(2, stated, depth))
            elif kind == 4 and self._peek() not in {"(", "EMPTY"}:
                parts.extend(self._points(stated))
            elif self._peek() == "(" or (self._peek().upper() == "EMPTY" and kind in _BARE):
                if kind not in _BARE:
                    raise WktError(_NO_WKT)
                parts.append(self._body(_BARE[kind], stated, depth + 1))
            else:
                parts.append(self.geometry(_NAMED.get(kind, set()), depth + 1))
            if self._take("),") == ")":
                return Node(kind, stated, parts=tuple(parts))

    def _line(self, kind: int, stated: Dimensions | None) -> Node:
        """The positions of a point or a line, in brackets."""
        self._take("(")
        positions, dimensions = self._positions(stated)
        self._take(")")
        if kind == 1 and len(positions) != 1:
            msg = "has a point of several positions"
            raise WktError(msg)
        return Node(kind, dimensions, positions)

    def _points(self, stated: Dimensions | None) -> list[Node]:
        """Members of a multipoint without brackets of their own."""
        positions, dimensions = self._positions(stated)
        return [Node(1, dimensions, position[np.newaxis]) for position in positions]

    def _positions(self, stated: Dimensions | None) -> tuple[NDArray[np.float64], Dimensions]:
        end = self._text.find(")", self._at)
        raw = self._text[self._at : end]
        if end < 0 or _POSITIONS.fullmatch(raw) is None:
            raise WktError(_NO_WKT)
        self._at = end
        rows = [position.split() for position in raw.split(",")]
        if len({len(row) for row in rows}) > 1:
            msg = "mixes positions with and without Z or M"
            raise WktError(msg)
        width = len(rows[0])
        dimensions = stated or ((width > 2), (width > 3))
        if width != 2 + sum(dimensions):
            msg = f"has positions of {width} numbers where {2 + sum(dimensions)} are stated"
            raise WktError(msg)
        positions = np.array([[float(number) for number in row] for row in rows])
        if np.isinf(positions).any() and len(_INFINITE.findall(raw)) < np.isinf(positions).sum():
            msg = "has a number that is too large"
            raise WktError(msg)
        return positions, dimensions

    def _peek(self) -> str:
        """The next name or bracket."""
        match = _TOKEN.match(self._text, self._at)
        return "" if match is None else match[1] or match[2] or ""

    def _word(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None or not match[1]:
            raise WktError(_NO_WKT)
        self._at = match.end()
        return str(match[1])

    def _take(self, wanted: str) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None or not match[2] or match[2] not in wanted:
            raise WktError(_NO_WKT)
        self._at = match.end()
        return str(match[2])


_NO_WKT = "is not WKT"


def _json_node(value: Any, depth: int) -> Node:
    if depth > MAX_NESTING:
        msg = f"nests geometries more than {MAX_NESTING} deep"
        raise WktError(msg)
    kind = _JSON.get(str(value.get("type"))) if isinstance(value, dict) else None
    if kind is None:
        raise WktError(_NO_JSON)
    if kind == 7:
        members = value.get("geometries")
        if not isinstance(members, list):
            raise WktError(_NO_JSON)
        return Node(kind, None, parts=tuple(_json_node(m, depth + 1) for m in members))
    return _json_part(kind, value.get("coordinates"))


def _json_part(kind: int, coordinates: Any) -> Node:
    if not isinstance(coordinates, list):
        raise WktError(_NO_JSON)
    if not coordinates:
        return Node(kind, None)
    if kind == 3:
        return Node(kind, None, parts=tuple(_json_part(2, ring) for ring in coordinates))
    if kind in {4, 5, 6}:
        return Node(kind, None, parts=tuple(_json_part(kind - 3, part) for part in coordinates))
    rows = [coordinates] if kind == 1 else coordinates
    for row in rows:
        plain = isinstance(row, list) and len(row) in {2, 3} and len(row) == len(rows[0])
        if not plain or any(isinstance(n, bool) or not isinstance(n, int | float) for n in row):
            msg = "has positions that are not two or three numbers each"
            raise WktError(msg)
    try:
        positions = np.array(rows, dtype=np.float64)
    except OverflowError as exc:
        raise WktError(_TOO_LARGE) from exc
    return Node(kind, (len(rows[0]) == 3, False), positions)


_NO_JSON = "is not a GeoJSON geometry"
_TOO_LARGE = "has a number that is too large"


def _finite(text: str) -> float:
    value = float(text)
    if abs(value) == float("inf"):
        raise WktError(_TOO_LARGE)
    return value


def _no_constant(name: str) -> float:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _dimensions(node: Node) -> list[Dimensions]:
    """The dimensions that a geometry and its parts state or have."""
    found = [] if node.dimensions is None else [node.dimensions]
    return found + [d for part in node.parts for d in _dimensions(part)]


def _wkb(node: Node, dimensions: Dimensions) -> bytes:
    z, m = dimensions
    head = struct.pack("<BI", 1, node.kind + 1000 * z + 2000 * m)
    if node.kind == 1:
        if node.positions is None:
            return head + np.full(2 + z + m, np.nan).tobytes()
        if np.isnan(node.positions[0, :2]).all():
            msg = "has a point of NaN, which in WKB is an empty one"
            raise WktError(msg)
        return head + node.positions.tobytes()
    if node.kind in {2, 8}:
        return head + _counted(node)
    # Rings have no header of their own, but for those of a curve polygon.
    if node.kind in {3, 17}:
        members = [_counted(part) for part in node.parts]
    else:
        members = [_wkb(part, dimensions) for part in node.parts]
    return head + struct.pack("<I", len(members)) + b"".join(members)


def _counted(node: Node) -> bytes:
    if node.positions is None:
        return struct.pack("<I", 0)
    return struct.pack("<I", len(node.positions)) + node.positions.astype("<f8").tobytes()
