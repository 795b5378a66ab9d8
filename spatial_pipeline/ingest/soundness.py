"""What GDAL does not say: files that disagree, damaged pages, geometries it read as null."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePosixPath
from typing import IO

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.ingest import geojson, shapefile, sqlite
from spatial_pipeline.ingest.layer import Layer
from spatial_pipeline.ingest.source import Resolved


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
        SourceError: the parts of a Shapefile are not whole.

    """
    if layer.driver == "ESRI Shapefile" and _suffix(resolved) == ".shp":
        with shapefile.opened(resolved.files[0], resolved.member) as parts:
            verified = shapefile.verify(parts)
        layer.declared_count = verified.count
        layer.lost = lambda _rows: verified.damaged
    elif layer.driver in {"GeoJSON", "GeoJSONSeq"}:
        layer.lost = lambda rows: _unread(resolved, rows)


def _unread(resolved: Resolved, rows: NDArray[np.int64]) -> list[int]:
    if not len(rows):
        return []
    with _text(resolved) as stream:
        return geojson.rows_with_geometry(stream, set(rows.tolist()))


@contextmanager
def _text(resolved: Resolved) -> Iterator[IO[str]]:
    with ExitStack() as stack:
        raw: IO[bytes]
        if resolved.member is None:
            raw = stack.enter_context(resolved.files[0].open("rb"))
        else:
            zipped = stack.enter_context(zipfile.ZipFile(resolved.files[0]))
            raw = stack.enter_context(zipped.open(resolved.member))
        yield stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8", errors="replace"))


def _suffix(resolved: Resolved) -> str:
    name = resolved.member or resolved.files[0].name
    return PurePosixPath(name).suffix.casefold()
