"""Tables of dBase (.dbf), alone or beside a .shp file, read strictly and without GDAL.

The deletion marks, and those columns whose type depends on their values, are read once before the
rows. Every cell is kept as the file holds it, or named as a defect. The header is in
``dbase_header``, encodings in ``dbase_encoding``, cells in ``dbase_values``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats import dbase_values
from spatial_pipeline.ingest.formats.dbase_encoding import UTF8, Encoding, encoding_of
from spatial_pipeline.ingest.formats.dbase_header import MEMO, Field, header_of
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.gdal_messages import add
from spatial_pipeline.ingest.schema import distinct_names
from spatial_pipeline.sources.local import SourceFiles

BATCH_ROWS = 16384
CHUNK = 16 << 20
_INT32_WIDTH, _INT64_WIDTH, _DOUBLE_WIDTH = 9, 18, 16
"""Widest cells that always fit the type; 15 digits and a point are one double."""
_DELETED = ord("*")
_TYPES = {"C": pa.string(), MEMO: pa.string(), "D": pa.date32(), "L": pa.bool_()}


@contextmanager
def open_layer(resolved: SourceFiles, options: ReadOptions) -> Iterator[Layer]:
    """Opens a table without shapes for one pass.

    Args:
        resolved: the source, with its .cpg file.
        options: the layer, which is the name of the file without suffix, and the encoding.

    Raises:
        SourceError: the table is damaged or has fields of an unknown type.

    """
    file = resolved.files[0]
    if options.layer not in (None, file.stem):
        msg = f"no layer {options.layer!r} in it; there is {file.stem}"
        raise SourceError(msg)
    cpg = next((f for f in resolved.files[1:] if f.suffix.casefold() == ".cpg"), None)
    notes: list[str] = []
    defects = Defects()
    try:
        with file.open("rb") as opened:
            table = DbaseTable(opened, cpg, options.encoding, notes, defects)
            yield Layer(
                driver="ESRI Shapefile",
                name=None,
                crs=None,
                geometry_type=None,
                geometry=None,
                schema=table.schema,
                declared_count=table.count,
                declared_bounds=None,
                batches=table.batches(),
                notes=notes,
                defects=defects,
            )
    except OSError as exc:
        raise SourceError(exc.strerror or str(exc)) from exc


class DbaseTable:
    """A table whose header is sound; rows are records that are not marked as deleted.

    Args:
        file: the .dbf file; it stays open as long as rows are read.
        cpg: the .cpg file, None without one.
        encoding: encoding that the contract names.
        notes: grows by what is odd.
        defects: takes cells that are no value, with their row.

    Attributes:
        records: number of records, deleted ones included.
        live: (count,) ascending numbers of the records that are rows.
        schema: columns of the rows.

    Raises:
        SourceError: the table is damaged.

    """

    def __init__(
        self,
        file: IO[bytes],
        cpg: Path | None,
        encoding: str | None,
        notes: list[str],
        defects: Defects,
    ) -> None:
        self._file, self._notes, self._defects = file, notes, defects
        self._header = header_of(file, file.seek(0, os.SEEK_END))
        self.records = self._header.records
        stated = None if cpg is None else cpg.read_bytes()
        self._encoding = encoding_of(encoding, stated, self._header.language, notes)
        names = _names(self._header.fields, self._encoding)
        if self._header.trailing:
            notes.append(f"{self._header.trailing} bytes behind the last record of the .dbf file")
        marks, types = self._surveyed()
        self.live: NDArray[np.int64] = np.flatnonzero(marks != _DELETED)
        self._tell(marks)
        self.schema = pa.schema(list(zip(names, types, strict=True)))

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.live)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows."""
        for first in range(0, self.count, BATCH_ROWS):
            yield self.rows(first, min(self.count, first + BATCH_ROWS))

    def rows(self, first: int, last: int) -> pa.RecordBatch:
        """Rows from ``first`` up to ``last``, which is not among them; adds their defects."""
        records = self.live[first:last]
        raw = self._records(records)
        arrays = [
            self._column(raw, field, column, first)
            for field, column in zip(self._header.fields, self.schema, strict=True)
        ]
        if not arrays:
            return pa.RecordBatch.from_struct_array(pa.array([{}] * len(raw), pa.struct([])))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _records(self, records: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n, width) bytes of ascending records, between which any number may be deleted."""
        step = max(1, CHUNK // self._header.width)
        pieces = [np.empty((0, self._header.width), np.uint8)]
        done = 0
        while done < len(records):
            begin = int(records[done])
            after = int(np.searchsorted(records, begin + step))
            some = records[done:after]
            pieces.append(self._read(begin, int(some[-1]) + 1)[some - begin])
            done = after
        return np.concatenate(pieces)

    def _read(self, begin: int, end: int) -> NDArray[np.uint8]:
        """(end - begin, width) bytes of records.

        Raises:
            SourceError: they are not there any more.

        """
        width = self._header.width
        self._file.seek(self._header.start + begin * width)
        raw = self._file.read((end - begin) * width)
        if len(raw) != (end - begin) * width:
            msg = "the .dbf file changed while it was read"
            raise SourceError(msg)
        return np.frombuffer(raw, np.uint8).reshape(-1, width)

    def _surveyed(self) -> tuple[NDArray[np.uint8], list[pa.DataType]]:
        """Deletion marks of all records, and the types of the columns."""
        types = [_type_by_width(f) for f in self._header.fields]
        open_ones = [i for i, t in enumerate(types) if t is None]
        marks = [np.empty(0, np.uint8)]
        step = max(1, CHUNK // self._header.width)
        for first in range(0, self.records, step):
            raw = self._read(first, min(self.records, first + step))
            marks.append(raw[:, 0].copy())
            for i in open_ones:
                field = self._header.fields[i]
                cells = _cells(raw[raw[:, 0] != _DELETED], field)
                if types[i] != pa.string() and not _fits(cells, field):
                    types[i] = pa.string()
        final = [t or _wide_type(f) for t, f in zip(types, self._header.fields, strict=True)]
        return np.concatenate(marks), final

    def _tell(self, marks: NDArray[np.uint8]) -> None:
        """Notes on deletion marks."""
        if deleted := len(marks) - self.count:
            self._notes.append(f"{deleted} records are marked as deleted and left out")
        if odd := int((~np.isin(marks, [_DELETED, ord(" ")])).sum()):
            self._notes.append(f"{odd} records have an unknown deletion mark and are kept")

    def _column(
        self, raw: NDArray[np.uint8], field: Field, column: pa.Field, first: int
    ) -> pa.Array:
        if not field.width or not len(raw):
            return pa.nulls(len(raw), column.type)
        cells = _cells(raw, field)
        if field.kind == "C":
            found, other = dbase_values.strings(cells, self._encoding.codec, self._encoding.blame)
            if other and self._encoding.note:
                add(self._notes, self._encoding.note)
        elif field.kind == "D":
            found = dbase_values.days(cells)
        elif field.kind == "L":
            found = dbase_values.truths(cells)
        elif field.kind == MEMO:
            found = dbase_values.memos(cells)
        else:
            found = _numbers(cells, field, column.type)
        for reason, rows in found.wrong.items():
            texts = [_shown(cells[r].tobytes(), self._encoding) for r in rows[:1000].tolist()]
            self._defects.add(rows + first, column.name, texts, reason)
        return found.array


def _names(fields: tuple[Field, ...], encoding: Encoding) -> list[str]:
    """Names of the columns; an empty one gets its number.

    Raises:
        SourceError: a name does not decode.

    """
    names = []
    for number, field in enumerate(fields, 1):
        try:
            names.append(field.raw.decode(encoding.codec) or f"field_{number}")
        except UnicodeDecodeError as exc:
            shown = field.raw.decode("ascii", "backslashreplace")
            reason = f"has bytes that are not {encoding.codec.upper()}{encoding.blame}"
            msg = f"the name of the field '{shown}' of the .dbf file {reason}"
            raise SourceError(msg) from exc
    return distinct_names(names)


def _type_by_width(field: Field) -> pa.DataType | None:
    """The type of a column, None where it depends on the values."""
    if field.kind in _TYPES:
        return _TYPES[field.kind]
    if field.kind == "F" or field.decimals:
        return pa.float64() if field.width <= _DOUBLE_WIDTH else None
    if field.width > _INT64_WIDTH:
        return None
    return pa.int32() if field.width <= _INT32_WIDTH else pa.int64()


def _wide_type(field: Field) -> pa.DataType:
    """The type of a column of wide numbers that all fit it."""
    return pa.float64() if field.kind == "F" or field.decimals else pa.int64()


def _fits(cells: NDArray[np.uint8], field: Field) -> bool:
    """True when all wide numbers fit their type to the last digit."""
    if _wide_type(field) == pa.float64():
        return dbase_values.reals(cells, field.decimals)[2]
    return bool(dbase_values.whole_numbers(cells)[1].array.type == pa.int64())


def _numbers(cells: NDArray[np.uint8], field: Field, kind: pa.DataType) -> dbase_values.FieldValues:
    """Numbers of a type, or the texts of all numbers."""
    if _wide_type(field) == pa.float64():
        texts, found, _ = dbase_values.reals(cells, field.decimals)
    else:
        texts, found = dbase_values.whole_numbers(cells)
    array = texts if pa.types.is_string(kind) else found.array.cast(kind)
    return dbase_values.FieldValues(array, found.wrong)


def _cells(raw: NDArray[np.uint8], field: Field) -> NDArray[np.uint8]:
    return raw[:, field.start : field.start + field.width]


def _shown(cell: bytes, encoding: Encoding) -> str:
    codec = encoding.codec if encoding.codec != "ascii" else UTF8
    return cell.rstrip(b" \0").decode(codec, "backslashreplace").lstrip(" ")
