"""The vector file formats that are read: how each is recognised, opened and by which drivers.

Add a format by adding a row to ``VECTOR_FORMATS``. A file in none of them is refused; GDAL never
guesses a driver. The first row whose signature fits wins, then the first whose suffix does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.geojson_head import is_geojson
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.sources.local import SourceFiles

HEAD_BYTES = 4096
"""Bytes of a file that signatures see."""


@dataclass(frozen=True)
class VectorFormat:
    """One vector file format.

    Attributes:
        name: name in messages.
        reader: ``module:function`` below ``ingest.formats``, imported when it is used; called with
            the resolved source (plain local files) and :class:`ReadOptions`, returns a context
            manager that yields a ``Layer`` for one pass and raises SourceError.
        drivers: GDAL drivers that may open it; none when GDAL has no part in reading it.
        suffixes: of files without a signature, casefolded.
        starts: bytes that a file of this format starts with.
        signature: decides by the first bytes where ``starts`` is not enough.

    """

    name: str
    reader: str
    drivers: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    starts: tuple[bytes, ...] = ()
    signature: Callable[[bytes], bool] = lambda _head: False

    def fits(self, head: bytes) -> bool:
        """Whether a file that starts with these bytes is of this format."""
        return head.startswith(self.starts) if self.starts else self.signature(head)

    def open(self, source: SourceFiles, options: ReadOptions) -> AbstractContextManager[Layer]:
        """Opens a layer for one pass; see ``reader``."""
        module, _, function = self.reader.partition(":")
        reader = getattr(import_module(f"spatial_pipeline.ingest.formats.{module}"), function)
        opened: AbstractContextManager[Layer] = reader(source, options)
        return opened


VECTOR_FORMATS: tuple[VectorFormat, ...] = (
    VectorFormat(
        "GeoParquet", "parquet:open_layer", (), (".parquet", ".geoparquet", ".pq"), (b"PAR1",)
    ),
    VectorFormat(
        "GeoJSON",
        "geojson:open_layer",
        (),
        (".geojson", ".geojsonl", ".geojsons"),
        signature=is_geojson,
    ),
    VectorFormat("CSV", "csv:open_layer", (), (".csv", ".tsv", ".psv", ".txt")),
    VectorFormat("Shapefile", "shapefile:open_layer", ("ESRI Shapefile",), (".shp",)),
    VectorFormat("dBase", "dbase:open_layer", (), (".dbf",)),
)
"""Formats with a reader of their own; all others are GDAL's."""
GDAL = VectorFormat("GDAL", "gdal:open_layer")


def recognised(file: Path) -> VectorFormat:
    """The format of a file, by its first bytes, else by its suffix.

    Raises:
        SourceError: the file cannot be read.

    """
    head = b""
    if not file.is_dir():
        try:
            with file.open("rb") as opened:
                head = opened.read(HEAD_BYTES)
        except OSError as exc:
            raise SourceError(exc.strerror or str(exc)) from exc
    for known in VECTOR_FORMATS:
        if known.fits(head):
            return known
    suffix = file.suffix.casefold()
    return next((known for known in VECTOR_FORMATS if suffix in known.suffixes), GDAL)
