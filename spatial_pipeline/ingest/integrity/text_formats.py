"""Text formats that were cut: GDAL reads up to the cut and says nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO
from xml.parsers import expat

from spatial_pipeline.errors import SourceError

HEAD = 1 << 16
"""Bytes at the start in which a mark is looked for."""


def verify_xml(stream: IO[bytes]) -> None:
    """Reads an XML text to its end.

    Raises:
        SourceError: it is not well-formed, or its entities expand without bound.

    """
    parser = expat.ParserCreate()
    try:
        parser.ParseFile(stream)
    except expat.ExpatError as exc:
        msg = f"not well-formed XML: {exc}"
        raise SourceError(msg) from exc


def verify_dxf(stream: IO[bytes]) -> None:
    """Looks for the mark at the end of a DXF text.

    Raises:
        SourceError: it is not there.

    """
    if b"EOF" not in _tail(stream, 64) and not _head(stream).startswith(b"AutoCAD Binary DXF"):
        msg = "the DXF text has no end, it was cut"
        raise SourceError(msg)


def mid_records(mif: Path) -> int | None:
    """Records of the .mid file beside a .mif file; None without one."""
    for path in mif.parent.iterdir():
        if path.stem.casefold() == mif.stem.casefold() and path.suffix.casefold() == ".mid":
            with path.open("rb") as stream:
                return sum(1 for line in stream if line.strip())
    return None


def _head(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    return stream.read(HEAD)


def _tail(stream: IO[bytes], count: int) -> bytes:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - count))
    return stream.read(count)
