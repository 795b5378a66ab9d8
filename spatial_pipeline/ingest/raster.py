"""Raster sources → Cloud Optimized GeoTIFF."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError
from rio_cogeo.cogeo import cog_validate

from spatial_pipeline import block_cache
from spatial_pipeline.checksums import cells_written
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest import cog, gdal_messages, raster_scan
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.integrity import hdf5, tiff_tags
from spatial_pipeline.ingest.integrity import raster as integrity
from spatial_pipeline.ingest.private_view import FOLDER, viewed
from spatial_pipeline.ingest.source import Resolved, named
from spatial_pipeline.ingest.stamp import stamp, unchanged
from spatial_pipeline.versions import BandProfile, BrokenBlock, RasterProfile

Progress = Callable[[int, int | None], None]
DATA = "data.tif"
NAMED_BLOCKS = 5
"""Broken blocks that the error names; the profile has them all."""


def ingest_raster(
    options: ReadOptions, resolved: Resolved, folder: Path, progress: Progress | None = None
) -> RasterProfile:
    """Writes ``folder/data.tif`` and tells what the source is like.

    Every block of the source is decoded first; if one does not, or the source cannot be opened,
    nothing is written and the profile has ``error``.

    Raises:
        OSError: the folder cannot be written.
        StoreError: what was written is not what was read.

    """
    profile = RasterProfile(uri=resolved.uri)
    stack = ExitStack()
    try:
        if options.where is not None:
            msg = "where selects features and cannot be used with a raster"
            raise SourceError(msg)
        local = stack.enter_context(viewed(resolved, folder))
        before = stamp(local)
        path, profile = _described(profile, local, options.layer, options.pixels_per_byte)
        workers = os.cpu_count() or 1
        with gdal_messages.silenced(), rasterio.Env(), rasterio.open(path) as dataset:
            cog.representable(dataset)
        scanned = _scanned(path, workers, progress)
        profile = replace(
            profile,
            broken_blocks=scanned.broken,
            notes=tuple(dict.fromkeys([*profile.notes, *scanned.notes])),
        )
        if scanned.broken:
            raise SourceError(_broken_text(scanned.broken))
        if lost := gdal_messages.losses(scanned.notes):
            msg = f"a block does not decode: {lost[0]}"
            raise SourceError(msg)
        notes = cog.write(path, folder / DATA, scanned.checksums, workers)
        unchanged(local, before)
        return replace(
            profile,
            notes=tuple(dict.fromkeys([*profile.notes, *notes])),
            checksums=cells_written(scanned.sums),
        )
    except SourceError as exc:
        (folder / DATA).unlink(missing_ok=True)
        return replace(profile, error=named(str(exc), resolved, folder / FOLDER))
    finally:
        stack.close()


def _scanned(path: str, workers: int, progress: Progress | None) -> raster_scan.Scan:
    try:
        with gdal_messages.silenced():
            return raster_scan.scan(path, workers, progress)
    except RasterioError as exc:
        raise SourceError(raster_scan.reason_of(exc)) from exc


def _described(
    profile: RasterProfile, resolved: Resolved, layer: str | None, pixels_per_byte: int
) -> tuple[str, RasterProfile]:
    """What GDAL opens, and the metadata of the source."""
    block_cache.bound()
    notes: list[str] = []
    with (
        gdal_messages.kept(notes),
        gdal_messages.logged(notes, "rasterio._env", "rasterio._err"),
        rasterio.Env(**raster_scan.OPTIONS),
    ):
        try:
            hdf5.refuse_links(resolved.files[0])
            path = _dataset_path(resolved.path, layer)
            with rasterio.open(path) as dataset:
                _known_files(dataset, resolved, notes)
                integrity.refuse_declared(dataset, resolved.files, pixels_per_byte)
                _say_pages(dataset, layer, notes)
                profile = _profile(profile, dataset, notes)
                profile = _with_declared_nodata(profile, resolved, notes)
        except SourceError:
            raise
        except Exception as exc:
            raise SourceError(raster_scan.reason_of(exc)) from exc
        errors, warned = _cog_verdict(path, profile.driver)
    notes = [n for n in notes if "not a GeoTIFF" not in n]
    return path, replace(profile, cog_errors=errors, cog_warnings=warned, notes=tuple(notes))


def _dataset_path(path: str, layer: str | None) -> str:
    """The path, or that of the subdataset which the layer names."""
    with rasterio.open(path) as dataset:
        inner = list(dataset.subdatasets)
        bands = dataset.count
    if layer is None:
        if not bands and inner:
            msg = f"{len(inner)} rasters in it, name one of them as layer: " + ", ".join(
                map(_inner_name, inner)
            )
            raise SourceError(msg)
        return path
    for name in inner:
        if _inner_name(name) == layer:
            return str(name)
    listed = ", ".join(map(_inner_name, inner)) or "none"
    msg = f"no layer {layer!r} in it; layers: {listed}"
    raise SourceError(msg)


def _inner_name(subdataset: str) -> str:
    """What a contract calls a subdataset: its last part, the number of a page of a TIFF."""
    if subdataset.startswith("GTIFF_DIR:"):
        return subdataset.split(":", 2)[1]
    return subdataset.rsplit(":", 1)[-1].strip('"')


def _say_pages(dataset: Any, layer: str | None, notes: list[str]) -> None:
    """Notes the rasters of a file that were not asked for."""
    inner = [_inner_name(name) for name in dataset.subdatasets]
    if layer is None and len(inner) > 1:
        notes.append(
            f"{len(inner)} rasters in it, only {inner[0]} is read; layer names another: "
            + ", ".join(inner[:20])
        )


def _with_declared_nodata(
    profile: RasterProfile, resolved: Resolved, notes: list[str]
) -> RasterProfile:
    """The profile with nodata as a TIFF spells it: GDAL rounds it, or turns it into another."""
    text = tiff_tags.nodata_text(resolved.files[0]) if profile.driver == "GTiff" else None
    number = None if text is None else tiff_tags.nodata_number(text)
    if number is None or any(b.data_type.startswith("float") for b in profile.bands):
        return profile
    if all(b.nodata == number for b in profile.bands):
        return profile
    types = sorted({b.data_type for b in profile.bands})
    if not all(np.dtype(t).kind in "iu" for t in types):
        return profile
    if not all(np.iinfo(t).min <= number <= np.iinfo(t).max for t in types):
        notes.append(f"declares nodata {text}, which no pixel of type {', '.join(types)} can have")
    return replace(profile, bands=tuple(replace(b, nodata=number) for b in profile.bands))


def _known_files(dataset: Any, resolved: Resolved, notes: list[str]) -> None:
    """Compares the files that GDAL reads with those that name the version.

    Raises:
        SourceError: GDAL would read a file in another folder that nobody knew of.

    """
    if resolved.files[0].is_dir():
        return
    known = {f.resolve() for f in resolved.files}
    for name in dataset.files:
        file = Path(name).resolve()
        if not file.is_file() or file in known:
            continue
        if file.parent != resolved.files[0].resolve().parent:
            msg = f"reads {file.name} in another folder too, which only a VRT may do"
            raise SourceError(msg)
        notes.append(f"reads {file.name} too, a change of which makes no new version")


def _profile(profile: RasterProfile, dataset: Any, notes: list[str]) -> RasterProfile:
    if dataset.count == 0:
        msg = "no band in it"
        raise SourceError(msg)
    if dataset.gcps[0]:
        notes.append(f"placed by {len(dataset.gcps[0])} ground control points, not by a grid")
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    return replace(
        profile,
        driver=dataset.driver,
        crs=_crs(dataset, notes),
        width=dataset.width,
        height=dataset.height,
        transform=(a, b, c, d, e, f),
        bands=tuple(
            BandProfile(
                data_type=dataset.dtypes[i],
                nodata=_json_number(dataset.nodatavals[i]),
                description=dataset.descriptions[i],
                color_interpretation=dataset.colorinterp[i].name,
                scale=float(dataset.scales[i]),
                offset=float(dataset.offsets[i]),
                unit=dataset.units[i] or None,
            )
            for i in range(dataset.count)
        ),
        block_shapes=tuple((int(h), int(w)) for h, w in dataset.block_shapes),
        compression=dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION"),
        overviews=tuple(int(o) for o in dataset.overviews(1)),
        mask_flags=tuple(tuple(f.name for f in flags) for flags in dataset.mask_flag_enums),
        # GDAL adds this one when it happens to have read another domain first.
        tags={k: v for k, v in dataset.tags().items() if k != "METADATATYPE"},
    )


def _crs(dataset: Any, notes: list[str]) -> str | None:
    if not dataset.crs:
        return None
    try:
        return str(pyproj.CRS.from_wkt(dataset.crs.to_wkt(version="WKT2_2019")).to_wkt())
    except (CRSError, RasterioError) as exc:
        notes.append(f"the CRS is not understood: {' '.join(str(exc).split())[:300]}")
        return None


def _json_number(value: float | None) -> float | str | None:
    """A number as JSON can hold it: NaN and infinities as text."""
    if value is None or math.isfinite(value):
        return value
    return str(float(value))


def _cog_verdict(path: str, driver: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if driver != "GTiff":
        return ("not a GeoTIFF",), ()
    try:
        _, errors, warned = cog_validate(path, strict=False, quiet=True)
    except Exception as exc:  # noqa: BLE001 (a damaged file fails in many ways)
        return (f"cannot be validated: {raster_scan.reason_of(exc)}",), ()
    return tuple(errors), tuple(warned)


def _broken_text(broken: tuple[BrokenBlock, ...]) -> str:
    named = "; ".join(
        f"band {b.band}, "
        + (f"overview {b.overview}, " if b.overview else "")
        + f"block row {b.row}, column {b.column}: {b.reason}"
        for b in broken[:NAMED_BLOCKS]
    )
    more = f"; and {len(broken) - NAMED_BLOCKS} more" if len(broken) > NAMED_BLOCKS else ""
    return f"{len(broken)} blocks do not decode: {named}{more}"
