"""Nodes of an Erdas Imagine file (.img): a file that was cut has lost some, mostly georeferencing.

GDAL leaves out what it cannot find. Structure: Erdas Imagine .img Files (Leica, 2005), Ehfa_File
and Ehfa_Entry; all numbers are little-endian.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from spatial_pipeline.errors import SourceError

MAGIC = b"EHFA_HEADER_TAG\0"
_FILE = struct.Struct("<iIIhI")
_ENTRY = struct.Struct("<6I")
_ENTRY_BYTES = 128
_MOST = 1 << 20
"""Nodes of one file: more are damage."""


def verify(file: Path) -> None:
    """Walks the tree of nodes; does nothing for what is no Imagine file.

    Raises:
        SourceError: a node, or its data, lies behind the end of the file.

    """
    with file.open("rb") as opened:
        if opened.read(len(MAGIC)) != MAGIC:
            return
        size = os.fstat(opened.fileno()).st_size
        header = struct.unpack("<I", _part(opened, len(MAGIC), 4, size))[0]
        _, _, root, _, dictionary = _FILE.unpack(_part(opened, header, _FILE.size, size))
        _part(opened, dictionary, 1, size)
        seen: set[int] = set()
        left = [root]
        while left:
            place = left.pop()
            if not place or place in seen:
                continue
            if len(seen) == _MOST:
                msg = f"the file is damaged: more than {_MOST} nodes"
                raise SourceError(msg)
            seen.add(place)
            entry = _part(opened, place, _ENTRY_BYTES, size)
            following, _, _, child, data, length = _ENTRY.unpack_from(entry)
            if length and data + length > size:
                name = entry[24:88].partition(b"\0")[0].decode("latin-1")
                raise _cut(data + length, size, f"the data of node {name!r}")
            left += [following, child]


def _part(opened: BinaryIO, at: int, length: int, size: int) -> bytes:
    if at + length > size:
        raise _cut(at + length, size, "its directory")
    opened.seek(at)
    return opened.read(length)


def _cut(end: int, size: int, what: str) -> SourceError:
    return SourceError(f"the file is cut: {what} reaches byte {end}, the file has {size}")
