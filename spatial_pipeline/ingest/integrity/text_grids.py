"""Numbers of grids that are text: as many as the header promises, and nothing else.

GDAL reads a text as 0, what is missing at the end as 0, and nothing behind the last pixel.

Sources: ESRI ASCII raster format; GRASS GIS r.in.ascii; GDAL's page on XYZ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from spatial_pipeline.errors import SourceError

_GRIDS = frozenset({"AAIGrid", "GRASSASCIIGrid", "GSAG", "ISG"})
_CHUNK = 1 << 24
_HEAD = 1 << 16
"""Bytes in which the header of a grid ends."""
_KEYWORD = re.compile(rb"\s*((?!(?:nan|inf|null)(?![:\w]))[A-Za-z_]+:?)\s+(\S+)", re.IGNORECASE)
_MARKED = re.compile(rb"DSAA(?:\s+\S+){8}|(?s:.)*?^end_of_head[^\n]*\n", re.MULTILINE)
"""Headers of Golden Software's grids and of ISG, which their end or their length marks."""
_NUMBER = (
    rb"(?:[+-]?(?:\d++[.,]?\d*+|[.,]\d++)(?:[eE][+-]?\d++)?|[+-]?(?:nan(?:\(\w+\))?|inf(?:inity)?)"
    rb"|[+-]?1\.#\w+|null|\*)"
)
_WRONG = re.compile(rb"(?<!\S)(?!" + _NUMBER + rb"(?!\S))\S+", re.IGNORECASE)
_SPACES = np.isin(np.arange(256), list(b" \t\r\n\v\f"))


def verify(dataset: Any, file: Path) -> None:
    """Counts the numbers of a grid and looks for texts among them.

    Args:
        dataset: the open raster; nothing is looked at unless it is a grid of text.
        file: the text, which is not compressed.

    Raises:
        SourceError: a text is no number, or there are fewer or more numbers than pixels.

    """
    if dataset.driver == "XYZ":
        _verify_points(dataset, file)
    if dataset.driver not in _GRIDS or file.suffix.casefold() == ".gz":
        return
    with file.open("rb") as stream:
        stream.seek(_header_bytes(stream.read(_HEAD)))
        count = 0
        for text in _pieces(stream):
            if wrong := _WRONG.search(text):
                shown = wrong[0][:60].decode("utf-8", "replace")
                row, column = divmod(count + _tokens(text[: wrong.start()]), dataset.width)
                msg = f"row {row}, column {column}: {shown!r} is not a number"
                raise SourceError(msg)
            count += _tokens(text)
    promised = dataset.width * dataset.height
    if count != promised:
        msg = f"its header promises {promised} numbers, it holds {count}"
        raise SourceError(msg)


def _verify_points(dataset: Any, file: Path) -> None:
    """Compares the lines of points with the pixels; a grid with nodata may leave some out."""
    with file.open("rb") as stream:
        lines = sum(1 for line in stream if line.strip())
    promised = dataset.width * dataset.height
    if lines < promised and dataset.nodata is None:
        msg = f"it has {lines} lines for {promised} pixels: the others would be made up"
        raise SourceError(msg)


def _header_bytes(head: bytes) -> int:
    if marked := _MARKED.match(head):
        return marked.end()
    at = 0
    while found := _KEYWORD.match(head, at):
        at = found.end()
    return at


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """The text in pieces that end between two tokens."""
    rest = b""
    while text := stream.read(_CHUNK):
        text = rest + text
        cut = max(text.rfind(b"\n"), text.rfind(b" "), text.rfind(b"\t")) + 1
        rest = text[cut:]
        yield text[:cut]
    yield rest


def _tokens(text: bytes) -> int:
    space = _SPACES[np.frombuffer(text, np.uint8)]
    if not len(space):
        return 0
    return int((space[:-1] & ~space[1:]).sum()) + int(not space[0])
