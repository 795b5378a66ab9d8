"""Reads the elements of a GeoJSON text strictly and in blocks: of a collection, or a sequence.

Every byte is looked at: the text must be well-formed JSON to its end (RFC 8259), and no object may
name a member twice. Numbers are exact: whole numbers of any size are ``int``, numbers that no
double holds are ``TooLarge``. What elements mean belongs to ``geojson_columns``.

Source: RFC 8259, RFC 7946, RFC 8142.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import orjson

from spatial_pipeline.errors import SourceError
from spatial_pipeline.runtime.json_text import exact_json

BLOCK_BYTES = 8 << 20
MAX_ELEMENT_BYTES = 1 << 29
"""Bytes of the largest element."""
_MAX_DIGITS = 1000
"""Digits of the longest whole number that is told from another."""
_BLANK = b" \t\r\n"
_BETWEEN = b" \t\r\n\x1e"
_BOM = b"\xef\xbb\xbf"
_TOKENS = bytes(1 if c in b'{}[]":' else 0 for c in range(256))
_STEP = np.zeros(256, np.int8)
_STEP[list(b"{[")] = 1
_STEP[list(b"}]")] = -1
_LONG = re.compile(rb"[0-9]{19}")
_EXACT = float(1 << 63)
_SHOWN = 60
"""Characters of a damaged text that an error shows."""


@dataclass(frozen=True)
class TooLarge:
    """A number that no double holds, as the text writes it."""

    text: str


@dataclass
class GeoJsonText:
    """A GeoJSON text.

    Attributes:
        stream: its bytes.
        sequence: whether it is objects one behind the other, not a collection.
        start: offset of the first byte behind ``[``, or of the text.
        members: members of the collection besides its features; whole once all were read.

    """

    stream: IO[bytes]
    sequence: bool = True
    start: int = 0
    members: dict[str, Any] = field(default_factory=dict)
    _quick: list[bool] = field(default_factory=list)
    _places: list[tuple[int, int]] = field(default_factory=list)

    def blocks(self) -> Iterator[list[Any]]:
        """The elements, a block at a time.

        Raises:
            SourceError: the text is damaged, or not JSON.

        """
        self.stream.seek(self.start)
        read = 0
        for text, keys in self._sequence() if self.sequence else self._collection():
            values = _quickly(text, keys)
            self._quick.append(values is not None)
            if values is None:
                values = _slowly(text, read)
                _encodable(values, read)
            read += len(values)
            yield values

    def again(self) -> Iterator[list[Any]]:
        """The same blocks once more: what was proven of them is not proven again."""
        self.stream.seek(self.start)
        texts = (text for text, _ in self._sequence()) if self.sequence else self._placed()
        for text, quick in zip(texts, self._quick, strict=True):
            yield orjson.loads(text) if quick else _slowly(text, 0)

    def _placed(self) -> Iterator[bytes]:
        for begin, size in self._places:
            self.stream.seek(begin)
            yield b"[" + self.stream.read(size) + b"]"

    def _sequence(self) -> Iterator[tuple[bytes, int]]:
        rest = b""
        while True:
            more = self.stream.read(max(BLOCK_BYTES, len(rest)))
            buffer = rest + more
            opens, closes, keys, _ = _structure(buffer)
            end = int(closes[-1]) + 1 if len(closes) else 0
            elements = [
                buffer[s : e + 1] for s, e in zip(opens.tolist(), closes.tolist(), strict=False)
            ]
            gaps = zip([0, *(closes + 1).tolist()], opens.tolist(), strict=False)
            for begin, until in gaps:
                if until - begin > 1 or buffer[begin:until] not in {b"", b"\n"}:
                    _only(buffer[begin:until], _BETWEEN)
            if elements:
                yield b"[" + b",".join(elements) + b"]", keys
            rest = buffer[end:]
            if not more:
                _only(rest, _BETWEEN)
                return
            _bound(rest)

    def _collection(self) -> Iterator[tuple[bytes, int]]:
        rest, first, at = b"", True, self.start
        while True:
            more = self.stream.read(max(BLOCK_BYTES, len(rest)))
            buffer = rest + more
            _, closes, keys, closing = _structure(buffer)
            end = closing if closing >= 0 else int(closes[-1]) + 1 if len(closes) else 0
            text = buffer[:end]
            blank = not text.strip(_BLANK)
            if not blank:
                if not first:
                    text = text.lstrip(_BLANK)
                    if text[:1] != b"," or not text[1:].strip(_BLANK):
                        raise _damaged(text)
                    text = text[1:]
                self._places.append((at + end - len(text), len(text)))
                yield b"[" + text + b"]", keys
                first = False
            if closing >= 0:
                self._close(buffer[closing + 1 :])
                return
            rest = buffer[0 if blank else end :]
            at += len(buffer) - len(rest)
            if not more:
                msg = "the text ends before its features do"
                raise SourceError(msg)
            _bound(rest)

    def _close(self, rest: bytes) -> None:
        """Reads the members behind the features, to the end of the text."""
        text = (rest + self.stream.read(MAX_ELEMENT_BYTES)).decode("utf-8", "surrogateescape")
        at = _skip(text, 0)
        try:
            if text[at] == ",":
                members, at, open_ = _members(text, at + 1)
                if open_:
                    raise _damaged(b'"features" stands there twice')
                for key in members:
                    if key in self.members:
                        raise _damaged(f"{key!r} stands there twice".encode())
                self.members = {**self.members, **members}
            elif text[at] == "}":
                at += 1
            else:
                raise _damaged(text[at:].encode("utf-8", "surrogateescape"))
        except (IndexError, json.JSONDecodeError) as exc:
            msg = "the text ends before its collection does"
            raise SourceError(msg) from exc
        _only(text[at:].encode("utf-8", "surrogateescape"), _BETWEEN)
        _encodable([self.members], 0)


def opened(stream: IO[bytes]) -> GeoJsonText:
    """A text, of which the members in front of the features were read.

    Raises:
        SourceError: it is no JSON object.

    """
    size = 1 << 16
    while True:
        stream.seek(0)
        head = stream.read(size)
        whole = len(head) < size
        skipped = len(_BOM) if head.startswith(_BOM) else 0
        text = head[skipped:].decode("utf-8", "surrogateescape")
        at = next((i for i, c in enumerate(text) if c not in " \t\r\n\x1e"), 0)
        if text[at : at + 1] != "{":
            msg = "it is not GeoJSON: it does not start with an object"
            raise SourceError(msg)
        try:
            members, end, open_ = _members(text, at + 1)
        except (IndexError, json.JSONDecodeError, RecursionError):
            if whole or size > MAX_ELEMENT_BYTES:
                return GeoJsonText(stream, True, skipped)
        else:
            if not open_:
                return GeoJsonText(stream, True, skipped, {})
            before = len(text[:end].encode("utf-8", "surrogateescape"))
            return GeoJsonText(stream, False, skipped + before, members)
        size *= 4


def _members(text: str, at: int) -> tuple[dict[str, Any], int, bool]:
    """Members of an object up to its features or its end, where that is, and whether it is open.

    Raises:
        IndexError: the text ends before.
        json.JSONDecodeError: likewise, or it is not well-formed.

    """
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_float=_real)
    members: dict[str, Any] = {}
    at = _skip(text, at)
    if text[at] == "}":
        return members, at + 1, False
    while True:
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        if not isinstance(key, str) or text[at] != ":":
            raise json.JSONDecodeError("':' expected", text, at)
        at = _skip(text, at + 1)
        if key in members:
            raise _damaged(f"{key!r} stands there twice".encode())
        if key == "features" and text[at] == "[":
            return members, at + 1, True
        members[key], at = decoder.raw_decode(text, at)
        if key == "type" and members[key] not in {"FeatureCollection", "Topology"}:
            return members, at, False
        at = _skip(text, at)
        if text[at] == "}":
            return members, at + 1, False
        if text[at] != ",":
            raise json.JSONDecodeError("',' expected", text, at)
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in " \t\r\n":
        at += 1
    return at


def _structure(buffer: bytes) -> tuple[Any, Any, int, int]:
    """Offsets of the brackets of elements, of their keys, and of the end of the enclosing array.

    Returns:
        Offsets of the opening and of the closing brackets of elements; colons outside of strings
        up to the last that closes; the offset of the bracket that has no partner, or -1.

    """
    bare = buffer
    if b"\\" in bare:
        # Pairs from the left: a backslash that escapes another escapes no quote.
        bare = bare.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    places = np.flatnonzero(np.frombuffer(bare.translate(_TOKENS), np.bool_))
    codes = np.frombuffer(bare, np.uint8)[places]
    quotes = codes == ord('"')
    inside = np.bitwise_xor.accumulate(quotes) if len(quotes) else quotes
    outside = ~(inside | quotes)
    places, codes = places[outside], codes[outside]
    steps = _STEP[codes]
    depth = np.cumsum(steps, dtype=np.int32)
    closing = -1
    below = np.flatnonzero(depth < 0)
    if len(below):
        closing = int(places[below[0]])
        places, codes = places[: below[0]], codes[: below[0]]
        steps, depth = steps[: below[0]], depth[: below[0]]
    opens = places[(depth == 1) & (steps == 1)]
    closes = places[(depth == 0) & (steps == -1)]
    colons = places[codes == ord(":")]
    keys = int(np.searchsorted(colons, closes[-1])) if len(closes) else 0
    return opens, closes, keys, closing


def _quickly(text: bytes, keys: int) -> list[Any] | None:
    """The elements of an array that has so many keys; None where they need a closer look."""
    try:
        values: list[Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if _keys(values) != keys and _all_keys(values) != keys:
        return None
    return None if _suspicious(values, text) else values


def _keys(values: list[Any]) -> int:
    """Members of features, their geometries and properties."""
    try:
        geometries = [g for v in values if (g := v.get("geometry")) is not None]
        properties = [p for v in values if (p := v.get("properties")) is not None]
        return sum(map(len, values)) + sum(map(len, geometries)) + sum(map(len, properties))
    except (AttributeError, TypeError):
        return -1


def _all_keys(value: Any) -> int:
    """Members of all objects in a value, but for those in coordinates, where none may be."""
    count, waiting = 0, [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            count += len(found)
            waiting.extend(v for k, v in found.items() if k != "coordinates")
        elif isinstance(found, list):
            waiting.extend(v for v in found if isinstance(v, dict | list))
    return count


def _suspicious(values: list[Any], text: bytes) -> bool:
    """Whether a whole number may have become a double, as happens beyond 64 bits."""
    objects = [v for v in values if isinstance(v, dict)]
    properties = [p for v in objects if isinstance(p := v.get("properties"), dict)]
    cells = itertools.chain.from_iterable(map(dict.values, properties))
    found = [*cells, *(v["id"] for v in objects if "id" in v)]
    kinds = set(map(type, found))
    odd = list in kinds or dict in kinds
    if float in kinds and not odd:
        numbers = [v for v in found if type(v) is float]
        odd = max(numbers) >= _EXACT or min(numbers) <= -_EXACT
    return odd and _LONG.search(text) is not None


def _slowly(text: bytes, first: int) -> list[Any]:
    """The elements by the reader of the standard library, which knows more and says why.

    It takes NaN and Infinity, which many programs write, and bytes that are not UTF-8 as lone
    surrogates.

    """
    try:
        values: list[Any] = json.loads(
            text.decode("utf-8", "surrogateescape"),
            object_pairs_hook=_once,
            parse_float=_real,
            parse_int=_whole,
        )
    except json.JSONDecodeError as exc:
        shown = exc.doc[max(0, exc.pos - _SHOWN // 2) : exc.pos + _SHOWN // 2]
        behind = f" behind feature {first}" if first else ""
        msg = f"not well-formed JSON{behind}: {exc.msg} at {shown!r}"
        raise SourceError(msg) from exc
    except RecursionError as exc:
        msg = "the JSON text is nested too deeply"
        raise SourceError(msg) from exc
    return values


def _encodable(values: list[Any], first: int) -> None:
    """Refuses lone surrogates and numbers too large outside of cells, where columns name them."""
    for i, value in enumerate(values):
        rest = value
        if isinstance(value, dict):
            rest = dict(value)
            if isinstance(properties := value.get("properties"), dict):
                rest["properties"] = list(properties)
            if isinstance(geometry := value.get("geometry"), dict):
                rest["geometry"] = {k: v for k, v in geometry.items() if k != "coordinates"}
        try:
            exact_json(rest).encode()
        except UnicodeEncodeError as exc:
            msg = f"feature {first + i} is not UTF-8: {ascii(value)[:200]}"
            raise SourceError(msg) from exc
        except TypeError as exc:
            msg = f"feature {first + i} holds a number that is too large: {ascii(value)[:200]}"
            raise SourceError(msg) from exc


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    given = list(pairs)
    found = dict(given)
    if len(found) < len(given):
        ((key, _),) = Counter(k for k, _ in given).most_common(1)
        msg = f"an object names the member {key!r} twice: {exact_json(given, default=str)[:200]}"
        raise SourceError(msg)
    return found


def _real(text: str) -> float | TooLarge:
    value = float(text)
    return TooLarge(text) if math.isinf(value) else value


def _whole(text: str) -> int | TooLarge:
    return TooLarge(text) if len(text) > _MAX_DIGITS else int(text)


def _only(text: bytes, blank: bytes) -> None:
    if text.strip(blank):
        raise _damaged(text)


def _bound(rest: bytes) -> None:
    if len(rest) > MAX_ELEMENT_BYTES:
        msg = f"an element is longer than {MAX_ELEMENT_BYTES} bytes, or its quotes do not pair up"
        raise SourceError(msg)


def _damaged(text: bytes) -> SourceError:
    shown = text.strip(_BETWEEN)[:_SHOWN].decode("utf-8", "replace")
    return SourceError(f"not well-formed GeoJSON: {shown!r} between or behind its elements")
