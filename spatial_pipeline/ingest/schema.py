"""Columns in the form in which they are staged."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.defects import Defects


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """``wanted``, or with the first number that makes it differ caselessly from those taken."""
    used = {t.casefold() for t in taken}
    name, number = wanted, 1
    while name.casefold() in used:
        name = f"{wanted}_{number}"
        number += 1
    return name


def distinct_names(names: Sequence[str]) -> list[str]:
    """The names, later duplicates numbered."""
    out: list[str] = []
    for name in names:
        unique, number = name, 1
        while unique in out or (unique != name and unique in names):
            unique = f"{name}_{number}"
            number += 1
        out.append(unique)
    return out


def staged_type(kind: pa.DataType) -> pa.DataType:
    """The type in which a column is staged: views, dictionaries and extensions made plain."""
    if isinstance(kind, pa.BaseExtensionType):
        return staged_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return staged_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    return kind


def plain(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """An array as :func:`staged_type` says."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(array, pa.RunEndEncodedArray):
        array = pa.compute.run_end_decode(array)
    return array if array.type == kind else array.cast(kind)


def sound(batch: pa.RecordBatch, defects: Defects, first: int) -> pa.RecordBatch:
    """The batch, once its arrays are known to be what their types say.

    A text that is not UTF-8 is staged as null and named: readers of the staged file could not read
    it, and which characters were meant is not known.

    Args:
        batch: rows as they were read.
        defects: takes the texts.
        first: source row of the first row.

    Raises:
        SourceError: an array is damaged.

    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        pass
    else:
        return batch
    columns = []
    for column_field, column in zip(batch.schema, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as exc:
            if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
                msg = f"column {column_field.name!r} is damaged: {exc}"
                raise SourceError(msg) from exc
            columns.append(_texts(column, column_field.name, defects, first))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _texts(column: pa.Array, name: str, defects: Defects, first: int) -> pa.Array:
    texts: list[str | None] = []
    for row, raw in enumerate(column.cast(pa.large_binary()).to_pylist()):
        try:
            texts.append(None if raw is None else raw.decode())
        except UnicodeDecodeError:
            texts.append(None)
            shown = raw.decode("utf-8", "backslashreplace")
            defects.add([first + row], name, [shown], "is not UTF-8")
    return pa.array(texts, type=column.type)


def stageable(schema: pa.Schema) -> None:
    """Refuses columns that Parquet has no type for.

    Raises:
        SourceError: naming the column.

    """
    for column in schema:
        try:
            with pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([column])):
                pass
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as exc:
            msg = f"column {column.name!r} of type {column.type} cannot be staged: {exc}"
            raise SourceError(msg) from exc
