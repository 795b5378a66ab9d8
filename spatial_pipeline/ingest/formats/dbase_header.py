"""Header of a dBase table: fields, sizes and the promised number of records, all checked.

Source: dBASE III Plus and dBASE IV table structure. Tables of Visual FoxPro and dBASE 7 hold binary
values and are refused by the types of their fields. Values belong to ``dbase_values``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from spatial_pipeline.errors import SourceError

HEAD_BYTES = 32
"""Bytes of the header before the fields, and of each field."""
MEMO = "M"
KINDS = frozenset("CNFDL" + MEMO)
"""Type letters that are read: text, number, float, day, truth value, text in a memo file."""
_END = 0x0D
_END_OF_FILE = 0x1A


@dataclass(frozen=True)
class Field:
    """One field of a record.

    Attributes:
        raw: bytes of its name.
        kind: type letter, one of ``KINDS``.
        start: position in the record, in bytes.
        width: bytes.
        decimals: digits behind the point.

    """

    raw: bytes
    kind: str
    start: int
    width: int
    decimals: int


@dataclass(frozen=True)
class Header:
    """Header of a table, once the file is known to agree with it.

    Attributes:
        fields: the fields in the order of the record.
        records: number of records, those included that are marked as deleted.
        start: position of the first record, in bytes.
        width: bytes of a record, its deletion mark included.
        language: language driver id, 0 when none is stated.
        trailing: bytes behind the last record that are no end mark.

    """

    fields: tuple[Field, ...]
    records: int
    start: int
    width: int
    language: int
    trailing: int


def header_of(file: IO[bytes], size: int) -> Header:
    """Reads and checks the header.

    Args:
        file: the .dbf file.
        size: its bytes.

    Raises:
        SourceError: the header is damaged, or the file holds fewer or more records than it says.

    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    start = int.from_bytes(head[8:10], "little")
    if len(head) < HEAD_BYTES or start <= HEAD_BYTES or start > size:
        msg = "the .dbf file has no header"
        raise SourceError(msg)
    records = int.from_bytes(head[4:8], "little")
    width = int.from_bytes(head[10:12], "little")
    fields = _fields(file.read(start - HEAD_BYTES))
    taken = 1 + sum(f.width for f in fields)
    if taken != width:
        msg = f"the .dbf file declares records of {width} bytes, its fields take {taken}"
        raise SourceError(msg)
    trailing = _trailing(file, size, start, width, records)
    return Header(fields, records, start, width, head[29], trailing)


def _fields(raw: bytes) -> tuple[Field, ...]:
    """The fields of a header, up to its end mark.

    Raises:
        SourceError: there is no end mark, or a field has an unknown type.

    """
    found: list[Field] = []
    at = 1
    for index in range(0, len(raw), HEAD_BYTES):
        if raw[index] == _END:
            return tuple(found)
        entry = raw[index : index + HEAD_BYTES]
        if len(entry) < HEAD_BYTES:
            msg = "the fields of the .dbf file have no end mark"
            raise SourceError(msg)
        name, kind = entry[:11].split(b"\0")[0].rstrip(b" "), chr(entry[11])
        if kind not in KINDS:
            shown = name.decode("latin-1")
            msg = f"field {shown!r} of the .dbf file has the type {kind!r}, which is not read"
            raise SourceError(msg)
        found.append(Field(name, kind, at, entry[16], entry[17]))
        at += entry[16]
    # Some writers leave the end mark out.
    return tuple(found)


def _trailing(file: IO[bytes], size: int, start: int, width: int, records: int) -> int:
    """Bytes behind the last record that are no end mark.

    Raises:
        SourceError: the file holds fewer records than declared, or more and no end mark.

    """
    rest = size - start - records * width
    whole = max(0, size - start) // width
    if rest < 0:
        msg = f"the .dbf file declares {records} records and holds {whole}"
        raise SourceError(msg)
    file.seek(size - rest)
    if rest == 0 or file.read(1)[0] == _END_OF_FILE:
        return max(0, rest - 1)
    if rest >= width:
        msg = f"the .dbf file declares {records} records and has the bytes of {whole}"
        raise SourceError(msg)
    return rest
