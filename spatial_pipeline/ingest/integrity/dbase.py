"""Values of a dBase table that GDAL changes: numbers and dates, compared as raw bytes.

Source: dBASE III Plus table structure; field types N, F, D and L.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.integrity.shapefile import Parts

CHUNK = 16 << 20
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE = r"^[+-]?[0-9]+$"
_DAY = r"^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$"
_INT64_DIGITS = 18


@dataclass(frozen=True)
class Field:
    """One field of a record: name, type letter, position and width in bytes, decimals."""

    name: str
    kind: str
    start: int
    width: int
    decimals: int


def audit(parts: Parts, defects: Defects, names: list[str]) -> dict[str, pa.Array]:
    """Adds values that are no number or no day, and reads integers beyond 2^53 exactly.

    Args:
        parts: the files of a Shapefile, or of a table alone.
        defects: takes the values, with rows counted without deleted records.
        names: names of the columns as staged, in the order of the fields.

    Returns:
        Columns that GDAL would round: exact integers, or texts where they exceed 64 bits.

    """
    exact: dict[str, pa.Array] = {}
    wide: dict[str, list[pa.Array]] = {}
    listed = fields(parts)
    row = 0
    for records in _records(parts):
        for field, name in zip(listed, names, strict=False):
            if field.kind not in "NFD":
                continue
            texts = _texts(records, field)
            _judge(field, name, texts, row, defects)
            if field.kind == "N" and not field.decimals and field.width > _INT64_DIGITS:
                wide.setdefault(name, []).append(texts)
        row += len(records)
    for name, chunks in wide.items():
        exact[name] = _exact(pa.chunked_array(chunks).combine_chunks())
    return exact


def fields(parts: Parts) -> list[Field]:
    """The fields that the header declares."""
    header = parts.bytes(".dbf", 0, 32)
    start = int.from_bytes(header[8:10], "little")
    raw = parts.bytes(".dbf", 32, max(0, start - 32))
    found: list[Field] = []
    at = 1
    for index in range(0, len(raw) - 31, 32):
        entry = raw[index : index + 32]
        if entry[:1] == b"\r":
            break
        name = entry[:11].split(b"\0")[0].decode("latin-1")
        found.append(Field(name, chr(entry[11]), at, entry[16], entry[17]))
        at += entry[16]
    return found


def _records(parts: Parts) -> Iterator[NDArray[np.uint8]]:
    """(n, width) bytes of the records that are not deleted, some at a time."""
    header = parts.bytes(".dbf", 0, 32)
    count = int.from_bytes(header[4:8], "little")
    start = int.from_bytes(header[8:10], "little")
    width = max(1, int.from_bytes(header[10:12], "little"))
    step = max(1, CHUNK // width)
    for first in range(0, count, step):
        raw = parts.bytes(".dbf", start + first * width, min(step, count - first) * width)
        records = np.frombuffer(raw[: len(raw) // width * width], np.uint8).reshape(-1, width)
        yield records[records[:, 0] != ord("*")]


def _texts(records: NDArray[np.uint8], field: Field) -> pa.Array:
    """(n,) texts of a field without padding; null where it is blank or NUL."""
    cells = np.ascontiguousarray(records[:, field.start : field.start + field.width])
    # Bytes that are no ASCII are no number either; as text they only have to be shown.
    cells = np.where(cells == 0, ord(" "), cells)
    joined = cells.astype(np.uint8).tobytes().decode("latin-1").encode()
    if len(joined) == cells.size:
        offsets = np.arange(0, cells.size + 1, max(1, field.width), dtype=np.int32)
        texts: Any = pa.Array.from_buffers(
            pa.string(), len(cells), [None, pa.py_buffer(offsets), pa.py_buffer(joined)]
        )
    else:
        texts = pa.array([bytes(c).decode("latin-1") for c in cells], pa.string())
    texts = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _judge(field: Field, name: str, texts: pa.Array, row: int, defects: Defects) -> None:
    if field.kind == "D":
        empty = pc.match_substring_regex(texts, r"^0+$")
        good = pc.match_substring_regex(texts, _DAY)
        day = pc.strptime(pc.if_else(good, texts, None), "%Y%m%d", "s", error_is_null=True)
        same = pc.equal(pc.strftime(day, "%Y%m%d"), texts)
        wrong = pc.and_not(pc.invert(pc.fill_null(same, False)), pc.fill_null(empty, True))
        reason = "is no date"
    else:
        whole = field.kind == "N" and not field.decimals
        stars = pc.match_substring_regex(texts, r"^\*+$")
        good = pc.match_substring_regex(texts, _WHOLE if whole else _NUMBER)
        wrong = pc.invert(pc.fill_null(pc.or_(good, stars), True))
        reason = "is no whole number" if whole else "is no number"
    wrong = pc.fill_null(pc.and_(wrong, texts.is_valid()), False)
    rows = np.flatnonzero(wrong.to_numpy(zero_copy_only=False))
    defects.add(row + rows, name, texts.take(pa.array(rows)).to_pylist(), reason)


def _exact(texts: pa.Array) -> pa.Array:
    """Whole numbers as int64, or as texts where one of them does not fit."""
    whole = pc.if_else(pc.match_substring_regex(texts, _WHOLE), texts, None)
    try:
        return whole.cast(pa.int64())
    except pa.ArrowInvalid:
        return whole
