"""Spatial indexes of files: whether they are there, whole, and true of every feature.

Sources: OGC 12-128r19, annex F.3 (GeoPackage R-tree); GeoParquet 1.1, "covering"; FlatGeobuf 3
(packed R-tree); ESRI Shapefile Technical Description, and MapServer's and GDAL's .qix format.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from spatial_pipeline.ingest.conformance import geopackage_tables, shapefile
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.integrity import flatgeobuf
from spatial_pipeline.ingest.integrity.geopackage import bounded, quoted
from spatial_pipeline.ingest.integrity.shapefile import HEADER_BYTES
from spatial_pipeline.ingest.layer_scan import LayerScan
from spatial_pipeline.sources.local import SourceFiles

PRESENT, WHOLE, TRUE = "present", "whole", "true"
INDEX = "spatial index"
SIDECARS = {".shx": "the index of records", ".dbf": "the attributes", ".prj": "the CRS"}
TINY = float(np.finfo(np.float32).tiny)
"""Coordinates this close to 0 are 0 in the 32 bits of an R-tree's boxes."""
SIDES = ("xmin", "ymin", "xmax", "ymax")


def judge(local: SourceFiles, layer: Layer, scan: LayerScan) -> Judge | None:
    """The findings about the index of a file that was read; None for formats without one.

    Args:
        local: the files.
        layer: the layer that was read.
        scan: boxes of its features.

    """
    file = local.files[0]
    if layer.driver == "GPKG":
        return _geopackage(file, layer, scan)
    if layer.driver == "Parquet":
        return _geoparquet(file, layer, scan)
    if layer.driver == "FlatGeobuf":
        return _flatgeobuf(file, scan)
    if layer.driver == "ESRI Shapefile":
        return _shapefile(tuple(local.files))
    return None


def _judge(name: str) -> Judge:
    return Judge(name, {INDEX: (PRESENT, WHOLE, TRUE)})


def _geopackage(file: Path, layer: Layer, scan: LayerScan) -> Judge:
    found = _judge("GeoPackage")
    table, column = str(layer.name), str(layer.geometry)
    with closing(bounded(file)) as database:
        database.text_factory = lambda raw: raw.decode("utf-8", "replace")
        name = f"rtree_{table}_{column}"
        there = database.execute(
            "SELECT sql FROM sqlite_master WHERE lower(name) = lower(?)", (name,)
        ).fetchone()
        told = f"{table}.{column} has no R-tree"
        if not found.expect(
            PRESENT, there is not None and geopackage_tables.is_rtree(there[0]), told
        ):
            return found
        answer = str(database.execute("SELECT rtreecheck(?)", (name,)).fetchone()[0])
        sound = answer == "ok"
        found.expect(WHOLE, sound, f"{name} is damaged: {' '.join(answer.split())[:200]}")
        _entries(found, database, name, table, scan)
    return found


def _entries(
    found: Judge, database: sqlite3.Connection, name: str, table: str, scan: LayerScan
) -> None:
    """Compares the entries of an R-tree with the features, which are read in order of their ids."""
    ids = _column(database, f"SELECT rowid FROM {quoted(table)} ORDER BY rowid").astype(np.int64)  # noqa: S608
    # An empty table has no last row, and one that a condition cut has rows beyond it.
    if len(scan.rows) and scan.rows.max() >= len(ids):
        found.fail(WHOLE, f"{table} has {len(ids)} ids, and features beyond them")
        return
    boxes = _rows(database, f"SELECT id, minx, miny, maxx, maxy FROM {quoted(name)}")  # noqa: S608
    boxes = boxes[np.argsort(boxes[:, 0], kind="stable")]
    mine, here = ids[scan.rows], np.isfinite(scan.bounds).all(axis=1)
    place = np.searchsorted(boxes[:, 0], mine)
    known = place < len(boxes)
    known[known] = boxes[place[known], 0] == mine[known]
    missing = int(np.count_nonzero(here & ~known))
    found.expect(WHOLE, not missing, f"{missing} features are not in {name}")
    stray = int(np.count_nonzero(~np.isin(boxes[:, 0], ids)))
    stray += int(np.count_nonzero(known & ~here & np.isnan(scan.bounds).all(axis=1)))
    found.expect(WHOLE, not stray, f"{stray} entries of {name} have no feature with a geometry")
    both = here & known
    _held(found, scan.bounds[both], boxes[place[both], 1:], name)


def _held(found: Judge, bounds: NDArray[np.float64], boxes: NDArray[np.float64], name: str) -> None:
    """Expects that each box of the index holds that of its feature."""
    low, high = boxes[:, :2] - TINY, boxes[:, 2:] + TINY
    inside = (low <= bounds[:, :2]).all(axis=1) & (bounds[:, 2:] <= high).all(axis=1)
    out = int(np.count_nonzero(~inside))
    found.expect(TRUE, not out, f"{out} features lie outside of their boxes in {name}")


def _geoparquet(file: Path, layer: Layer, scan: LayerScan) -> Judge:
    found = _judge("GeoParquet")
    opened = pq.ParquetFile(file)
    paths = _covering(opened, str(layer.geometry))
    if not found.expect(PRESENT, bool(paths), f"{layer.geometry} has no covering bbox"):
        return found
    parts = [
        np.stack([_numbers(batch, path) for path in paths], axis=1)
        for batch in opened.iter_batches(columns=[".".join(p) for p in paths])
    ]
    boxes = np.concatenate([np.empty((0, 4)), *parts])[scan.rows]
    here = np.isfinite(scan.bounds).all(axis=1)
    without = here & np.isnan(boxes).any(axis=1)
    missing = int(np.count_nonzero(without))
    found.expect(WHOLE, not missing, f"{missing} features have no box in the covering")
    kept = here & ~without
    _held(found, scan.bounds[kept], boxes[kept], "the covering")
    return found


def _covering(opened: pq.ParquetFile, column: str) -> list[tuple[str, ...]]:
    """Paths of xmin, ymin, xmax and ymax of the covering of a column; none without one."""
    raw = (opened.schema_arrow.metadata or {}).get(b"geo")
    described = {} if raw is None else json.loads(raw).get("columns", {}).get(column, {})
    box = described.get("covering", {}).get("bbox", {})
    return [tuple(box[side]) for side in SIDES if side in box] if len(box) >= len(SIDES) else []


def _numbers(batch: Any, path: tuple[str, ...]) -> NDArray[np.float64]:
    """(n,) numbers of a field of a struct column; NaN for null."""
    column = batch.column(path[0])
    for name in path[1:]:
        column = pc.struct_field(column, name)
    values = column.to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)


def _flatgeobuf(file: Path, scan: LayerScan) -> Judge:
    found = _judge("FlatGeobuf")
    header = flatgeobuf.header_of(file)
    there = header is not None and header.node_size > 0 and header.features > 0
    told = "index_node_size is 0: there is no index"
    if not found.expect(PRESENT, there or not len(scan.rows), told) or not len(scan.rows):
        return found
    boxes = flatgeobuf.index_boxes(file)
    here = np.isfinite(scan.bounds).all(axis=1)
    _held(found, scan.bounds[here], boxes[scan.rows[here]], "the index")
    return found


def _shapefile(files: tuple[Path, ...]) -> Judge:
    found = _judge("Shapefile")
    by_suffix = {f.suffix.casefold(): f for f in reversed(files)}
    for suffix, what in SIDECARS.items():
        found.expect(PRESENT, suffix in by_suffix, f"there is no {suffix} file with {what}")
    for one, other in ((".sbn", ".sbx"), (".sbx", ".sbn")):
        alone = one in by_suffix and other not in by_suffix
        found.expect(WHOLE, not alone, f"there is a {one} file without its {other} file")
    structure = shapefile.judge(files).evidence()
    for finding in structure.findings:
        if finding.code in {"shx", "dbf"} and "there is no" not in finding.reason:
            found.fail(WHOLE, finding.reason)
    if ".qix" in by_suffix:
        _quadtree(found, by_suffix[".qix"], by_suffix.get(".shx"))
    return found


def _quadtree(found: Judge, file: Path, index: Path | None) -> None:
    """Compares the number of shapes of a .qix file with that of the records."""
    with file.open("rb") as opened:
        head = opened.read(16)
    if not found.expect(
        WHOLE, len(head) == 16 and head[:3] == b"SQT", "the .qix file is not an index"
    ):
        return
    (shapes,) = struct.unpack(">i" if head[3] == 2 else "<i", head[8:12])
    if index is not None:
        records = (index.stat().st_size - HEADER_BYTES) // 8
        told = f"the .qix file is of {shapes} shapes, there are {records}"
        found.expect(TRUE, shapes == records, told)


def _column(database: sqlite3.Connection, sql: str) -> NDArray[np.float64]:
    return _rows(database, sql)[:, 0]


def _rows(database: sqlite3.Connection, sql: str) -> NDArray[np.float64]:
    """(n, k) numbers of the rows of a query."""
    cursor = database.execute(sql)
    width = len(cursor.description)
    parts = []
    while rows := cursor.fetchmany(10_000):
        parts.append(np.array(rows, dtype=np.float64))
    return np.concatenate([np.empty((0, width)), *parts])


__all__ = ["INDEX", "PRESENT", "TRUE", "WHOLE", "judge"]
