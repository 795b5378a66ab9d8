"""Shapefiles, read strictly: shapes by ``shapefile_shapes``, attributes by ``dbase``.

GDAL only tells what the .prj file means, and reads the shapes of MultiPatch files. That the files
agree is judged by ``integrity.shapefile`` before a row is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats import gdal
from spatial_pipeline.ingest.formats.dbase import DbaseTable
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.formats.shapefile_layout import patches_fit
from spatial_pipeline.ingest.formats.shapefile_shapes import Shapes, shapes_of
from spatial_pipeline.ingest.integrity.shapefile import (
    MULTIPATCH,
    NULL_SHAPE,
    TYPES,
    Index,
    index_of,
    located,
)
from spatial_pipeline.ingest.schema import free_name
from spatial_pipeline.ingest.stretches import gathered
from spatial_pipeline.sources.local import SourceFiles

BATCH_ROWS = 16384
BATCH_BYTES = 16 << 20
"""Shapes of a batch stop here; one that is larger is a batch of its own."""
_SPREAD, _SMALL = 2, 1 << 20
"""Bytes read for a batch: at most this many times those of its shapes, and so many more."""
_TYPE_BYTES = 4
_EMPTY = struct.pack(">i20xi", 9994, 50) + struct.pack("<2i8d", 1000, 1, *[0.0] * 8)
"""A .shp or .shx file of points without any."""


@contextmanager
def open_layer(resolved: SourceFiles, options: ReadOptions) -> Iterator[Layer]:
    """Opens a Shapefile for one pass.

    Args:
        resolved: the source, with its .shx, .dbf, .prj and .cpg files.
        options: the layer, which is the name of the file without suffix, and the encoding.

    Raises:
        SourceError: a file is missing or damaged, or they do not agree.

    """
    notes: list[str] = []
    defects = Defects()
    file = resolved.files[0]
    if options.layer not in (None, file.stem):
        msg = f"no layer {options.layer!r} in it; there is {file.stem}"
        raise SourceError(msg)
    with ExitStack() as stack:
        try:
            files = located(file, resolved.files[1:], notes)
            shp, shx, dbf = (
                stack.enter_context(files[s].open("rb")) for s in (".shp", ".shx", ".dbf")
            )
            index = index_of(shp, shx, notes)
            table = DbaseTable(dbf, files.get(".cpg"), options.encoding, notes, defects)
            if len(index.offsets) != table.records:
                msg = (
                    f"the .shx file lists {len(index.offsets)} shapes, "
                    f"the .dbf file {table.records} records"
                )
                raise SourceError(msg)
            crs = _crs(files.get(".prj"), options, notes)
        except OSError as exc:
            raise SourceError(exc.strerror or str(exc)) from exc
        reader = _ShapeReader(shp, index, table, notes)
        shapes = reader.shapes()
        if index.kind == MULTIPATCH:
            known = stack.enter_context(gdal.open_layer(resolved, options))
            shapes = _gdals(known, reader, notes)
        geometry = free_name("geometry", table.schema.names)
        schema = table.schema.append(pa.field(geometry, pa.binary()))
        yield Layer(
            driver="ESRI Shapefile",
            name=None,
            crs=crs,
            geometry_type=TYPES[index.kind],
            geometry=geometry,
            schema=schema,
            declared_count=table.count,
            declared_bounds=index.bounds,
            batches=_batches(shapes, table, schema),
            notes=notes,
            defects=defects,
            lost=reader.lost,
        )


def _crs(prj: Path | None, options: ReadOptions, notes: list[str]) -> str | None:
    """WKT2 of the CRS that GDAL makes of a .prj file, shown to it beside a Shapefile of no shapes.

    Raises:
        OSError: the file cannot be read, or its folder cannot be written.

    """
    if prj is None:
        return None
    with TemporaryDirectory(dir=prj.parent) as folder:
        empty = Path(folder) / f"{prj.stem}.shp"
        for path in (empty, empty.with_suffix(".shx")):
            path.write_bytes(_EMPTY)
        beside = empty.with_suffix(".prj")
        beside.write_bytes(prj.read_bytes())
        shown = SourceFiles(uri=empty.name, path=str(empty), files=(empty, beside))
        try:
            with gdal.open_layer(shown, replace(options, layer=None)) as layer:
                crs, said = layer.crs, layer.notes
        except SourceError:
            # How a text begins that is not understood is said for all formats in one place.
            return None
        notes.extend(note.replace(f"{folder}/", "") for note in said)
        return crs


def _batches(
    shapes: Iterator[pa.Array], table: DbaseTable, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Rows of shapes and attributes."""
    first = 0
    for wkb in shapes:
        attributes = table.rows(first, first + len(wkb))
        if attributes.num_rows != len(wkb):
            msg = f"has more shapes than the .dbf file has records: {first + len(wkb)}"
            raise SourceError(msg)
        first += len(wkb)
        yield pa.RecordBatch.from_arrays([*attributes.columns, wkb], schema=schema)


def _gdals(layer: Layer, reader: _ShapeReader, notes: list[str]) -> Iterator[pa.Array]:
    """Shapes as GDAL reads them, of records that are not deleted, and a look at their bytes."""
    notes.append("MultiPatch shapes are staged as the polygons and triangles that GDAL makes")
    for batch in layer.batches:
        yield batch.column(layer.geometry)
    for _ in reader.shapes():
        pass
    notes.extend(n for n in layer.notes if n not in notes)


class _ShapeReader:
    """Reads the shapes of records that are not deleted, batch by batch.

    Args:
        shp: the main file, open as long as shapes are read.
        index: where its records are.
        table: tells which of them are deleted.
        notes: grows by polygons whose winding order is wrong, at the end.

    """

    def __init__(self, shp: IO[bytes], index: Index, table: DbaseTable, notes: list[str]) -> None:
        self._shp, self._index, self._live, self._notes = shp, index, table.live, notes
        self._damaged = index.damaged[table.live].copy()
        self._null = np.ones(len(table.live), dtype=bool)

    def lost(self, null: NDArray[np.int64]) -> list[int]:
        """Rows whose shape is damaged, and those of ``null`` that have one all the same."""
        lost = self._damaged.copy()
        lost[null[~self._null[null]]] = True
        return [int(row) for row in np.flatnonzero(lost)]

    def shapes(self) -> Iterator[pa.Array]:
        """WKB of all rows, some at a time.

        Raises:
            SourceError: the file changed while it was read.

        """
        rewound = first = 0
        bytes_before = np.cumsum(self._index.lengths[self._live])
        while first < len(self._live):
            done = bytes_before[first - 1] if first else 0
            full = int(np.searchsorted(bytes_before, done + BATCH_BYTES, side="right"))
            last = min(len(self._live), first + BATCH_ROWS, max(first + 1, full))
            found = self._shapes(first, last)
            self._damaged[first:last] |= found.damaged
            rewound += found.rewound
            yield found.wkb
            first = last
        if rewound:
            self._notes.append(
                f"{rewound} polygons have rings with an invalid winding order: outer rings and "
                "holes were told apart by where they lie"
            )

    def _shapes(self, first: int, last: int) -> Shapes:
        """Shapes of some rows."""
        records = self._live[first:last]
        lengths = np.where(self._damaged[first:last], 0, self._index.lengths[records])
        data, at = self._read(self._index.offsets[records], lengths)
        there = lengths >= _TYPE_BYTES
        types = np.full(len(records), NULL_SHAPE)
        types[there] = gathered(data, at[there], _TYPE_BYTES).view("<i4")[:, 0]
        lengths[types == NULL_SHAPE] = 0
        self._null[first:last] = lengths == 0
        if self._index.kind in {NULL_SHAPE, MULTIPATCH}:
            damaged = lengths > 0
            some = np.flatnonzero(damaged)
            damaged[some] = ~patches_fit(data, at[some], lengths[some])
            return Shapes(pa.nulls(len(records), pa.binary()), damaged, 0)
        return shapes_of(data, self._index.kind, at, lengths)

    def _read(
        self, offsets: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[bytes, NDArray[np.int64]]:
        """The bytes of some records, and where in them each one is.

        Raises:
            SourceError: they are not there any more.

        """
        there = np.flatnonzero(lengths)
        if not len(there):
            return b"", np.zeros(len(lengths), np.int64)
        begin, end = int(offsets[there].min()), int((offsets + lengths)[there].max())
        total = int(lengths.sum())
        if end - begin <= _SPREAD * total + _SMALL:
            self._shp.seek(begin)
            data, at = self._shp.read(end - begin), offsets - begin
            missing = len(data) != end - begin
        else:
            pieces = []
            for offset, length in zip(
                offsets[there].tolist(), lengths[there].tolist(), strict=True
            ):
                self._shp.seek(offset)
                pieces.append(self._shp.read(length))
            data, at = b"".join(pieces), np.cumsum(lengths) - lengths
            missing = len(data) != total
        if missing:
            msg = "the .shp file changed while it was read"
            raise SourceError(msg)
        return data, np.where(lengths > 0, at, 0)
