"""Features whose geometry GDAL could not understand and read as null."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

from spatial_pipeline.errors import SourceError

CHUNK = 4 << 20
MAX_FEATURE_CHARACTERS = 1 << 30
MAX_DIGITS = 1000
"""Longest rest of a number."""
_NUMERIC = "0123456789+-.eE"
_BLANK = " \t\r\n\ufeff"


class _Text:
    """A JSON text that is decoded value by value, so that memory holds one value at a time."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def skip(self, expected: str) -> None:
        """Steps over a character."""
        if self.peek() != expected:
            msg = f"{expected!r} expected in the JSON text"
            raise SourceError(msg)
        self._at += 1

    def value(self) -> Any:
        """The next value."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
                if self._ended(value, end) or not self._more():
                    self._at = end
                    return value
            except json.JSONDecodeError as exc:
                if len(self._buffer) - self._at > MAX_FEATURE_CHARACTERS or not self._more():
                    msg = f"not well-formed JSON: {exc.msg}"
                    raise SourceError(msg) from exc
            except RecursionError as exc:
                msg = "the JSON text is nested too deeply"
                raise SourceError(msg) from exc

    def _ended(self, value: Any, end: int) -> bool:
        """False for a number that may go on behind what was read."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return True
        return any(c not in _NUMERIC for c in self._buffer[end : end + MAX_DIGITS])

    def _more(self) -> bool:
        # Doubling keeps decoding a huge value again from costing the square of its size.
        chunk = self._stream.read(max(CHUNK, len(self._buffer) - self._at))
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        return bool(chunk)


def features(stream: IO[str], members: dict[str, Any] | None = None) -> Iterator[Any]:
    """The features of a GeoJSON text: of a collection, of a sequence, or the one that it is.

    Args:
        stream: the text.
        members: takes the other members of a collection.

    Raises:
        SourceError: not well-formed JSON.

    """
    text = _Text(stream)
    while text.peek() not in {"", "{"}:
        text.skip("\x1e")
    yield from _object_features(text, {} if members is None else members)
    while text.peek():
        if text.peek() == "\x1e":
            text.skip("\x1e")
            continue
        yield text.value()


def _object_features(text: _Text, members: dict[str, Any]) -> Iterator[Any]:
    """The members of ``features`` of an object, or the object itself when it has none."""
    text.skip("{")
    collection = False
    while text.peek() != "}":
        key = text.value()
        text.skip(":")
        if key == "features" and text.peek() == "[":
            collection = True
            yield from _elements(text)
        else:
            members[str(key)] = text.value()
        if text.peek() == ",":
            text.skip(",")
    text.skip("}")
    if not collection:
        yield dict(members)


def _elements(text: _Text) -> Iterator[Any]:
    text.skip("[")
    while text.peek() != "]":
        yield text.value()
        if text.peek() == ",":
            text.skip(",")
    text.skip("]")


def rows_with_geometry(stream: IO[str], rows: set[int]) -> list[int]:
    """Those of the 0-based rows whose feature has a geometry in the text.

    Raises:
        SourceError: not well-formed JSON.

    """
    return [
        row
        for row, feature in enumerate(features(stream))
        if row in rows
        and isinstance(feature, dict)
        and (feature.get("geometry") is not None or feature.get("type") not in {"Feature", None})
    ]
