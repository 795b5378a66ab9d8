"""Second pass over a CSV file: its rows as Arrow batches, and the values that cannot be kept."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats import csv_geometry
from spatial_pipeline.ingest.formats.csv_layout import CsvLayout, GeometryColumns
from spatial_pipeline.ingest.formats.csv_records import Block
from spatial_pipeline.ingest.formats.csv_survey import Cells, CsvSurvey, cells

NUL_REASON = "holds the character NUL"


class Rows:
    """Makes batches of records.

    Args:
        layout: columns of the file.
        place: where the geometry is.
        survey: the first pass, finished.

    Attributes:
        schema: attributes in the order of the file, then the geometry.
        defects: values that cannot be kept.
        halves: rows with some of their coordinates only.

    """

    def __init__(self, layout: CsvLayout, place: GeometryColumns | None, survey: CsvSurvey) -> None:
        self.defects = Defects()
        self.halves = 0
        self._layout = layout
        self._place = place
        self._survey = survey
        self._lost: list[NDArray[np.int64]] = []
        gone = None if place is None or place.staged else place.text
        self._staged = [i for i in range(len(layout.names)) if i != gone]
        fields = [pa.field(layout.names[i], survey.kind(i)) for i in self._staged]
        if place is not None:
            fields.append(pa.field(place.name, pa.binary()))
        self.schema = pa.schema(fields)

    def lost(self) -> list[int]:
        """Rows whose geometry is there and cannot be read."""
        return sorted({int(row) for rows in self._lost for row in rows})

    def batch(self, block: Block) -> pa.RecordBatch:
        """The rows of a block."""
        self._name_ragged(block)
        arrays = []
        for i in self._staged:
            found = cells(block, i, self._survey.null(block, i))
            self._name_bad(block, found, self._layout.names[i])
            arrays.append(self._survey.convert(i, found.texts))
        if self._place is not None:
            arrays.append(self._geometries(block, self._place))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _geometries(self, block: Block, place: GeometryColumns) -> pa.Array:
        if place.text is None:
            return self._points(block, place)
        return self._texts(block, place, place.text)

    def _name_ragged(self, block: Block) -> None:
        names = self._layout.names
        for record in block.ragged:
            reason = f"is a record with {record.fields} fields instead of {len(names)}"
            column = names[min(record.fields, len(names) - 1)]
            self.defects.add([record.row], column, [record.text], reason)

    def _name_bad(self, block: Block, found: Cells, column: str) -> None:
        """Adds the fields of a column that cannot be read to the defects."""
        for rows, reason in (
            (found.undecodable, f"is not {self._layout.encoding.upper()}"),
            (found.nul, NUL_REASON),
        ):
            if len(rows):
                self.defects.add(block.first + rows, column, found.shown(rows), reason)

    def _lose(self, block: Block, column: str, reasons: dict[int, str], texts: pa.Array) -> None:
        """Adds geometries that cannot be read to the defects and to the lost rows."""
        by_reason: dict[str, list[int]] = {}
        for row, reason in sorted(reasons.items()):
            by_reason.setdefault(reason, []).append(row)
        for reason, rows in by_reason.items():
            shown = (texts[row].as_py() for row in rows)
            self.defects.add(block.first + np.asarray(rows), column, shown, reason)
        self._lost.append(block.first + np.asarray(sorted(reasons), dtype=np.int64))

    def _points(self, block: Block, place: GeometryColumns) -> pa.Array:
        """Points of the columns of coordinates."""
        axes, present = [], []
        for i in place.axes:
            found = cells(block, i, block.empty(i))
            values, bad = self._survey.axes[i].values(found.texts)
            if bad.any():
                reason = f"is not a coordinate (column {self._layout.names[i]!r})"
                rows = dict.fromkeys(np.flatnonzero(bad).tolist(), reason)
                self._lose(block, place.name, rows, found.texts)
            axes.append(values)
            present.append(~block.empty(i))
        self.halves += int((np.any(present, axis=0) & ~np.all(present, axis=0)).sum())
        return csv_geometry.points(axes)

    def _texts(self, block: Block, place: GeometryColumns, column: int) -> pa.Array:
        """Geometries of a column of texts."""
        found = cells(block, column, block.empty(column))
        if not place.staged:
            self._name_bad(block, found, place.name)
            self._lost += [block.first + found.undecodable, block.first + found.nul]
        plain = block.first_bytes(column) <= csv_geometry.PLAIN_STARTS
        read = csv_geometry.read_texts(found.texts, plain)
        reasons = dict(read.reasons)
        for row in np.flatnonzero((read.srids > 0) & (read.srids != self._survey.srid)).tolist():
            reasons[row] = f"has SRID {read.srids[row]}, the first geometry {self._survey.srid}"
        self._lose(block, place.name, reasons, found.texts)
        foreign = sorted(set(reasons) - set(read.reasons))
        if not foreign:
            return read.wkb
        mask = np.zeros(len(block), dtype=bool)
        mask[foreign] = True
        return pa.compute.if_else(pa.array(mask), pa.scalar(None, pa.binary()), read.wkb)
