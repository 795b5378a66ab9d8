"""First pass over a CSV file: types of its columns, number of rows, SRIDs of its geometries.

What the survey decides holds for every row of the second pass, which is ``csv_rows``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.ingest.formats.csv_declared import DeclaredColumn
from spatial_pipeline.ingest.formats.csv_fields import Mask
from spatial_pipeline.ingest.formats.csv_geometry import PLAIN_STARTS, Coordinates, srids
from spatial_pipeline.ingest.formats.csv_layout import GeometryColumns
from spatial_pipeline.ingest.formats.csv_records import Block
from spatial_pipeline.ingest.formats.csv_text import shown, undecodable, with_nul
from spatial_pipeline.ingest.formats.csv_types import Guess, converted


@dataclass(frozen=True)
class Cells:
    """The n fields of a column in one block.

    Attributes:
        texts: (n,) text; null where a field is empty or cannot be read.
        undecodable: rows within the block that do not decode.
        nul: rows within the block that hold the character NUL.
        raw: (n,) the bytes.

    """

    texts: pa.Array
    undecodable: NDArray[np.int64]
    nul: NDArray[np.int64]
    raw: pa.Array

    def shown(self, rows: NDArray[np.int64]) -> list[str]:
        """The bytes of some fields, as messages show them."""
        return [shown(self.raw[row].as_py()) for row in rows.tolist()]


def cells(block: Block, column: int, null: Mask) -> Cells:
    """The fields of a column as text.

    Args:
        block: the records.
        column: index of the column.
        null: (n,) fields that stand for null.

    """
    raw = block.values(column)
    bad = undecodable(raw) if not block.data.isascii() else np.empty(0, dtype=np.int64)
    nul = with_nul(raw) if b"\0" in block.data else np.empty(0, dtype=np.int64)
    nul = np.setdiff1d(nul, bad)
    valid = ~null
    valid[bad] = False
    valid[nul] = False
    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    masked = pa.Array.from_buffers(pa.binary(), len(raw), [bits, *raw.buffers()[1:]])
    if len(bad):
        # The bytes behind a null are validated, too.
        masked = pa.array(masked.to_pylist(), pa.binary())
    return Cells(masked.cast(pa.string()), bad, nul, raw)


class CsvSurvey:
    """Facts about a CSV file that follow from all of its records.

    Args:
        names: names of the columns.
        types: type that is declared for each, empty when none are.
        place: where the geometry is.

    Attributes:
        count: rows.
        surplus: records with additional empty fields at their end.
        axes: columns of coordinates.
        srid: SRID of the first geometry that names one, 0 without.

    """

    def __init__(
        self, names: Sequence[str], types: Sequence[str], place: GeometryColumns | None
    ) -> None:
        self.count = 0
        self.surplus = 0
        self.srid = 0
        self.axes = {i: Coordinates() for i in (() if place is None else place.axes)}
        self._text = None if place is None else place.text
        free = [i for i in range(len(names)) if i not in self.axes and i != self._text]
        self._declared = {i: DeclaredColumn(names[i], types[i]) for i in free if types}
        self._guessed = [] if types else free
        self._guess = Guess()
        self._bare = np.zeros(len(names), dtype=bool)
        self._quoted = np.zeros(len(names), dtype=bool)

    def see(self, block: Block) -> None:
        """Takes the next records into account.

        Raises:
            SourceError: a value does not have its declared type.

        """
        self.count = block.first + len(block)
        self.surplus += block.surplus
        self._see_empty(block)
        for i, coordinates in self.axes.items():
            coordinates.see(cells(block, i, block.empty(i)).texts)
        for i, declared in self._declared.items():
            declared.see(cells(block, i, block.empty(i)).texts, block.first)
        if self._guessed:
            self._see_guessed(block)
        if self._text is not None and not self.srid:
            self._see_srid(block, self._text)

    def kind(self, column: int) -> pa.DataType:
        """Type of a column as staged."""
        if column in self.axes:
            return self.axes[column].kind
        if column in self._declared:
            return self._declared[column].kind
        if column in self._guessed and self.count:
            return self._guess.types()[self._guessed.index(column)]
        return pa.string()

    def notes(self) -> list[str]:
        """Sentences about what is odd in the file and loses nothing."""
        found = [
            f"column {d.name!r} holds time stamps with and without an offset, staged as text"
            for d in self._declared.values()
            if d.declared.casefold() == "datetime" and pa.types.is_string(d.kind)
        ]
        if self.surplus:
            found.append(f"{self.surplus} records end with additional empty fields, left out")
        return found

    def null(self, block: Block, column: int) -> Mask:
        """(n,) fields of a column that stand for null.

        An empty field does. A quoted one is an empty text where the file shows that it tells the
        two apart: in a column of text with empty fields of both kinds.
        """
        empty = block.empty(column)
        apart = self._bare[column] and self._quoted[column]
        if apart and pa.types.is_string(self.kind(column)):
            return empty & ~block.quoted(column)
        return empty

    def convert(self, column: int, texts: pa.Array) -> pa.Array:
        """Texts of a column as values of its type."""
        if column in self._declared:
            return self._declared[column].convert(texts)
        if column in self.axes and not pa.types.is_string(self.kind(column)):
            return self.axes[column].values(texts)[0]
        return converted(texts, self.kind(column))

    def _see_empty(self, block: Block) -> None:
        whole = np.ones(len(block), dtype=bool)
        whole[[r.row - block.first for r in block.ragged]] = False
        for i in range(len(self._bare)):
            empty = block.empty(i) & whole
            if empty.any():
                quoted = block.quoted(i)
                self._quoted[i] |= bool((empty & quoted).any())
                self._bare[i] |= bool((empty & ~quoted).any())

    def _see_guessed(self, block: Block) -> None:
        nothing = pa.nulls(len(block), pa.string())
        still = self._guess.open_columns(len(self._guessed))
        columns = [
            cells(block, i, block.empty(i)).texts if wanted else nothing
            for i, wanted in zip(self._guessed, still, strict=True)
        ]
        self._guess.see(pa.RecordBatch.from_arrays(columns, [str(i) for i in self._guessed]))

    def _see_srid(self, block: Block, column: int) -> None:
        if block.first_bytes(column) <= PLAIN_STARTS:
            return
        found = srids(cells(block, column, block.empty(column)).texts)
        named = np.flatnonzero(found)
        if len(named):
            self.srid = int(found[named[0]])
