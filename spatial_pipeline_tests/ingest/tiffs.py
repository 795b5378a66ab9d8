"""TIFF files written byte by byte: with tags that no library would write, and several pages."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SCALE, TIEPOINT, MATRIX, NODATA, METADATA, SUBFILE = 33550, 33922, 34264, 42113, 42112, 254
BYTE, ASCII, SHORT, LONG, DOUBLE = 1, 2, 3, 4, 12
PLACE = {SCALE: (DOUBLE, [10.0, 10.0, 0.0]), TIEPOINT: (DOUBLE, [0, 0, 0, 500000, 4000000, 0])}
"""Pixels of 10 units at (500000, 4000000)."""
_CODES = {BYTE: "B", SHORT: "H", LONG: "I", DOUBLE: "d", 16: "Q"}
_KINDS = {"u": 1, "i": 2, "f": 3, "c": 6}
Tag = tuple[int, Sequence[float] | bytes]


@dataclass(frozen=True)
class Page:
    """Pixels of one page, uncompressed in one strip, and tags beside those that describe them."""

    values: Any
    tags: dict[int, Tag] = field(default_factory=dict)


def write_tiff(
    path: Path,
    values: Any,
    nodata: str | None = None,
    tags: dict[int, Tag] | None = None,
    order: str = "<",
    *,
    big: bool = False,
) -> Path:
    """A TIFF of one page of (height, width) or (bands, height, width) values."""
    mine = dict(PLACE if tags is None else tags)
    if nodata is not None:
        mine[NODATA] = (ASCII, nodata.encode("latin-1") + b"\0")
    return write_pages(path, [Page(values, mine)], order, big=big)


def write_pages(path: Path, pages: Sequence[Page], order: str = "<", *, big: bool = False) -> Path:
    """A TIFF of several pages."""
    count, entry, offset = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    room = struct.calcsize(order + offset)
    data = bytearray(b"II" if order == "<" else b"MM")
    data += struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, 16) if big else (42, 8)))
    for number, page in enumerate(pages, 1):
        entries, blocks = _entries(page, order, big)
        at = len(data)
        head = struct.calcsize(order + count)
        size = head + (struct.calcsize(order + entry) + room) * len(entries) + room
        body = bytearray()
        places = {}
        for tag, raw in blocks.items():
            if len(raw) > room or tag == STRIP:
                places[tag] = at + size + len(body)
                body += raw + b"\0" * (len(raw) % 2)
        following = at + size + len(body) if number < len(pages) else 0
        data += struct.pack(order + count, len(entries))
        for tag, kind, length in entries:
            data += struct.pack(order + entry, tag, kind, length)
            if tag in places:
                data += struct.pack(order + offset, places[tag])
            else:
                data += blocks[tag].ljust(room, b"\0")
        data += struct.pack(order + offset, following)
        data += body
    path.write_bytes(data)
    return path


STRIP = 273


def _entries(
    page: Page, order: str, big: bool
) -> tuple[list[tuple[int, int, int]], dict[int, bytes]]:
    values = np.asarray(page.values)
    values = values if values.ndim == 3 else values[np.newaxis]
    bands, height, width = values.shape
    kind = values.dtype
    raw = values.transpose(1, 2, 0).astype(kind.newbyteorder(order)).tobytes()
    tags: dict[int, Tag] = {
        256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [kind.itemsize * 8] * bands),
        259: (SHORT, [1]), 262: (SHORT, [1]), 277: (SHORT, [bands]), 278: (LONG, [height]),
        279: (LONG, [len(raw)]), 339: (SHORT, [_KINDS[kind.kind]] * bands),
    }  # fmt: skip
    if bands > 1:
        tags[338] = (SHORT, [0] * (bands - 1))
    tags |= page.tags
    blocks = {STRIP: raw}
    entries = [(STRIP, 16 if big else LONG, 1)]
    for tag, (code, value) in tags.items():
        if isinstance(value, bytes):
            blocks[tag] = value
        else:
            blocks[tag] = struct.pack(f"{order}{len(value)}{_CODES[code]}", *value)
        entries.append((tag, code, len(value)))
    return sorted(entries), blocks
