"""Tags of a TIFF that GDAL changes while it reads them.

Source: TIFF 6.0, section 2; the BigTIFF design; GDAL's GDAL_NODATA tag (42113), an ASCII text.
"""

from __future__ import annotations

import struct
from pathlib import Path

NODATA = 42113
_ASCII = 2
_MOST = 256
"""Longest nodata text that is read."""


def nodata_text(file: Path) -> str | None:
    """Nodata of the first page as the file spells it; None without one, or where it is no TIFF."""
    try:
        with file.open("rb") as opened:
            head = opened.read(16)
            order = {b"II": "<", b"MM": ">"}.get(head[:2])
            if order is None or len(head) < 16:
                return None
            big = struct.unpack(order + "H", head[2:4])[0] == 43
            word, entry = ("Q", 20) if big else ("I", 12)
            start = struct.unpack_from(order + word, head, 8 if big else 4)[0]
            opened.seek(start)
            count_size = 8 if big else 2
            count = struct.unpack(order + ("Q" if big else "H"), opened.read(count_size))[0]
            entries = opened.read(min(count, 65536) * entry)
            for at in range(0, len(entries) - entry + 1, entry):
                tag, kind = struct.unpack_from(order + "HH", entries, at)
                if tag != NODATA or kind != _ASCII:
                    continue
                length = struct.unpack_from(order + word, entries, at + 4)[0]
                inline = 8 if big else 4
                value = entries[at + entry - inline : at + entry]
                if length > inline:
                    opened.seek(struct.unpack(order + word, value)[0])
                    value = opened.read(min(length, _MOST))
                return value[:length].split(b"\0")[0].decode("ascii", "replace").strip() or None
    except (OSError, struct.error, ValueError, OverflowError):
        return None
    return None


def nodata_number(text: str) -> int | float | None:
    """A nodata text as an exact number; None when it is none."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None
