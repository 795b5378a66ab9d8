"""Checksums and order of the chunks of a PNG, which GDAL compares in part only.

A header with other dimensions, or a file without its end, can decode to pixels that nobody wrote.
Structure: Portable Network Graphics, third edition (W3C), sections 5 and 11.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from pathlib import Path

from spatial_pipeline.errors import SourceError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = 1 << 20
"""Bytes that a checksum is taken of at once."""
_ONCE = frozenset({b"IHDR", b"PLTE", b"IEND", b"tRNS", b"gAMA", b"sBIT", b"bKGD", b"acTL"})
_HEADER_BYTES = 13
_HEAD_BYTES = 33


def verify_header(file: Path) -> None:
    """Checks the first chunk of a PNG, which has its size; does nothing for what is no PNG.

    Raises:
        SourceError: it is damaged.

    """
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    if not head.startswith(SIGNATURE):
        return
    name, length = head[12:16], int.from_bytes(head[8:12], "big")
    if (name, length) != (b"IHDR", _HEADER_BYTES):
        raise _damaged(f"its first chunk is {name!r}, not IHDR")
    if zlib.crc32(head[12:29]) != int.from_bytes(head[29:].ljust(4), "big"):
        raise _damaged("the checksum of chunk 1, IHDR, is wrong")


def verify(file: Path) -> None:
    """Checks every chunk of a PNG and the stream of its pixels.

    GDAL tells where pixels do not decode; this tells what it passes over.

    Raises:
        SourceError: a checksum is wrong, a chunk is cut, missing, doubled or out of its place.

    """
    with file.open("rb") as opened:
        if opened.read(len(SIGNATURE)) != SIGNATURE:
            return
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            chunks = _chunks(data)
            _in_order(chunks)
            _stream(data, chunks)


def verify_chunks(data: bytes) -> None:
    """Checks every chunk of a PNG in memory.

    Raises:
        SourceError: a checksum is wrong, a chunk is cut, missing, doubled or out of its place.

    """
    _in_order(_chunks(data))


def _stream(data: mmap.mmap, chunks: list[tuple[bytes, int]]) -> None:
    """Inflates the pixels for the sake of their Adler-32, which libpng need not reach."""
    stream = zlib.decompressobj()
    at = len(SIGNATURE)
    try:
        for name, length in chunks:
            end = at + 8 + length
            if name == b"IDAT":
                for start in range(at + 8, end, _CHUNK):
                    rest = data[start : min(start + _CHUNK, end)]
                    while rest and not stream.eof:
                        stream.decompress(rest, _CHUNK)
                        rest = stream.unconsumed_tail
            at = end + 4
        # What a bounded piece of output left inside.
        while not stream.eof and stream.decompress(b"", _CHUNK):
            continue
    except zlib.error as exc:
        raise _damaged(f"its pixels: {exc}") from exc
    if not stream.eof:
        raise _damaged("the stream of its pixels has no end")


def _chunks(data: mmap.mmap | bytes) -> list[tuple[bytes, int]]:
    """Name and length of each chunk up to the end of the picture, checksums compared."""
    found: list[tuple[bytes, int]] = []
    at = len(SIGNATURE)
    while not found or found[-1][0] != b"IEND":
        length, name = struct.unpack(">I4s", data[at : at + 8].ljust(8, b"\0"))
        end = at + 12 + length
        if at + 8 > len(data) or end > len(data):
            raise _damaged(f"it ends in chunk {len(found) + 1}, and has no IEND")
        if not (name.isalpha() and name.isascii()):
            raise _damaged(f"chunk {len(found) + 1} has the name {name!r}")
        checksum = zlib.crc32(name)
        for start in range(at + 8, end - 4, _CHUNK):
            checksum = zlib.crc32(data[start : min(start + _CHUNK, end - 4)], checksum)
        if checksum != struct.unpack(">I", data[end - 4 : end])[0]:
            raise _damaged(f"the checksum of chunk {len(found) + 1}, {name.decode()}, is wrong")
        found.append((name, length))
        at = end
    return found


def _in_order(chunks: list[tuple[bytes, int]]) -> None:
    names = [name for name, _ in chunks]
    if chunks[0] != (b"IHDR", _HEADER_BYTES):
        raise _damaged(f"its first chunk is {names[0].decode()}, not IHDR")
    for name in _ONCE:
        if names.count(name) > 1:
            raise _damaged(f"it has {names.count(name)} chunks {name.decode()}")
    data = [place for place, name in enumerate(names) if name == b"IDAT"]
    if not data:
        raise _damaged("it has no pixels (IDAT)")
    if data[-1] - data[0] + 1 != len(data):
        raise _damaged("other chunks stand between its pixels (IDAT)")
    if b"PLTE" in names and names.index(b"PLTE") > data[0]:
        raise _damaged("its palette (PLTE) stands behind its pixels")


def _damaged(reason: str) -> SourceError:
    return SourceError(f"the PNG is damaged: {reason}")
