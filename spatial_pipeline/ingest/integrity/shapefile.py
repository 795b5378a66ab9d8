"""Whether the three files of a Shapefile agree; GDAL reads one that does not without a word.

Source: ESRI Shapefile Technical Description (1998); dBASE III Plus table structure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError

HEADER_BYTES = 100
RECORD_HEAD = 12
"""Bytes of record number, length and shape type."""
CHUNK = 16 << 20
_NULL_SHAPE = 0


class Parts:
    """The main file, index and table of a Shapefile."""

    def __init__(self, opened: dict[str, IO[bytes]]) -> None:
        self._opened = opened

    def __contains__(self, suffix: str) -> bool:
        return suffix in self._opened

    def size(self, suffix: str) -> int:
        """Bytes of a part."""
        stream = self._opened[suffix]
        return stream.seek(0, os.SEEK_END)

    def bytes(self, suffix: str, start: int = 0, count: int = -1) -> bytes:
        """Bytes of a part from ``start``."""
        stream = self._opened[suffix]
        stream.seek(start)
        return stream.read(count)


@dataclass(frozen=True)
class Verified:
    """What is known of a Shapefile whose parts agree.

    Attributes:
        count: records that are not deleted.
        damaged: 0-based rows, deleted records not counted, whose shape is not what the index says.

    """

    count: int
    damaged: tuple[int, ...]


def verify(parts: Parts) -> Verified:
    """Compares headers, index, sizes and record headers of the parts.

    Raises:
        SourceError: a part is missing or shorter than it or another part says.

    """
    for suffix, lost in ((".shx", "the index"), (".dbf", "the attributes")):
        if suffix not in parts:
            msg = f"the {suffix} file with {lost} is missing"
            raise SourceError(msg)
    damaged = _main_file(parts)
    shapes = (parts.size(".shx") - HEADER_BYTES) // 8
    records = _table(parts)
    if shapes != records:
        msg = f"the .shx file lists {shapes} shapes, the .dbf file {records} records"
        raise SourceError(msg)
    kept = ~_deleted(parts, records)
    rows = np.cumsum(kept) - 1
    return Verified(int(kept.sum()), tuple(int(r) for r in rows[damaged[kept[damaged]]]))


def _main_file(parts: Parts) -> NDArray[np.int64]:
    """Records whose header is not what the index says."""
    for suffix in (".shp", ".shx"):
        header = parts.bytes(suffix, 0, HEADER_BYTES)
        if len(header) < HEADER_BYTES or header[:4] != b"\x00\x00\x27\x0a":
            msg = f"the {suffix} file has no Shapefile header"
            raise SourceError(msg)
        declared = 2 * int.from_bytes(header[24:28], "big")
        if declared > parts.size(suffix):
            msg = f"the {suffix} file declares {declared} bytes and has {parts.size(suffix)}"
            raise SourceError(msg)
    size = parts.size(".shp")
    index = parts.bytes(".shx", HEADER_BYTES)
    entries = np.frombuffer(index[: len(index) // 8 * 8], dtype=">i4").astype(np.int64)
    offsets, lengths = 2 * entries[0::2], 2 * entries[1::2]
    outside = np.flatnonzero(
        (offsets < HEADER_BYTES) | (lengths < 0) | (offsets + 8 + lengths > size)
    )
    # An entry of zero length stands for a deleted shape in files of some writers.
    outside = outside[lengths[outside] != 0]
    if len(outside):
        msg = (
            f"{len(outside)} of {len(offsets)} shapes lie outside of the .shp file, "
            f"first record {int(outside[0])}"
        )
        raise SourceError(msg)
    kind = int.from_bytes(parts.bytes(".shp", 32, 4), "little")
    return _wrong_headers(parts, offsets, lengths, kind)


def _wrong_headers(
    parts: Parts, offsets: NDArray[np.int64], lengths: NDArray[np.int64], kind: int
) -> NDArray[np.int64]:
    """Records whose length or shape type differs from the index and the file header."""
    wrong = np.zeros(len(offsets), dtype=bool)
    present = np.flatnonzero(lengths > 0)
    present = present[np.argsort(offsets[present], kind="stable")]
    at = 0
    while at < len(present):
        start = int(offsets[present[at]])
        stop = int(np.searchsorted(offsets[present], start + CHUNK - RECORD_HEAD, side="right"))
        records = present[at:stop]
        chunk = np.frombuffer(parts.bytes(".shp", start, CHUNK), dtype=np.uint8)
        heads = chunk[(offsets[records] - start)[:, None] + np.arange(RECORD_HEAD)]
        length = 2 * np.ascontiguousarray(heads[:, 4:8]).view(">i4")[:, 0].astype(np.int64)
        shape = np.ascontiguousarray(heads[:, 8:12]).view("<i4")[:, 0]
        wrong[records] = (length != lengths[records]) | ((shape != kind) & (shape != _NULL_SHAPE))
        at = stop
    return np.flatnonzero(wrong)


def _deleted(parts: Parts, records: int) -> NDArray[np.bool_]:
    """(records,) bool: those that the table marks as deleted, which GDAL leaves out."""
    header = parts.bytes(".dbf", 0, 32)
    start = int.from_bytes(header[8:10], "little")
    width = max(1, int.from_bytes(header[10:12], "little"))
    flags = []
    step = max(1, CHUNK // width)
    for first in range(0, records, step):
        count = min(step, records - first)
        chunk = parts.bytes(".dbf", start + first * width, count * width)
        flags.append(np.frombuffer(chunk, dtype=np.uint8)[::width] == ord("*"))
    return np.concatenate([np.empty(0, dtype=bool), *flags])


def _table(parts: Parts) -> int:
    """Records of the .dbf file."""
    header = parts.bytes(".dbf", 0, 32)
    if len(header) < 32:
        msg = "the .dbf file has no header"
        raise SourceError(msg)
    records = int.from_bytes(header[4:8], "little")
    start = int.from_bytes(header[8:10], "little")
    width = int.from_bytes(header[10:12], "little")
    if start + records * width > parts.size(".dbf"):
        whole = max(0, parts.size(".dbf") - start) // max(1, width)
        msg = f"the .dbf file declares {records} records and holds {whole}"
        raise SourceError(msg)
    return records


@contextmanager
def opened(file: Path) -> Iterator[Parts]:
    """The parts of a Shapefile; those that do not exist are left out.

    Args:
        file: the .shp file.

    """
    with ExitStack() as stack:
        found: dict[str, IO[bytes]] = {}
        for path in file.parent.iterdir():
            suffix = path.suffix.casefold()
            if path.stem.casefold() == file.stem.casefold() and suffix in {".shp", ".shx", ".dbf"}:
                found[suffix] = stack.enter_context(path.open("rb"))
        yield Parts(found)
