"""Bytes of a text file as UTF-8, whatever its encoding; bytes that do not decode stay marked.

Byte order marks and declared encodings are handled here; records and fields belong to
``csv_records``.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError

MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks; the longer of two with the same start first."""
UTF8 = "utf-8"
NUL = b"\0"
_HANDLER = "spatial_pipeline_undecodable"
_FIRST_MARK = 0xDC00
"""An undecodable byte b becomes the lone surrogate U+DC00 + b, which no UTF-8 text contains."""


def _marked(exc: UnicodeError) -> tuple[str, int]:
    """Codec error handler: keeps the bytes as lone surrogates."""
    if not isinstance(exc, UnicodeDecodeError):
        raise exc
    raw = exc.object[exc.start : exc.end]
    return "".join(chr(_FIRST_MARK + b) for b in raw), exc.end


codecs.register_error(_HANDLER, _marked)


class CsvText(Protocol):
    """A text as a stream of UTF-8 bytes."""

    def read(self, count: int, /) -> bytes:
        """About ``count`` bytes, none at the end."""
        ...


def encoding_of(file: Path, declared: str | None) -> tuple[str, int]:
    """Encoding of a text file, and the length of its byte order mark.

    Args:
        file: the file.
        declared: encoding that the contract names, which wins.

    Raises:
        SourceError: the declared encoding is no encoding of text.

    """
    with file.open("rb") as opened:
        head = opened.read(4)
    mark, found = next(((m, e) for m, e in MARKS if head.startswith(m)), (b"", UTF8))
    if declared is None:
        return found, len(mark)
    try:
        io.TextIOWrapper(io.BytesIO(), declared)
    except LookupError as exc:
        msg = f"{declared} is not an encoding of text"
        raise SourceError(msg) from exc
    # The mark is no text in any encoding that reads it as something else.
    return codecs.lookup(declared).name, len(mark) if _same_family(found, declared) else 0


def _same_family(found: str, declared: str) -> bool:
    """True when a text in the declared encoding would start with this byte order mark."""
    name = codecs.lookup(declared).name
    if found == UTF8:
        return True
    return found.startswith(name) and name.startswith("utf") and name not in {"utf-16", "utf-32"}


@contextmanager
def opened_text(file: Path, encoding: str, skip: int) -> Iterator[CsvText]:
    """The bytes of a file as UTF-8, behind its byte order mark, closed at the end.

    Args:
        file: the file.
        encoding: Python's name of the encoding.
        skip: bytes of the byte order mark.

    """
    with file.open("rb") as opened:
        opened.seek(skip)
        yield opened if encoding == UTF8 else Transcoded(opened, encoding)


class Transcoded:
    """A stream of bytes in another encoding, read as UTF-8.

    Args:
        raw: the bytes.
        encoding: Python's name of their encoding.

    """

    def __init__(self, raw: io.BufferedReader, encoding: str) -> None:
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder(encoding)(_HANDLER)

    def read(self, count: int, /) -> bytes:
        """UTF-8 of about ``count`` bytes of the file, none at the end."""
        while piece := self._raw.read(count):
            if text := self._decoder.decode(piece):
                return text.encode("utf-8", "surrogatepass")
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest.encode("utf-8", "surrogatepass")


def shown(value: bytes) -> str:
    r"""A value with its undecodable bytes as ``\xNN``."""
    try:
        text = value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return value.decode("utf-8", "backslashreplace")
    marks = range(_FIRST_MARK, _FIRST_MARK + 256)
    return "".join(f"\\x{ord(c) - _FIRST_MARK:02x}" if ord(c) in marks else c for c in text)


def undecodable(values: pa.Array) -> NDArray[np.int64]:
    """Indices of values (binary) that are not UTF-8."""
    try:
        values.cast(pa.string())
    except pa.ArrowInvalid:
        return np.asarray(
            [i for i, v in enumerate(values.to_pylist()) if v is not None and not _decodes(v)],
            dtype=np.int64,
        )
    return np.empty(0, dtype=np.int64)


def with_nul(values: pa.Array) -> NDArray[np.int64]:
    """Indices of values (binary) that hold the character NUL."""
    found = pc.fill_null(pc.match_substring(values, "\0"), False)
    return np.flatnonzero(np.asarray(found))


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
