"""Defects that GDAL does not report: parts that disagree, damaged pages, lost geometries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.integrity import (
    changed_values,
    drawn_arcs,
    flatgeobuf,
    geopackage,
    sqlite,
    text_formats,
    xml_coordinates,
)
from spatial_pipeline.sources.local import SourceFiles

XML_DRIVERS = frozenset({"GML", "KML", "LIBKML", "GPX", "JML", "GeoRSS", "MapML", "LVBAG"})


def before(resolved: SourceFiles) -> None:
    """Checks the structure of a file before GDAL reads it.

    Raises:
        SourceError: it is damaged.

    """
    if not resolved.files[0].is_dir():
        sqlite.verify(resolved.files[0])


def complete(layer: Layer, resolved: SourceFiles) -> None:
    """Adds to a layer what its driver does not say: its true count, and which geometries are lost.

    Raises:
        SourceError: the source is not whole.

    """
    if resolved.files[0].is_dir():
        return
    suffix = resolved.files[0].suffix.casefold()
    if layer.driver in {"GPKG", "SQLite"}:
        substitute(layer, geopackage.audit(layer, resolved.files[0]))
    elif layer.driver == "FlatGeobuf":
        try:
            substitute(layer, flatgeobuf.audit(layer, resolved.files[0]))
        except SourceError as exc:
            # Raised when rows are asked for, so that the profile tells what the header says.
            layer.batches = _refused(exc)
    elif layer.driver == "MapInfo File" and suffix == ".mif":
        layer.declared_count = text_formats.mid_records(resolved.files[0])
        changed_values.in_mif(resolved.files[0], layer)
        _drawn(layer, drawn_arcs.in_mif(resolved.files[0]))
    elif layer.driver == "MapInfo File" and suffix == ".tab":
        _drawn(layer, drawn_arcs.in_tab(resolved.files[0]))
    elif layer.driver in XML_DRIVERS and suffix not in {".kmz", ".gz"}:
        with resolved.files[0].open("rb") as stream:
            text_formats.verify_xml(stream)
        xml_coordinates.verify(resolved.files[0], layer.driver)
        changed_values.in_xml(resolved.files[0], layer)
    elif layer.driver in {"TopoJSON", "ESRIJSON"} and suffix != ".gz":
        changed_values.in_json(resolved.files[0], layer)
    elif layer.driver == "DXF":
        with resolved.files[0].open("rb") as stream:
            text_formats.verify_dxf(stream)
        _drawn(layer, drawn_arcs.in_dxf(resolved.files[0]))
    null_defects(layer)


def _drawn(layer: Layer, notes: Iterable[str]) -> None:
    """Notes curved entities that GDAL reads as straight lines."""
    layer.drawn_curves.extend(notes)
    layer.notes.extend(layer.drawn_curves)


def _refused(error: SourceError) -> Iterator[pa.RecordBatch]:
    raise error
    yield


def null_defects(layer: Layer) -> None:
    """Stages null in the place of every value that is known to be none before it is read."""
    rows = {c: layer.defects.rows(c) for c in layer.defects.columns if c in layer.schema.names}
    if rows:
        layer.batches = _nulled(layer.batches, rows)


def _nulled(
    batches: Iterator[pa.RecordBatch], rows: dict[str, NDArray[np.int64]]
) -> Iterator[pa.RecordBatch]:
    read = 0
    for batch in batches:
        for name, wrong in rows.items():
            begin, end = np.searchsorted(wrong, [read, read + batch.num_rows])
            if begin == end:
                continue
            mask = np.zeros(batch.num_rows, dtype=bool)
            mask[wrong[begin:end] - read] = True
            index = batch.schema.get_field_index(name)
            column = batch.column(index)
            nulled = pc.if_else(pa.array(mask), pa.scalar(None, column.type), column)
            batch = batch.set_column(index, batch.schema.field(index), nulled)
        read += batch.num_rows
        yield batch


def substitute(layer: Layer, columns: dict[str, pa.Array]) -> None:
    """Puts exact columns, of all rows in source order, in the place of those that GDAL read."""
    if not columns:
        return
    fields = [f.with_type(columns[f.name].type) if f.name in columns else f for f in layer.schema]
    added = [pa.field(n, c.type) for n, c in columns.items() if n not in layer.schema.names]
    schema = pa.schema([*added, *fields])
    layer.batches = _substituted(layer.batches, columns, schema)
    layer.schema = schema


def _substituted(
    batches: Iterator[pa.RecordBatch], columns: dict[str, pa.Array], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    row = 0
    for batch in batches:
        arrays = [
            columns[name].slice(row, batch.num_rows) if name in columns else batch.column(name)
            for name in schema.names
        ]
        row += batch.num_rows
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
