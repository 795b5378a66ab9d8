"""The directories of a TIFF, read beside GDAL: pages in their chain, and tags as the file has them.

Nothing is decoded here but the entries that are asked for. Structure: TIFF 6.0 (Aldus, 1992),
section 2, and the BigTIFF design; pages and reduced images: tags 254 and 255.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT, NODATA = 254, 255, 256, 257, 42113
PIXEL_SCALE, TRANSFORMATION = 33550, 34264
_WANTED = frozenset(
    {NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT, NODATA, PIXEL_SCALE, TRANSFORMATION}
)
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q",
            18: "Q"}  # fmt: skip
_ASCII = 2
_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2
MAX_DIRECTORIES = 65_536
MAX_ENTRIES = 4_096
MAX_VALUE_BYTES = 1 << 16
"""Largest value that is read: longer ones are no numbers or texts of a page."""
Value = bytes | tuple[float, ...]


@dataclass(frozen=True)
class Directory:
    """One page of a TIFF.

    Attributes:
        number: 1-based place in the chain, as in GDAL's ``GTIFF_DIR:number:path``.
        offset: where it is in the file.
        width: columns, 0 when it does not say.
        height: rows, 0 when it does not say.
        image: True for data, False for an overview or a mask of another page.
        mask: True for the mask of a page.
        nodata: text of GDAL's tag 42113, None when there is none.
        pixel_scale: GeoTIFF's ModelPixelScale, empty when there is none.
        transformation: GeoTIFF's ModelTransformation, empty when there is none.

    """

    number: int
    offset: int
    width: int
    height: int
    image: bool
    mask: bool = False
    nodata: bytes | None = None
    pixel_scale: tuple[float, ...] = ()
    transformation: tuple[float, ...] = ()


@dataclass(frozen=True)
class TagEntry:
    """One entry of a directory as it stands there.

    Attributes:
        tag: number of the tag.
        kind: number of the type of its values.
        count: number of values.
        inline: 4 or 8 bytes: the values where they fit, else their offset in the file.

    """

    tag: int
    kind: int
    count: int
    inline: bytes


@dataclass(frozen=True)
class DirectoryChain:
    """All directories of a file, in order.

    Attributes:
        directories: those that can be read.
        damage: why there may be more, None when the chain has an end.

    """

    directories: tuple[Directory, ...]
    damage: str | None = None


def chain(file: Path) -> DirectoryChain | None:
    """The directories of a TIFF or BigTIFF; None for any other file."""
    with file.open("rb") as opened:
        found = _reader(opened)
        return None if found is None else found[0].chain(found[1])


def entries(file: Path, offset: int) -> tuple[str, list[TagEntry]]:
    """Byte order (``<`` or ``>``) and entries of one directory of a chain, in order."""
    with file.open("rb") as opened:
        found = _reader(opened)
        return ("<", []) if found is None else (found[0].order, found[0].entries(offset)[0])


def numbers(file: Path, page: int, tags: frozenset[int]) -> dict[int, tuple[float, ...]] | None:
    """Values of tags of one page; characters of a text as numbers. None without that page."""
    found = chain(file)
    place = (
        None
        if found is None
        else next((d.offset for d in found.directories if d.number == page), None)
    )
    return None if place is None else numbers_at(file, place, tags)


def numbers_at(
    file: Path, offset: int, tags: frozenset[int]
) -> dict[int, tuple[float, ...]] | None:
    """Values of tags of the directory at an offset; see :func:`numbers`."""
    with file.open("rb") as opened:
        opening = _reader(opened)
        return None if opening is None else opening[0].numbers(offset, tags)


def _reader(opened: BinaryIO) -> tuple[_DirectoryReader, int] | None:
    """Reads a file's directories; with the offset of the first."""
    head = opened.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    magic = struct.unpack(order + "H", head[2:4])[0]
    if magic == 42:
        layout, first = _CLASSIC, struct.unpack(order + "I", head[4:8])[0]
    elif magic == 43 and len(head) == 16:
        layout, first = _BIG, struct.unpack(order + "Q", head[8:16])[0]
    else:
        return None
    return _DirectoryReader(opened.fileno(), order, layout), first


@dataclass(frozen=True)
class _Layout:
    """Sizes and formats of a directory in one of the two flavours."""

    count: str
    entry: str
    offset: str


_CLASSIC = _Layout("H", "HHI4s", "I")
_BIG = _Layout("Q", "HHQ8s", "Q")


class _DamagedDirectoryError(Exception):
    """A directory that cannot be read."""


class _DirectoryReader:
    def __init__(self, descriptor: int, order: str, layout: _Layout) -> None:
        self._descriptor = descriptor
        self._order = order
        self._layout = layout
        self._size = os.fstat(descriptor).st_size

    def chain(self, offset: int) -> DirectoryChain:
        found: list[Directory] = []
        seen: set[int] = set()
        while offset:
            place = f"directory {len(found) + 1}"
            if offset in seen:
                return DirectoryChain(tuple(found), f"{place} is one that came before")
            if len(found) == MAX_DIRECTORIES:
                return DirectoryChain(tuple(found), f"more than {MAX_DIRECTORIES} directories")
            seen.add(offset)
            try:
                directory, offset = self._directory(len(found) + 1, offset)
            except _DamagedDirectoryError as exc:
                return DirectoryChain(tuple(found), f"{place} {exc}")
            found.append(directory)
        return DirectoryChain(tuple(found))

    @property
    def order(self) -> str:
        """Byte order: ``<`` or ``>``."""
        return self._order

    def entries(self, offset: int) -> tuple[list[TagEntry], int]:
        """Entries of a directory, and the offset of the next one."""
        count_size = struct.calcsize(self._order + self._layout.count)
        entry = struct.Struct(self._order + self._layout.entry)
        (count,) = struct.unpack(self._order + self._layout.count, self._bytes(offset, count_size))
        if not 0 < count <= MAX_ENTRIES:
            msg = f"has {count} entries"
            raise _DamagedDirectoryError(msg)
        next_size = struct.calcsize(self._order + self._layout.offset)
        raw = self._bytes(offset + count_size, entry.size * count + next_size)
        found = [TagEntry(*entry.unpack_from(raw, place * entry.size)) for place in range(count)]
        (following,) = struct.unpack(self._order + self._layout.offset, raw[entry.size * count :])
        return found, following

    def numbers(self, offset: int, tags: frozenset[int]) -> dict[int, tuple[float, ...]]:
        """Values of the tags of a directory that can be read."""
        try:
            found, _ = self.entries(offset)
        except _DamagedDirectoryError:
            return {}
        values = {e.tag: self._value(e.kind, e.count, e.inline) for e in found if e.tag in tags}
        return {tag: tuple(map(float, value)) for tag, value in values.items()}

    def _directory(self, number: int, offset: int) -> tuple[Directory, int]:
        found, following = self.entries(offset)
        values: dict[int, Value] = {}
        for each in found:
            if each.tag in _WANTED:
                values.setdefault(each.tag, self._value(each.kind, each.count, each.inline))
        new, old = _number(values, NEW_SUBFILE_TYPE), _number(values, SUBFILE_TYPE)
        text = values.get(NODATA)
        return Directory(
            number,
            offset,
            _number(values, WIDTH),
            _number(values, HEIGHT),
            not new & (_REDUCED | _MASK) and old != _OLD_REDUCED,
            bool(new & _MASK) and not new & _REDUCED,
            text if isinstance(text, bytes) else None,
            _numbers(values, PIXEL_SCALE),
            _numbers(values, TRANSFORMATION),
        ), following

    def _value(self, kind: int, length: int, inline: bytes) -> Value:
        """A text as bytes up to its NUL, or numbers; none when it cannot be read."""
        size = (1 if kind == _ASCII else struct.calcsize(_NUMBERS.get(kind, ""))) * length
        if not 0 < size <= MAX_VALUE_BYTES:
            return ()
        if size <= len(inline):
            data = inline[:size]
        else:
            (offset,) = struct.unpack(self._order + self._layout.offset, inline)
            try:
                data = self._bytes(offset, size)
            except _DamagedDirectoryError:
                return ()
        if kind == _ASCII:
            return data.partition(b"\0")[0]
        return struct.unpack(f"{self._order}{length}{_NUMBERS[kind]}", data)

    def _bytes(self, offset: int, size: int) -> bytes:
        if offset + size > self._size:
            msg = f"lies outside of the file: {size} bytes at {offset} of {self._size}"
            raise _DamagedDirectoryError(msg)
        return os.pread(self._descriptor, size, offset)


def _numbers(values: dict[int, Value], tag: int) -> tuple[float, ...]:
    value = values.get(tag, ())
    return () if isinstance(value, bytes) else value


def _number(values: dict[int, Value], tag: int) -> int:
    found = _numbers(values, tag)
    return int(found[0]) if found and math.isfinite(found[0]) else 0
