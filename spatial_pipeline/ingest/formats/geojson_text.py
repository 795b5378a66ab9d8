"""Reads the elements of a GeoJSON text strictly and in blocks: of a collection, or a sequence.

Every byte is looked at: the text must be well-formed JSON to its end (RFC 8259), and no object may
name a member twice. Numbers are exact: whole numbers of any size are ``int``, numbers that no
double holds are ``TooLarge``. What elements mean belongs to ``geojson_columns``.

Source: RFC 8259, RFC 7946, RFC 8142.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import orjson

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.geojson_head import encoding_of
from spatial_pipeline.ingest.formats.json_elements import (
    SHOWN,
    decoded_quickly,
    decoded_slowly,
    exact_real,
    refuse_unencodable,
    without_repeats,
)

BLOCK_BYTES = 8 << 20
MAX_ELEMENT_BYTES = 1 << 29
"""Bytes of the largest element."""
_BLANK = b" \t\r\n"
_BETWEEN = b" \t\r\n\x1e"
_BOM = b"\xef\xbb\xbf"
_TOKENS = bytes(1 if c in b'{}[]":' else 0 for c in range(256))
_STEP = np.zeros(256, np.int8)
_STEP[list(b"{[")] = 1
_STEP[list(b"}]")] = -1


@dataclass
class GeoJsonText:
    """A GeoJSON text.

    Attributes:
        stream: its bytes.
        sequence: whether it is objects one behind the other, not a collection.
        start: offset of the first byte behind ``[``, or of the text.
        members: members of the collection besides its features; whole once all were read.
        constants: names of numbers that JSON does not have, in the elements that were read.

    """

    stream: IO[bytes]
    sequence: bool = True
    start: int = 0
    members: dict[str, Any] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
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
            values = decoded_quickly(text, keys)
            self._quick.append(values is not None)
            if values is None:
                values = decoded_slowly(text, read, self.constants)
                refuse_unencodable(values, read)
            read += len(values)
            yield values

    def again(self) -> Iterator[list[Any]]:
        """The same blocks once more: what was proven of them is not proven again."""
        self.stream.seek(self.start)
        texts = (text for text, _ in self._sequence()) if self.sequence else self._placed()
        for text, quick in zip(texts, self._quick, strict=True):
            yield orjson.loads(text) if quick else decoded_slowly(text, 0)

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
        refuse_unencodable([self.members], 0)


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
        other = encoding_of(head)
        if other is not None or text[at : at + 1] != "{":
            told = f"it is {other}, not UTF-8" if other else "it does not start with an object"
            msg = f"it is not GeoJSON: {told}"
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
    decoder = json.JSONDecoder(object_pairs_hook=without_repeats, parse_float=exact_real)
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


def _only(text: bytes, blank: bytes) -> None:
    if text.strip(blank):
        raise _damaged(text)


def _bound(rest: bytes) -> None:
    if len(rest) > MAX_ELEMENT_BYTES:
        msg = f"an element is longer than {MAX_ELEMENT_BYTES} bytes, or its quotes do not pair up"
        raise SourceError(msg)


def _damaged(text: bytes) -> SourceError:
    shown = text.strip(_BETWEEN)[:SHOWN].decode("utf-8", "replace")
    return SourceError(f"not well-formed GeoJSON: {shown!r} between or behind its elements")
