"""What GDAL does not say: parts that disagree, damaged pages, missing ends, lost geometries."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePosixPath
from typing import IO

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.integrity import geojson, shapefile, sqlite, text_formats
from spatial_pipeline.ingest.source import Resolved

XML_DRIVERS = frozenset({"GML", "KML", "LIBKML", "GPX", "JML", "GeoRSS", "MapML", "LVBAG"})


def before(resolved: Resolved) -> None:
    """Checks the structure of a file before GDAL reads it.

    Raises:
        SourceError: it is damaged.

    """
    if resolved.member is None and not resolved.files[0].is_dir():
        sqlite.verify(resolved.files[0])


def complete(layer: Layer, resolved: Resolved) -> None:
    """Adds to a layer what its driver does not say: its true count, and which geometries are lost.

    Raises:
        SourceError: the source is not whole.

    """
    if resolved.files[0].is_dir():
        return
    suffix = PurePosixPath(resolved.member or resolved.files[0].name).suffix.casefold()
    if layer.driver == "ESRI Shapefile" and suffix == ".shp":
        with shapefile.opened(resolved.files[0], resolved.member) as parts:
            verified = shapefile.verify(parts)
        layer.declared_count = verified.count
        layer.lost = lambda _rows: verified.damaged
    elif layer.driver == "GeoJSON":
        layer.lost = lambda rows: _unread(resolved, rows)
    elif layer.driver == "GeoJSONSeq":
        layer.declared_count = _records(resolved)
        layer.lost = lambda rows: _unread(resolved, rows)
    elif layer.driver == "MapInfo File" and suffix == ".mif" and resolved.member is None:
        layer.declared_count = text_formats.mid_records(resolved.files[0])
    elif layer.driver in XML_DRIVERS and suffix not in {".kmz", ".gz"}:
        with opened(resolved) as stream:
            text_formats.verify_xml(stream)
    elif layer.driver == "DXF":
        with opened(resolved) as stream:
            text_formats.verify_dxf(stream)


@contextmanager
def opened(resolved: Resolved) -> Iterator[IO[bytes]]:
    """The bytes of the file, or of the member of an archive."""
    with ExitStack() as stack:
        if resolved.member is None:
            yield stack.enter_context(resolved.files[0].open("rb"))
        else:
            zipped = stack.enter_context(zipfile.ZipFile(resolved.files[0]))
            yield stack.enter_context(zipped.open(resolved.member))


def _unread(resolved: Resolved, rows: NDArray[np.int64]) -> list[int]:
    if not len(rows):
        return []
    with opened(resolved) as raw, io.TextIOWrapper(raw, "utf-8", "replace") as text:
        return geojson.rows_with_geometry(text, set(rows.tolist()))


def _records(resolved: Resolved) -> int:
    """Features of a GeoJSON sequence; GDAL leaves out those that it cannot parse."""
    with opened(resolved) as raw, io.TextIOWrapper(raw, "utf-8", "replace") as text:
        try:
            return sum(1 for _ in geojson.features(text))
        except SourceError as exc:
            msg = f"a record is damaged: {exc}"
            raise SourceError(msg) from exc
