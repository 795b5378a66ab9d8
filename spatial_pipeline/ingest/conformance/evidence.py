"""Chooses the requirements of a source, and gathers evidence before and after it is read."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from spatial_pipeline.ingest.conformance import (
    flatgeobuf,
    geojson,
    geopackage,
    geopackage_envelopes,
    geoparquet,
    shapefile,
    spatial_index,
)
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.formats.geojson_head import is_geojson
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.layer_scan import LayerScan
from spatial_pipeline.model.conformance import FormatEvidence
from spatial_pipeline.sources.local import SourceFiles

HEAD_BYTES = 4096
_SQLITE = b"SQLite format 3\0"
_GEOPACKAGES = (b"GPKG", b"GP10", b"GP11")
_APPLICATION_ID = slice(68, 72)


class ConformanceEvidence:
    """Gathers the evidence of one vector source, beside its being read."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="conformance")
        self._structure: Future[Judge | None] | None = None
        self._file: Path | None = None
        self._local: SourceFiles | None = None

    def begin(self, local: SourceFiles, layer: str | None) -> None:
        """Starts to judge the structure of the files of a source, in a thread."""
        self._file, self._local = local.files[0], local
        self._structure = self._pool.submit(_structure, local, layer)

    def settle(self) -> None:
        """Waits for what was begun: afterwards the files may go."""
        if self._structure is not None:
            self._structure.exception()
        self._pool.shutdown()

    def finish(
        self,
        layer: Layer | None,
        scan: LayerScan | None,
        error: str | None = None,
        index: FormatEvidence | None = None,
    ) -> FormatEvidence | None:
        """The evidence, once a layer was read or was found to be unreadable.

        Args:
            layer: the layer; None for one that could not be read to its end.
            scan: what is known of its features.
            error: why it could not be read.
            index: evidence about its spatial index.

        """
        self.settle()
        found = None if self._structure is None else self._structure.result()
        if found is None:
            return None
        if error is not None and found.format == "GeoJSON":
            geojson.broken(found, error)
        if layer is not None and scan is not None:
            if layer.judge is not None:
                found.add(layer.judge)
            try:
                self._compare(found, scan, layer)
            except Exception as exc:  # noqa: BLE001 - a damaged file fails in many ways
                found = _unjudged(found.format, exc)
        if index is not None and index.format == "GeoParquet":
            for finding in index.findings:
                if finding.code in {spatial_index.WHOLE, spatial_index.TRUE}:
                    found.fail("covering", finding.reason)
        return found.evidence()

    def index(self, layer: Layer, scan: LayerScan) -> FormatEvidence | None:
        """Evidence about the spatial index of the file; None for formats without one."""
        if self._local is None or layer.geometry is None:
            return None
        try:
            judged = spatial_index.judge(self._local, layer, scan)
        except Exception as exc:  # noqa: BLE001 - a damaged file fails in many ways
            judged = _unjudged(layer.driver, exc)
        return None if judged is None else judged.evidence()

    def _compare(self, found: Judge, scan: LayerScan, layer: Layer) -> None:
        """Compares what the file declares with its features."""
        file = self._file
        if file is None:
            return
        if found.format == "GeoParquet" and found.clean("geo", "columns", "primary_column"):
            geoparquet.compare(found, file, scan.types, scan.extent)
        elif found.format == "FlatGeobuf":
            flatgeobuf.compare(found, file, scan.types, scan.extent)
        elif found.format == "Shapefile":
            shapefile.compare(found, file, scan.extent)
        elif found.format == "GeoPackage" and layer.name and layer.geometry:
            geopackage_envelopes.compare(found, file, layer.name, layer.geometry, scan)
        elif found.format == "GeoJSON":
            geojson.compare(found, scan.extent, layer.declared_bounds)


def _structure(local: SourceFiles, layer: str | None) -> Judge | None:
    """The findings that need no features; None for formats without known requirements."""
    try:
        return _judged(local, layer)
    except Exception as exc:  # noqa: BLE001 - a damaged file fails in many ways
        return _unjudged(local.files[0].suffix.removeprefix("."), exc)


def _unjudged(name: str, error: Exception) -> Judge:
    """The one finding that a file is too damaged to be judged."""
    found = Judge(name, {name: ("structure",)})
    told = " ".join(str(error).split()) or type(error).__name__
    found.fail("structure", f"it cannot be judged: {told}")
    return found


def _judged(local: SourceFiles, layer: str | None) -> Judge | None:
    file = local.files[0]
    if file.is_dir():
        return None
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    suffix = file.suffix.casefold()
    if head.startswith(_SQLITE) and (suffix == ".gpkg" or head[_APPLICATION_ID] in _GEOPACKAGES):
        return geopackage.judge(file, layer)
    if head.startswith(b"PAR1"):
        return geoparquet.judge(file)
    if head.startswith(b"fgb") or suffix == ".fgb":
        return flatgeobuf.judge(file)
    if suffix == ".shp":
        return shapefile.judge(tuple(local.files))
    if is_geojson(head) or suffix in {".geojson", ".geojsonl", ".geojsons"}:
        found = geojson.judge()
        geojson.begun(found, head)
        return found
    return None
