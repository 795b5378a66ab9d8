"""CSV and its kin (tabs, semicolons, pipes), read strictly and without GDAL.

The file is read twice: for the types of its columns and what is odd, then for its rows. Every field
is kept as the file holds it, or named as a defect. Encodings are in ``csv_text``, records in
``csv_records`` and ``csv_fields``, names of columns in ``csv_layout``, values in ``csv_types``,
``csv_declared`` and ``csv_geometry``, the two passes in ``csv_survey`` and ``csv_rows``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats import gdal
from spatial_pipeline.ingest.formats.csv_declared import declared_types, roles
from spatial_pipeline.ingest.formats.csv_layout import (
    CsvLayout,
    GeometryColumns,
    layout_of,
    place_of,
)
from spatial_pipeline.ingest.formats.csv_records import Block, Records
from spatial_pipeline.ingest.formats.csv_rows import Rows
from spatial_pipeline.ingest.formats.csv_survey import CsvSurvey
from spatial_pipeline.ingest.formats.csv_text import encoding_of, opened_text
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.integrity.crs_texts import CrsText
from spatial_pipeline.model.crs.comparison import same_horizontally
from spatial_pipeline.sources.local import SourceFiles

BATCH_ROWS = 16384
HEAD_BYTES = 4096


@contextmanager
def open_layer(resolved: SourceFiles, options: ReadOptions) -> Iterator[Layer]:
    """Opens a CSV file for one pass, once it was read for its types.

    Args:
        resolved: the source, with its .csvt and .prj files.
        options: the layer, which is the name of the file without suffix, and the encoding.

    Raises:
        SourceError: quotes do not pair up, a value does not have its declared type, or another
            fault that makes the file untrustworthy.

    """
    file = resolved.files[0]
    if file.suffix.casefold() == ".txt" and not _is_table(file):
        with gdal.open_layer(resolved, options) as layer:
            yield layer
        return
    if options.layer not in (None, file.stem):
        msg = f"no layer {options.layer!r} in it; there is {file.stem}"
        raise SourceError(msg)
    beside = {f.suffix.casefold(): f for f in resolved.files[1:]}
    notes: list[str] = []
    try:
        layout = layout_of(file, *encoding_of(file, options.encoding), notes)
        types = list(layout.types)
        if ".csvt" in beside and not types:
            types = declared_types(beside[".csvt"], len(layout.names), notes)
        place = place_of(layout.names, roles(types))
        survey = CsvSurvey(layout.names, types, place)
        for block in _blocks(file, layout):
            survey.see(block)
        crs = None if place is None else _crs(beside.get(".prj"), place, survey.srid, notes)
    except OSError as exc:
        raise SourceError(exc.strerror or str(exc)) from exc
    notes.extend(survey.notes())
    rows = Rows(layout, place, survey)
    yield Layer(
        driver="CSV",
        name=None,
        crs=crs,
        geometry_type=None if place is None else _TYPES[len(place.axes)],
        geometry=None if place is None else place.name,
        schema=rows.schema,
        declared_count=survey.count,
        declared_bounds=None,
        batches=_batches(file, layout, rows, notes),
        notes=notes,
        defects=rows.defects,
        lost=lambda _rows: rows.lost(),
    )


def _is_table(file: Path) -> bool:
    """Whether a text looks like a table: its first line has a delimiter, and it is no JSON or XML.

    A .txt file can be anything; GDAL finds out, or refuses it.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as exc:
        raise SourceError(exc.strerror or str(exc)) from exc
    first = b"".join(head.splitlines()[:1])
    return not first.startswith((b"{", b"[", b"<")) and any(c in first for c in b",;\t|")


_TYPES = {0: "Unknown", 2: "Point", 3: "Point Z"}
"""Type of the geometries by the number of columns of coordinates."""


def _blocks(file: Path, layout: CsvLayout) -> Iterator[Block]:
    """The records of the file."""
    with opened_text(file, layout.encoding, layout.skip) as text:
        records = Records(text, layout.delimiter)
        yield from records.blocks(len(layout.names), int(layout.header))


def _batches(
    file: Path, layout: CsvLayout, rows: Rows, notes: list[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of the file; what is known of them at the end goes to the notes."""
    for block in _blocks(file, layout):
        batch = rows.batch(block)
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(start, BATCH_ROWS)
    if rows.halves:
        notes.append(f"{rows.halves} rows have only some of their coordinates, so no geometry")


def _crs(prj: Path | None, place: GeometryColumns, srid: int, notes: list[str]) -> str | None:
    """WKT2 of the CRS: of the .prj file, of the name of the column, or of the SRIDs."""
    stated, where = place.crs, "the column's name"
    if prj is not None:
        text = prj.read_bytes().decode("utf-8-sig", "replace").strip()
        stated, where = (text, prj.name) if text else (stated, where)
    if stated is None and srid:
        stated, where = f"EPSG:{srid}", "the SRID of the geometries"
        notes.append(f"the CRS is {stated} by the SRID of the geometries")
    if stated is None:
        return None
    try:
        crs = pyproj.CRS.from_user_input(stated)
    except CRSError:
        notes.append(CrsText(where, stated).note())
        return None
    if srid and not _same(crs, srid):
        msg = f"the geometries have SRID {srid}, the .prj file or the column's name {crs.name!r}"
        raise SourceError(msg)
    return str(crs.to_wkt())


def _same(crs: pyproj.CRS, srid: int) -> bool:
    """Whether an SRID may stand for a CRS; one that is unknown may."""
    try:
        other = pyproj.CRS.from_epsg(srid)
    except CRSError:
        return True
    return same_horizontally(crs, other)
