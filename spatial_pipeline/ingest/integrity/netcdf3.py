"""Bytes that the header of a netCDF classic file promises.

The library fills what is missing with zeros. Structure: NetCDF Classic Format Specification
(UCAR), with 64-bit offsets (CDF-2) and 64-bit data (CDF-5).
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError

_VERSIONS = {b"CDF\x01": (4, 4), b"CDF\x02": (4, 8), b"CDF\x05": (8, 8)}
"""Bytes of a count and of an offset, by signature."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
"""Bytes of a value, by the number of its type."""
_FIRST_OF_CDF5 = 7
_CODES = {1: ">i1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8", 7: ">u1", 8: ">u2", 9: ">u4",
          10: ">i8", 11: ">u8"}  # fmt: skip
_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12
_MOST = 1 << 20
"""Entries of one list of the header: more are damage."""


@dataclass(frozen=True)
class _Variable:
    """One variable; ``axis`` is the type of one that is named as its only dimension."""

    name: str
    size: int
    record: bool
    begin: int
    axis: str | None = None


def verify(file: Path) -> None:
    """Compares the length of a file with its header; does nothing for what is not netCDF classic.

    Raises:
        SourceError: the header does not parse, or values of a variable are missing.

    """
    with file.open("rb") as opened:
        widths = _VERSIONS.get(opened.read(4))
        if widths is None:
            return
        length = os.fstat(opened.fileno()).st_size
        try:
            records, variables = _Header(opened, *widths).read()
        except (struct.error, UnicodeDecodeError, KeyError, IndexError) as exc:
            msg = f"the netCDF header is damaged or cut: {type(exc).__name__} {exc}"
            raise SourceError(msg) from exc
    _present(variables, records, length)


def axes(file: Path) -> dict[str, NDArray[Any]]:
    """Coordinates of the dimensions that have some and no records, by name.

    Args:
        file: a file that :func:`verify` found sound, or one of another format: that has none.

    """
    with file.open("rb") as opened:
        widths = _VERSIONS.get(opened.read(4))
        if widths is None:
            return {}
        found = {}
        for variable in _Header(opened, *widths).read()[1]:
            if variable.axis is not None and not variable.record:
                opened.seek(variable.begin)
                data = opened.read(variable.size)
                found[variable.name] = np.frombuffer(data, variable.axis)
        return found


def _present(variables: list[_Variable], records: int | None, length: int) -> None:
    recorded = [v for v in variables if v.record]
    # The only variable with records has no padding between them.
    step = recorded[0].size if len(recorded) == 1 else sum(-(-v.size // 4) * 4 for v in recorded)
    for variable in variables:
        end = variable.begin + variable.size
        if variable.record:
            if not records:
                continue
            end += (records - 1) * step
        if variable.size and end > length:
            msg = (
                f"values of {variable.name} are missing: its header promises bytes up to {end}, "
                f"the file has {length}"
            )
            raise SourceError(msg)


class _Header:
    """Reads a header from its fifth byte on."""

    def __init__(self, stream: BinaryIO, count: int, offset: int) -> None:
        self._stream = stream
        self._count = count
        self._offset = offset

    def read(self) -> tuple[int | None, list[_Variable]]:
        """Number of records, None when the file does not say it, and the variables."""
        records = self._number(self._count)
        streaming = records == (1 << (8 * self._count)) - 1
        declared = [(self._name(), self._number(self._count)) for _ in self._list(_DIMENSIONS)]
        names, dimensions = [name for name, _ in declared], [length for _, length in declared]
        self._attributes()
        variables = []
        for _ in self._list(_VARIABLES):
            name = self._name()
            places = [self._number(self._count) for _ in range(self._bounded())]
            self._attributes()
            kind = self._type()
            self._number(self._count)
            begin = self._number(self._offset)
            lengths = [dimensions[place] for place in places]
            named = len(places) == 1 and names[places[0]] == name
            axis = _CODES.get(kind) if named else None
            record = bool(lengths) and not lengths[0]
            size = math.prod(lengths[1:] if record else lengths) * _SIZES[kind]
            variables.append(_Variable(name, size, record, begin, axis))
        return None if streaming else records, variables

    def _attributes(self) -> None:
        for _ in self._list(_ATTRIBUTES):
            self._name()
            size = _SIZES[self._type()] * self._number(self._count)
            self._bytes(-(-size // 4) * 4)

    def _list(self, tag: int) -> range:
        found, count = self._number(4), self._bounded()
        if found != tag and (found or count):
            raise struct.error(f"a list has the tag {found}, not {tag}")
        return range(count)

    def _bounded(self) -> int:
        count = self._number(self._count)
        if count > _MOST:
            raise struct.error(f"a list of {count} entries")
        return count

    def _name(self) -> str:
        size = self._bounded()
        text = self._bytes(-(-size // 4) * 4)[:size].decode()
        if "\0" in text:
            raise struct.error(f"a name with NUL, {text!r}")
        return text

    def _type(self) -> int:
        """Number of a type; those from 7 on are of CDF-5 only."""
        kind = self._number(4)
        if kind not in _SIZES or (kind >= _FIRST_OF_CDF5 and self._count == 4):
            raise struct.error(f"a type {kind}")
        return kind

    def _number(self, width: int) -> int:
        return int.from_bytes(self._bytes(width), "big")

    def _bytes(self, size: int) -> bytes:
        data = self._stream.read(size) if size < 1 << 31 else b""
        if len(data) != size:
            raise struct.error("it ends in the header")
        return data
