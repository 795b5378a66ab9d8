"""Files that would read the host's files, write where they like, or send requests.

Each maker writes a file into ``folder`` that points to ``outside``, a folder that no source may
reach: ``secret.tif`` and ``secret.csv`` are there to be read, anything else there was written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio

from spatial_pipeline_tests.ingest.sources import points, table_of

SECRET = "the secret of the host"
Maker = Callable[[Path, Path, str], Path]
"""Makes a file: folder, outside folder, base URL of a server that counts requests."""


def _ogr(text: str, name: str = "data.vrt") -> Maker:
    def make(folder: Path, outside: Path, url: str) -> Path:
        path = folder / name
        path.write_text(text.format(secret=outside / "secret.csv", url=url))
        return path

    return make


_LAYER = '<OGRVRTLayer name="secret">{0}</OGRVRTLayer>'
_BAND = (
    '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1">{0}'
    "</VRTRasterBand></VRTDataset>"
)


def _vrt(band: str, name: str = "data.vrt") -> Maker:
    def make(folder: Path, outside: Path, url: str) -> Path:
        path = folder / name
        text = band.replace("SECRET", str(outside / "secret.tif")).replace("URL", url)
        path.write_text(_BAND.format(text))
        return path

    return make


def _raw(folder: Path, outside: Path, _url: str) -> Path:
    path = folder / "data.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1" '
        f'subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="0">{outside / "secret.csv"}'
        "</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>4"
        "</LineOffset></VRTRasterBand></VRTDataset>"
    )
    return path


def _mrf_read(folder: Path, outside: Path, _url: str) -> Path:
    path = folder / "data.tif"
    path.write_text(
        f'<MRF_META><Raster><Size x="4" y="4" c="1"/><PageSize x="4" y="4" c="1"/><Compression>NONE'
        f"</Compression><DataFile>{outside / 'secret.csv'}</DataFile><IndexFile>"
        f"{outside / 'secret.csv'}</IndexFile></Raster></MRF_META>"
    )
    return path


def _mrf_write(folder: Path, outside: Path, _url: str) -> Path:
    path = folder / "data.png"
    path.write_text(
        f"<MRF_META><CachedSource><Source>{outside / 'secret.tif'}</Source></CachedSource><Raster>"
        '<Size x="4" y="4" c="1"/><PageSize x="4" y="4" c="1"/><Compression>NONE</Compression>'
        f"<DataFile>{outside / 'written.dat'}</DataFile><IndexFile>{outside / 'written.idx'}"
        "</IndexFile></Raster></MRF_META>"
    )
    return path


def _tile_index(location: str) -> Maker:
    def make(folder: Path, outside: Path, url: str) -> Path:
        path = folder / "data.gti.gpkg"
        table = table_of(points(1), location=[location.format(outside=outside, url=url)])
        pyogrio.write_arrow(
            table, path, driver="GPKG", layer="tiles", geometry_name="geometry",
            geometry_type="Point", crs="EPSG:4326",
        )  # fmt: skip
        with sqlite3.connect(path) as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS gpkg_metadata (id INTEGER PRIMARY KEY, md_scope TEXT, "
                "md_standard_uri TEXT, mime_type TEXT, metadata TEXT)"
            )
        return path

    return make


def _gti_text(folder: Path, outside: Path, _url: str) -> Path:
    path = folder / "data.tif"
    path.write_text(
        f"<GDALTileIndexDataset><IndexDataset>{outside / 'secret.csv'}</IndexDataset>"
        "<LocationField>location</LocationField></GDALTileIndexDataset>"
    )
    return path


def _wms(folder: Path, _outside: Path, url: str) -> Path:
    path = folder / "data.tif"
    path.write_text(
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl>'
        "</Service><DataWindow><SizeX>256</SizeX><SizeY>256</SizeY></DataWindow></GDAL_WMS>"
    )
    return path


def _hdf5_external(folder: Path, outside: Path, _url: str) -> Path:
    path = folder / "data.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "values", (4, 4), dtype="u1", external=[(str(outside / "secret.csv"), 0, 16)]
        )
    return path


def _hdf5_link(folder: Path, outside: Path, _url: str) -> Path:
    with h5py.File(outside / "secret.h5", "w") as file:
        file["values"] = np.arange(16, dtype="u1").reshape(4, 4)
    path = folder / "data.nc"
    with h5py.File(path, "w") as file:
        file["values"] = h5py.ExternalLink(str(outside / "secret.h5"), "values")
    return path


def _hdf5_virtual(folder: Path, outside: Path, _url: str) -> Path:
    with h5py.File(outside / "secret.h5", "w") as file:
        file["values"] = np.arange(16, dtype="u1").reshape(4, 4)
    path = folder / "data.nc"
    layout = h5py.VirtualLayout((4, 4), "u1")
    layout[:] = h5py.VirtualSource(str(outside / "secret.h5"), "values", (4, 4))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("values", layout)
    return path


def _nested(folder: Path, _outside: Path, _url: str) -> Path:
    path = folder / "data.parquet"
    head = b"\x01\x07\x00\x00\x00\x01\x00\x00\x00"
    wkb = head * 100_000 + b"\x01\x01\x00\x00\x00" + bytes(16)
    table = pa.table({"id": [1], "geometry": pa.array([wkb], pa.binary())})
    geo = (
        '{"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": '
        '{"encoding": "WKB", "geometry_types": []}}}'
    )
    pq.write_table(table.replace_schema_metadata({"geo": geo}), path)
    return path


VECTORS: dict[str, Maker] = {
    "lower case": _ogr(
        f"<OGRVRTDataSource>{_LAYER.format('<srcdatasource>{secret}</srcdatasource>')}"
        "</OGRVRTDataSource>"
    ),
    "upper case": _ogr(
        f"<OGRVRTDataSource>{_LAYER.format('<SRCDATASOURCE>{secret}</SRCDATASOURCE>')}"
        "</OGRVRTDataSource>"
    ),
    "attribute": _ogr(
        '<OGRVRTDataSource><OGRVRTLayer name="secret" SrcDataSource="{secret}"/></OGRVRTDataSource>'
    ),
    "namespace": _ogr(
        '<OGRVRTDataSource xmlns="x">'
        f"{_LAYER.format('<SrcDataSource>{secret}</SrcDataSource>')}</OGRVRTDataSource>"
    ),
    "lower case SQL": _ogr(
        "<OGRVRTDataSource>"
        + _LAYER.format(
            "<SrcDataSource>own.csv</SrcDataSource><srcsql>SELECT * FROM '{secret}'.secret</srcsql>"
        )
        + "</OGRVRTDataSource>"
    ),
    "served as data.gpkg": _ogr(
        f"<OGRVRTDataSource>{_LAYER.format('<SrcDataSource>{secret}</SrcDataSource>')}"
        "</OGRVRTDataSource>",
        "data.gpkg",
    ),
    "WFS": _ogr("<OGRWFSDataSource><URL>{url}</URL></OGRWFSDataSource>", "data.gml"),
    "deeply nested WKB": _nested,
}
RASTERS: dict[str, Maker] = {
    "lower case": _vrt("<simplesource><sourcefilename>SECRET</sourcefilename></simplesource>"),
    "subfile": _vrt(
        "<SimpleSource><SourceFilename>/vsisubfile/0,SECRET</SourceFilename></SimpleSource>"
    ),
    "lower case subfile": _vrt(
        "<SimpleSource><sourcefilename>/vsisubfile/0,SECRET</sourcefilename></SimpleSource>"
    ),
    "directory of a TIFF": _vrt(
        '<SimpleSource><SourceFilename relativeToVRT="1">GTIFF_DIR:1:SECRET</SourceFilename>'
        "</SimpleSource>"
    ),
    "url": _vrt("<SimpleSource><SourceFilename>/vsicurl/URL/x.tif</SourceFilename></SimpleSource>"),
    "served as data.tif": _vrt(
        "<SimpleSource><SourceFilename>SECRET</SourceFilename></SimpleSource>", "data.tif"
    ),
    "raw band": _raw,
    "MRF that reads": _mrf_read,
    "MRF that writes": _mrf_write,
    "tile index": _tile_index("{outside}/secret.tif"),
    "tile index over http": _tile_index("/vsicurl/{url}/x.tif"),
    "tile index as text": _gti_text,
    "WMS": _wms,
    "HDF5 external storage": _hdf5_external,
    "HDF5 external link": _hdf5_link,
    "HDF5 virtual dataset": _hdf5_virtual,
}
