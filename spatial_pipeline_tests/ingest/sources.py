"""Sources made for the tests of ingest, and ingest in one call."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import rasterio
import shapely
from affine import Affine

from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.remote_url import is_remote
from spatial_pipeline.contract.source import Source
from spatial_pipeline.ingest import ingest, resolve
from spatial_pipeline.ingest.files import stage_files
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.model.hashing import geometry_hash
from spatial_pipeline.model.profile import RasterProfile, VectorProfile


def stage(
    kind: Any, path: Path | str, folder: Path, allowed: Sequence[str] | None = None, **source: Any
) -> Any:
    """Profile of a source staged to ``folder/staged``; checks that nothing else is left."""
    target = folder / "staged"
    target.mkdir(parents=True)
    others = set(folder.iterdir())
    data = {
        target / name
        for name in ("data.parquet", "data.tif", "data.tif.aux.xml", geometry_hash.FILE)
    }
    given = Source(uri=str(path), **source)
    if is_remote(given.uri) or is_database(given.uri):
        profile = ingest(kind, given, None, folder, target, allowed)
    else:
        # In this process, where a test may change the code; test_cage tries the same in the cage.
        options = ReadOptions(given.layer, given.encoding, given.where)
        profile = stage_files(kind, options, resolve(given.uri, folder, allowed), target)
    assert set(folder.iterdir()) == others
    assert set(target.iterdir()) <= data
    # What a reader of the store gets is what was written.
    assert type(profile).from_json(json.loads(json.dumps(profile.to_json()))) == profile
    return profile


def staged_vector(path: Path | str, folder: Path, **source: Any) -> tuple[VectorProfile, pa.Table]:
    """Profile and staged rows, in source order."""
    profile = stage("vector", path, folder, **source)
    table = pq.read_table(folder / "staged/data.parquet")
    assert profile.count == table.num_rows
    return profile, table.sort_by(profile.row_column)


def staged_raster(path: Path | str, folder: Path, **source: Any) -> tuple[RasterProfile, Path]:
    """Profile and path of the staged raster, which is there exactly when there is no error."""
    profile = stage("raster", path, folder, **source)
    target = folder / "staged/data.tif"
    assert target.exists() == (profile.error is None)
    return profile, target


def geometries(profile: VectorProfile, table: pa.Table) -> list[Any]:
    """Shapely geometries of staged rows."""
    return shapely.from_wkb(table.column(profile.geometry_column).to_pylist()).tolist()


def table_of(geometry: Sequence[Any], **columns: Any) -> pa.Table:
    """Attribute columns and a ``geometry`` column of WKB (from shapely, bytes or None)."""
    wkb = [
        g if g is None or isinstance(g, bytes) else shapely.to_wkb(g, flavor="iso")
        for g in geometry
    ]
    arrays = {k: v if isinstance(v, pa.Array) else pa.array(v) for k, v in columns.items()}
    return pa.table({**arrays, "geometry": pa.array(wkb, type=pa.binary())})


def write_layer(
    path: Path, table: pa.Table, kind: str = "Unknown", crs: str | None = "EPSG:4326", **how: Any
) -> Path:
    """Writes a layer through GDAL; ``how`` are its options, layer and driver."""
    pyogrio.write_arrow(
        table,
        path,
        layer=how.pop("layer", "data"),
        geometry_name="geometry",
        geometry_type=kind,
        crs=crs,
        **how,
    )
    return path


def points(n: int, seed: int = 0) -> Any:
    """n random points."""
    return shapely.points(np.random.default_rng(seed).random((n, 2)))


def write_geojson(path: Path, geometry: Sequence[Any], **members: Any) -> Path:
    """A feature collection of GeoJSON geometries (dicts or None), with a running ``id``."""
    features = [
        {"type": "Feature", "properties": {"id": i}, "geometry": g} for i, g in enumerate(geometry)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def write_raster(
    path: Path,
    values: Any,
    crs: str | None = "EPSG:32633",
    mask: Any = None,
    overviews: Sequence[int] = (),
    **profile: Any,
) -> Path:
    """A raster of (bands, height, width) values; a tiled, deflated GeoTIFF unless told."""
    values = np.asarray(values)
    if profile.get("driver", "GTiff") == "GTiff":
        profile = {
            "tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate", **profile,
        }  # fmt: skip
    settings = {
        "driver": "GTiff", "count": values.shape[0], "height": values.shape[1],
        "width": values.shape[2], "dtype": values.dtype.name, "crs": crs,
        "transform": Affine(10, 0, 500000, 0, -10, 6000000),
    }  # fmt: skip
    settings = {k: v for k, v in {**settings, **profile}.items() if v is not None}
    with rasterio.open(path, "w", **settings) as dataset:
        dataset.write(values)
        if mask is not None:
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
                dataset.write_mask(mask)
    if overviews:
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews(list(overviews), rasterio.enums.Resampling.nearest)
    return path


def ramp(bands: int, height: int, width: int, dtype: str = "uint16") -> Any:
    """Smooth values, so that compressed blocks really are compressed."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([(rows // 7 + columns // 5 + 3 * b) % 120 for b in range(bands)]).astype(dtype)


def block_places(path: Path, directory: int = 0) -> list[tuple[int, int]]:
    """Offset and length of every block of a little-endian classic TIFF."""
    data = path.read_bytes()
    assert data[:4] == b"II*\0"
    at = struct.unpack("<I", data[4:8])[0]
    for _ in range(directory):
        count = struct.unpack("<H", data[at : at + 2])[0]
        at = struct.unpack("<I", data[at + 2 + 12 * count : at + 6 + 12 * count])[0]
    tags = {}
    for i in range(struct.unpack("<H", data[at : at + 2])[0]):
        tag, kind, count, value = struct.unpack("<HHII", data[at + 2 + 12 * i : at + 14 + 12 * i])
        tags[tag] = kind, count, value

    def values(tag: int) -> list[int]:
        kind, count, value = tags[tag]
        size, code = {3: (2, "H"), 4: (4, "I")}[kind]
        if count * size <= 4:
            return [value]
        return list(struct.unpack(f"<{count}{code}", data[value : value + count * size]))

    offsets, lengths = (324, 325) if 324 in tags else (273, 279)
    return list(zip(values(offsets), values(lengths), strict=True))


def smash(path: Path, block: int, directory: int = 0) -> None:
    """Overwrites the middle of a compressed block."""
    offset, length = block_places(path, directory)[block]
    data = bytearray(path.read_bytes())
    start = offset + length // 4
    data[start : start + length // 2] = bytes(b ^ 0xFF for b in data[start : start + length // 2])
    path.write_bytes(data)


def overwrite(path: Path, at: float, count: int) -> Path:
    """Replaces bytes at a fraction of a file's length by other ones."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * at)
    data[start : start + count] = np.random.default_rng(7).bytes(len(data[start : start + count]))
    path.write_bytes(data)
    return path


def cut(path: Path, fraction: float) -> Path:
    """Keeps the start of a file."""
    os.truncate(path, int(path.stat().st_size * fraction))
    return path
