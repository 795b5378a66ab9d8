"""Writes a staged version in another format, so that it can be ingested again and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import rasterio
import rasterio.shutil
from rasterio.drivers import raster_driver_extensions
from rasterio.io import driver_can_create, driver_can_create_copy

from spatial_pipeline.errors import RuleError
from spatial_pipeline.ingest import gdal_messages, raster_scan, raster_windows
from spatial_pipeline.ingest.schema import free_name
from spatial_pipeline.ingest.sort_buffer import ExternalSortBuffer
from spatial_pipeline.model.profile import RasterProfile, VectorProfile
from spatial_pipeline.runtime.json_text import json_text

BATCH_ROWS = 16384
_SUFFIXES = {
    "GPKG": ".gpkg", "GeoJSON": ".geojson", "GeoJSONSeq": ".geojsonl", "FlatGeobuf": ".fgb",
    "ESRI Shapefile": ".shp", "CSV": ".csv", "SQLite": ".sqlite", "GML": ".gml", "KML": ".kml",
    "GPX": ".gpx", "MapInfo File": ".tab", "XLSX": ".xlsx", "ODS": ".ods", "OpenFileGDB": ".gdb",
    "GTiff": ".tif", "COG": ".tif", "PNG": ".png", "JPEG": ".jpg", "HFA": ".img",
    "JP2OpenJPEG": ".jp2", "ENVI": ".bin", "AAIGrid": ".asc", "netCDF": ".nc", "VRT": ".vrt",
    "Parquet": ".parquet",
}  # fmt: skip
"""File suffixes of GDAL drivers."""
PARQUET = "Parquet"
_ROW_IDS = {"GPKG": "fid", "OpenFileGDB": "OBJECTID"}
"""Names of the columns in which formats number their rows, unless configured otherwise."""
_WITHOUT_GEOMETRY = frozenset({"XLSX", "ODS"})
"""Drivers whose formats hold tables only."""


def export_vector(
    source: Path,
    profile: VectorProfile,
    folder: Path,
    driver: str,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Writes the features of a staged file in source order.

    Args:
        source: staged GeoParquet file.
        profile: its profile.
        folder: folder for the new file.
        driver: GDAL driver short name, or ``Parquet``.
        options: creation options of the driver.

    Returns:
        The file that was written.

    Raises:
        RuleError: the driver is unknown, or cannot hold these features.

    """
    known = sorted({*pyogrio.list_drivers(write=True), PARQUET})
    if driver not in known:
        msg = f"no driver {driver!r} writes features; these do: {', '.join(known)}"
        raise RuleError(msg)
    if driver in _WITHOUT_GEOMETRY:
        profile = replace(profile, geometry_column=None)
    geometry = profile.geometry_column
    columns = [*(c.name for c in profile.columns), *([geometry] if geometry else [])]
    with pq.ParquetFile(source) as file, ExternalSortBuffer(_plain(file, columns), folder) as spool:
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            spool.append(pa.RecordBatch.from_arrays(batch.columns, schema=spool.schema))
        rows = file.read(columns=[profile.row_column]).column(0).to_numpy()
        order = np.argsort(rows, kind="stable")
        edges = np.append(np.arange(0, len(order), BATCH_ROWS), len(order))
        size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
        sizes = np.full(len(edges) - 1, 1 + size // max(1, len(edges) - 1))
        batches = pa.RecordBatchReader.from_batches(
            spool.schema,
            (
                batch
                for table in spool.ordered(order, edges, sizes)
                for batch in table.combine_chunks().to_batches()
            ),
        )
        target = folder / f"data{_suffix(driver)}"
        if driver == PARQUET:
            return _parquet(target, profile, file.schema_arrow, batches)
        kind = _kind(file.schema_arrow, driver)
        return _gdal(target, profile, driver, options or {}, kind, batches)


def export_raster(
    source: Path,
    profile: RasterProfile,
    folder: Path,
    driver: str,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Writes a staged raster in another format; see :func:`export_vector`.

    Raises:
        RuleError: the driver is unknown, or cannot hold this raster.

    """
    known = _raster_drivers()
    if driver not in known:
        msg = f"no driver {driver!r} writes rasters; these do: {', '.join(known)}"
        raise RuleError(msg)
    target = folder / f"data{_suffix(driver)}"
    notes: list[str] = []
    with gdal_messages.kept(notes), rasterio.Env(**raster_windows.OPTIONS):
        try:
            rasterio.shutil.copy(str(source), target, driver=driver, **(options or {}))
        except Exception as exc:
            msg = f"{profile.uri} cannot be written as {driver}: {raster_scan.reason_of(exc)}"
            raise RuleError(msg) from exc
    return target


def _plain(file: pq.ParquetFile, columns: list[str]) -> pa.Schema:
    """The columns without metadata; all nullable, as in GDAL's formats."""
    schema = file.schema_arrow
    return pa.schema([pa.field(n, schema.field(n).type) for n in columns])


def _gdal(
    target: Path,
    profile: VectorProfile,
    driver: str,
    options: Mapping[str, str],
    kind: str,
    batches: pa.RecordBatchReader,
) -> Path:
    placing: dict[str, Any] = {}
    if driver in _ROW_IDS:
        # A column of this name would become the number of the row, and the order of the rows.
        free = free_name(_ROW_IDS[driver], batches.schema.names)
        options = {**({} if free == _ROW_IDS[driver] else {"FID": free}), **options}
    if driver == "CSV":
        options = {"CREATE_CSVT": "YES", **options}
    if profile.geometry_column is not None:
        placing = {
            "geometry_name": profile.geometry_column,
            "geometry_type": kind,
            "crs": profile.crs,
        }
        if driver == "CSV":
            options = {"GEOMETRY": "AS_WKT", "GEOMETRY_NAME": profile.geometry_column, **options}
        if driver == "FlatGeobuf":
            # Its index sorts the features and has no place for null geometries.
            options = {"SPATIAL_INDEX": "NO", **options}
    notes: list[str] = []
    try:
        with gdal_messages.kept(notes):
            pyogrio.write_arrow(
                batches, target, layer="data", driver=driver, **placing, **dict(options)
            )
    except Exception as exc:
        text = " ".join(str(exc).split())
        msg = f"{profile.uri} cannot be written as {driver}: {text}"
        raise RuleError(msg) from exc
    return target


def _kind(schema: pa.Schema, driver: str) -> str:
    """The geometry type to declare: the one that occurs, or any."""
    geo = json.loads((schema.metadata or {}).get(b"geo", b"{}"))
    column = geo.get("columns", {}).get(geo.get("primary_column"), {})
    types = column.get("geometry_types", [])
    if len(types) == 1:
        return str(types[0])
    multi = {t if t.startswith("Multi") else f"Multi{t}" for t in types}
    # These formats have no layer of any type; others keep single and Multi forms apart.
    if len(multi) == 1 and driver in {"ESRI Shapefile", "OpenFileGDB"}:
        return str(multi.pop())
    return "Unknown"


def _parquet(
    target: Path, profile: VectorProfile, schema: pa.Schema, batches: pa.RecordBatchReader
) -> Path:
    """GeoParquet in source order, without our helper columns."""
    metadata = {}
    if profile.geometry_column is not None:
        geo = json.loads(schema.metadata[b"geo"])
        geo["columns"][profile.geometry_column].pop("covering", None)
        metadata = {"geo": json_text(geo)}
    with pq.ParquetWriter(target, batches.schema.with_metadata(metadata)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return target


def _raster_drivers() -> list[str]:
    """GDAL drivers that write rasters."""
    # Questions to a driver read files of GDAL_DATA, which rasterio sets for each thread in an Env.
    with rasterio.Env() as env:
        names = set(env.drivers())
        names -= set(pyogrio.list_drivers()) - set(raster_driver_extensions().values())
        return sorted(n for n in names if driver_can_create(n) or driver_can_create_copy(n))


def _suffix(driver: str) -> str:
    return _SUFFIXES.get(driver, f".{driver.split()[0].casefold()}")
