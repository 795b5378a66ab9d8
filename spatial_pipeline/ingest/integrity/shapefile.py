"""Consistency of the files of a Shapefile: headers, index, sizes and the header of every record.

Source: ESRI Shapefile Technical Description (1998). The table belongs to ``formats.dbase_header``,
what is inside of a record to ``formats.shapefile_shapes``.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.stretches import gathered

HEADER_BYTES = 100
RECORD_HEAD = 8
"""Bytes of record number and length, before the content of a record."""
_TYPE_BYTES = 4
"""Bytes of the shape type, with which the content begins."""
SUFFIXES = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qpj")
CHUNK = 16 << 20
NULL_SHAPE = 0
MULTIPATCH = 31
TYPES = {
    NULL_SHAPE: "Unknown", 1: "Point", 3: "LineString", 5: "Polygon", 8: "MultiPoint",
    11: "Point Z", 13: "LineString Z", 15: "Polygon Z", 18: "MultiPoint Z", 21: "Point M",
    23: "LineString M", 25: "Polygon M", 28: "MultiPoint M", MULTIPATCH: "Unknown",
}  # fmt: skip
"""Geometry types of the shape types."""
_MAGIC = b"\x00\x00\x27\x0a"


@dataclass(frozen=True)
class Index:
    """Offsets and lengths of the records of a .shp file.

    Attributes:
        kind: shape type of the file, a key of ``TYPES``.
        bounds: extent that the header declares, None when it is none.
        offsets: (n,) bytes before the content of each record.
        lengths: (n,) bytes of the content, 0 for a shape that is not there.
        damaged: (n,) bool, records whose head is not what the index says.

    """

    kind: int
    bounds: Bounds | None
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    damaged: NDArray[np.bool_]


def located(file: Path, files: tuple[Path, ...], notes: list[str]) -> dict[str, Path]:
    """The files of a Shapefile by suffix in lower case; those that do not exist are left out.

    Args:
        file: the .shp file.
        files: all files of the source.
        notes: grows by a word on files whose names differ by case only.

    """
    found: dict[str, Path] = {".shp": file}
    for path in sorted(files, key=lambda p: (p.stem != file.stem, p.name)):
        suffix = path.suffix.casefold()
        if path == file or suffix not in SUFFIXES or path.stem.casefold() != file.stem.casefold():
            continue
        if suffix in found:
            notes.append(f"{path.name} is not read: {found[suffix].name} is")
            continue
        found[suffix] = path
    for suffix, lost in ((".shx", "the index"), (".dbf", "the attributes")):
        if suffix not in found:
            msg = f"the {suffix} file with {lost} is missing"
            raise SourceError(msg)
    return found


def index_of(shp: IO[bytes], shx: IO[bytes], notes: list[str]) -> Index:
    """Reads the index and compares it with the records.

    Args:
        shp: the main file.
        shx: its index.
        notes: grows by what is odd and loses nothing.

    Raises:
        SourceError: a file has no header, is shorter than it says, or shapes lie outside of it.

    """
    size = _size(shp)
    header = _header(shp, size, ".shp", notes)
    _header(shx, _size(shx), ".shx", notes)
    kind = int.from_bytes(header[32:36], "little")
    if kind not in TYPES:
        msg = f"the .shp file has the unknown shape type {kind}"
        raise SourceError(msg)
    shx.seek(HEADER_BYTES)
    raw = shx.read()
    if len(raw) % 8:
        msg = f"the .shx file ends inside of entry {len(raw) // 8}"
        raise SourceError(msg)
    entries = np.frombuffer(raw, dtype=">i4").astype(np.int64)
    heads, lengths = 2 * entries[0::2], 2 * entries[1::2]
    outside = (heads < HEADER_BYTES) | (lengths < 0) | (heads + RECORD_HEAD + lengths > size)
    # An entry of zero length stands for a deleted shape in files of some writers.
    outside &= lengths != 0
    if outside.any():
        msg = (
            f"{int(outside.sum())} of {len(heads)} shapes lie outside of the .shp file, "
            f"first record {int(np.argmax(outside))}"
        )
        raise SourceError(msg)
    spare = size - HEADER_BYTES - int((lengths + RECORD_HEAD)[lengths > 0].sum())
    if spare > 0:
        notes.append(f"{spare} bytes of the .shp file are in no record of the index")
    damaged = _wrong_heads(shp, heads, lengths, kind, notes)
    bounds = _bounds(struct.unpack("<4d", header[36:68]))
    return Index(kind, bounds, heads + RECORD_HEAD, lengths, damaged)


def _size(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)


def _header(file: IO[bytes], size: int, suffix: str, notes: list[str]) -> bytes:
    """The header of a .shp or .shx file.

    Raises:
        SourceError: there is none, or the file is shorter than it says.

    """
    file.seek(0)
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or header[:4] != _MAGIC:
        msg = f"the {suffix} file has no Shapefile header"
        raise SourceError(msg)
    declared = 2 * int.from_bytes(header[24:28], "big")
    if declared > size:
        msg = f"the {suffix} file declares {declared} bytes and has {size}"
        raise SourceError(msg)
    if declared < size:
        notes.append(f"the {suffix} file declares {declared} bytes and has {size}")
    return header


def _wrong_heads(
    shp: IO[bytes],
    heads: NDArray[np.int64],
    lengths: NDArray[np.int64],
    kind: int,
    notes: list[str],
) -> NDArray[np.bool_]:
    """(n,) bool: records whose number, length or type differs from index and file header."""
    numbers = np.arange(len(heads)) + 1
    wrong = (lengths > 0) & (lengths < _TYPE_BYTES)
    present = np.flatnonzero(lengths >= _TYPE_BYTES)
    present = present[np.argsort(heads[present], kind="stable")]
    at = 0
    while at < len(present):
        start = int(heads[present[at]])
        stop = int(np.searchsorted(heads[present], start + CHUNK - 12, side="right"))
        records = present[at:stop]
        shp.seek(start)
        found = gathered(shp.read(CHUNK), heads[records] - start, 12)
        numbers[records] = found[:, :4].copy().view(">i4")[:, 0]
        length = 2 * found[:, 4:8].copy().view(">i4")[:, 0].astype(np.int64)
        shape = found[:, 8:].copy().view("<i4")[:, 0]
        wrong[records] = (length != lengths[records]) | ((shape != kind) & (shape != NULL_SHAPE))
        at = stop
    index = np.arange(len(heads))
    if len(present) and (numbers[present] == index[present]).all():
        notes.append("the records of the .shp file are numbered from 0")
        return wrong
    wrong |= numbers != index + 1
    return wrong


def _bounds(value: tuple[float, ...]) -> Bounds | None:
    """Declared bounds; NaN, infinite and reversed ones are none."""
    xmin, ymin, xmax, ymax = value
    if not all(map(math.isfinite, value)) or xmin > xmax or ymin > ymax:
        return None
    return xmin, ymin, xmax, ymax
