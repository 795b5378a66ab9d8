"""Raster sources → Cloud Optimized GeoTIFF."""

from __future__ import annotations

import itertools
import math
import os
import struct
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import pyproj
import rasterio
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError
from rio_cogeo.cogeo import cog_validate

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest import (
    cog,
    gdal_messages,
    georeference,
    raster_nodata,
    raster_pages,
    raster_scan,
    raster_tags,
    raster_vrt,
    raster_windows,
)
from spatial_pipeline.ingest.conformance import geotiff
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.integrity import (
    crs_texts,
    netcdf_values,
    raster_texts,
    tiff_directory,
    tiff_layout,
)
from spatial_pipeline.ingest.integrity import raster as integrity
from spatial_pipeline.ingest.private_view import FOLDER, viewed
from spatial_pipeline.model.conformance import FormatEvidence
from spatial_pipeline.model.hashing.checksums import cells_written
from spatial_pipeline.model.profile import BandProfile, BrokenBlock, RasterProfile
from spatial_pipeline.runtime import gdal_cache
from spatial_pipeline.sources.local import SourceFiles, named
from spatial_pipeline.sources.stamp import stamp, unchanged

Progress = Callable[[int, int | None], None]
DATA = "data.tif"
NAMED_BLOCKS = 5
"""Broken blocks that the error names; the profile has them all."""
NAMED_TEXTS = 10
"""Texts in another encoding that the notes name."""


def ingest_raster(
    options: ReadOptions, resolved: SourceFiles, folder: Path, progress: Progress | None = None
) -> RasterProfile:
    """Writes ``folder/data.tif`` and tells what the source is like.

    Every block of the source is decoded first; if one does not, or the source cannot be opened,
    nothing is written and the profile has ``error``.

    Raises:
        OSError: the folder cannot be written.
        StoreError: the staged data differ from the source.

    """
    profile = RasterProfile(uri=resolved.uri)
    local = None
    stack = ExitStack()
    try:
        if options.where is not None:
            msg = "where selects features and cannot be used with a raster"
            raise SourceError(msg)
        # Of the source, not of the view, whose copy of a database changes when its log is read.
        before = stamp(resolved)
        local = stack.enter_context(viewed(resolved, folder))
        choice, original, profile, damage = _described(profile, local, options)
        workers = os.cpu_count() or 1
        with gdal_messages.silenced(), rasterio.Env(), rasterio.open(choice.path) as dataset:
            cog.representable(dataset, original.nodata)
        scanned = _scanned(choice.path, workers, progress)
        profile = replace(
            profile,
            broken_blocks=scanned.broken,
            notes=_joined(profile.notes, scanned.notes, raster_pages.damage(choice)),
        )
        if scanned.broken:
            raise SourceError(_broken_text(scanned.broken))
        if lost := gdal_messages.losses(scanned.notes):
            msg = f"a block does not decode: {lost[0]}"
            raise SourceError(msg)
        if damage is not None:
            raise SourceError(damage)
        integrity.after(local.files[0])
        notes = cog.write(original, folder / DATA, scanned.checksums, workers)
        unchanged(resolved, before)
        return replace(
            profile,
            notes=_joined(profile.notes, notes),
            checksums=cells_written(scanned.sums),
        )
    except SourceError as exc:
        for name in (DATA, DATA + ".aux.xml"):
            (folder / name).unlink(missing_ok=True)
        error = named(str(exc), resolved, folder / FOLDER)
        judged = profile.conformance or _structure(local, error)
        return replace(profile, error=error, conformance=judged)
    finally:
        stack.close()


def _structure(local: SourceFiles | None, error: str) -> FormatEvidence | None:
    """Findings about a TIFF that cannot be read; None where nothing but that is wrong."""
    file = None if local is None else local.files[0]
    try:
        if file is None or not file.is_file() or tiff_directory.chain(file) is None:
            return None
        found = geotiff.judge(file, 1, [error], ()).evidence()
    except (OSError, ValueError, struct.error):
        return None
    return found if any(f.standard != geotiff.COG for f in found.findings) else None


def _scanned(path: str, workers: int, progress: Progress | None) -> raster_scan.Scan:
    try:
        with gdal_messages.silenced():
            return raster_scan.scan(path, workers, progress)
    except RasterioError as exc:
        raise SourceError(raster_scan.reason_of(exc)) from exc


def _described(
    profile: RasterProfile, local: SourceFiles, options: ReadOptions
) -> tuple[raster_pages.Choice, cog.Original, RasterProfile, str | None]:
    """The raster that is read, the one staged for it, its metadata, and damage of its blocks."""
    gdal_cache.bound()
    file = Path(local.path)
    notes: list[str] = []
    layout = tiff_layout.BlockLayout()
    with (
        gdal_messages.kept(notes),
        gdal_messages.logged(notes, "rasterio._env", "rasterio._err"),
        rasterio.Env(**raster_windows.OPTIONS),
    ):
        try:
            integrity.before(local.files[0])
            choice = raster_pages.choose(local.path, options.layer)
            with rasterio.open(choice.path) as dataset:
                _known_files(dataset, local)
                page, masks = _page(file, choice, dataset.driver)
                if page is not None:
                    layout = tiff_layout.verify(file, [page, *masks])
                georeference.check(dataset, page)
                integrity.refuse_declared(dataset, local.files, options.pixels_per_byte)
            if options.overview:
                choice = replace(
                    choice, path=raster_vrt.overview(choice.path, options.overview, file.parent)
                )
            with rasterio.open(choice.path) as dataset:
                original, told = _original(dataset, choice, file, page, options.encoding)
                told += netcdf_values.notes(dataset, file, placed=georeference.placed(dataset))
                profile = _profile(profile, dataset, notes)
                unused = crs_texts.of_raster(
                    dataset.driver, local, dataset.tags(), placed=profile.crs is not None
                )
                notes += [text.note() for text in unused]
            with rasterio.open(original.path) as dataset:
                profile = _with_texts(profile, dataset, original)
        except SourceError:
            raise
        except Exception as exc:
            raise SourceError(raster_scan.reason_of(exc)) from exc
        errors, warned = _cog_verdict(choice.path, profile.driver)
        judged = None
        if page is not None:
            judged = geotiff.judge(file, page.number, errors, warned).evidence()
    notes = [n for n in notes if "not a GeoTIFF" not in n]
    profile = replace(
        profile,
        cog_errors=errors,
        cog_warnings=warned,
        conformance=judged,
        notes=_joined(choice.notes, layout.notes, told, notes),
    )
    return choice, original, profile, layout.damage


def _page(
    file: Path, choice: raster_pages.Choice, driver: str
) -> tuple[tiff_directory.Directory | None, list[tiff_directory.Directory]]:
    """The page of a TIFF that is read, None for other files, and its masks."""
    chain = tiff_directory.chain(file) if driver == "GTiff" and file.is_file() else None
    found = [] if chain is None else [d for d in chain.directories if d.number >= choice.page]
    if not found or found[0].number != choice.page:
        return None, []
    own = itertools.takewhile(lambda d: not d.image, found[1:])
    return found[0], [d for d in own if d.mask]


def _original(
    dataset: Any,
    choice: raster_pages.Choice,
    file: Path,
    page: tiff_directory.Directory | None,
    encoding: str | None,
) -> tuple[cog.Original, list[str]]:
    """Dataset to copy to the staged file: the raster itself, or a VRT that mends its texts."""
    tags = raster_tags.loaded(dataset)
    description = raster_vrt.described(dataset, file.parent)
    used = frozenset(Path(name).absolute() for name in dataset.files)
    written = raster_texts.Written()
    if file.is_file():
        written = raster_texts.written(
            file, dataset.driver, placed=georeference.placed(dataset), used=used
        )
    general = written.nodata.get(0)
    if general is None and page is not None and page.nodata is not None:
        general = page.nodata.decode("latin-1")
    texts = [written.nodata.get(band, general) for band in dataset.indexes]
    nodata = raster_nodata.of_bands(dataset, texts, description.nodata())
    misfits = description.misfits()
    notes = [*written.notes, *raster_nodata.note(nodata, dataset.dtypes)]
    notes += [_misfit(what, data, encoding) for what, data in misfits[:NAMED_TEXTS]]
    if len(misfits) > NAMED_TEXTS:
        notes.append(f"{len(misfits) - NAMED_TEXTS} more texts are not UTF-8")
    if not misfits and not any(n.misread for n in nodata):
        return cog.Original(choice.path, nodata, tags), notes
    carried = [None if n.carried is None else raster_nodata.shown(n.carried) for n in nodata]
    mended = str(description.write(encoding, carried))
    with rasterio.open(mended) as dataset_of_vrt:
        return cog.Original(mended, nodata, raster_tags.loaded(dataset_of_vrt)), notes


def _misfit(what: str, data: bytes, encoding: str | None) -> str:
    if encoding is not None:
        try:
            return f"{what} is not UTF-8, read as {encoding}: {data.decode(encoding)!r}"
        except UnicodeDecodeError:
            return f"{what} is neither UTF-8 nor {encoding}: {data!r}"
    return f"{what} is not UTF-8: {data!r}; source: {{encoding: …}} says which encoding it has"


def _joined(*notes: Iterable[str]) -> tuple[str, ...]:
    """Notes in order, each once."""
    return tuple(dict.fromkeys(itertools.chain(*notes)))


def _known_files(dataset: Any, resolved: SourceFiles) -> None:
    """Compares the files that GDAL reads with those that name the version.

    Raises:
        SourceError: GDAL would read a file that is none of the source's.

    """
    if resolved.files[0].is_dir():
        return
    known = {f.resolve() for f in resolved.files}
    for name in dataset.files:
        file = Path(name).resolve()
        if file.is_file() and file not in known:
            msg = f"reads {file.name} too, which is not a file of the source"
            raise SourceError(msg)


def _profile(profile: RasterProfile, dataset: Any, notes: list[str]) -> RasterProfile:
    if dataset.count == 0:
        msg = "no band in it"
        raise SourceError(msg)
    if dataset.gcps[0]:
        notes.append(f"placed by {len(dataset.gcps[0])} ground control points, not by a grid")
    return replace(
        profile,
        driver=dataset.driver,
        crs=_crs(dataset, notes),
        width=dataset.width,
        height=dataset.height,
        transform=georeference.transform_of(dataset),
        block_shapes=tuple((int(h), int(w)) for h, w in dataset.block_shapes),
        compression=dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION"),
        overviews=tuple(int(o) for o in dataset.overviews(1)),
    )


def _with_texts(profile: RasterProfile, dataset: Any, original: cog.Original) -> RasterProfile:
    """The profile with what a VRT may have mended: texts, nodata, and the masks from it."""
    # Each of these lists costs a call a band.
    columns = (
        dataset.dtypes, original.nodata, dataset.descriptions, dataset.colorinterp, dataset.scales,
        dataset.offsets, dataset.units,
    )  # fmt: skip
    return replace(
        profile,
        bands=tuple(
            BandProfile(
                data_type=dtype,
                nodata=_json_number(nodata.declared),
                description=description,
                color_interpretation=color.name,
                scale=_json_number(float(scale)),
                offset=_json_number(float(offset)),
                unit=unit or None,
            )
            for dtype, nodata, description, color, scale, offset, unit in zip(*columns, strict=True)
        ),
        mask_flags=tuple(tuple(f.name for f in flags) for flags in dataset.mask_flag_enums),
        tags={n: v for (band, domain, n), v in original.tags.items() if not band and not domain},
    )


def _crs(dataset: Any, notes: list[str]) -> str | None:
    if not dataset.crs:
        return None
    try:
        return str(pyproj.CRS.from_wkt(dataset.crs.to_wkt(version="WKT2_2019")).to_wkt())
    except (CRSError, RasterioError) as exc:
        notes.append(f"the CRS is not understood: {' '.join(str(exc).split())[:300]}")
        return None


@overload
def _json_number(value: None) -> None: ...
@overload
def _json_number(value: float) -> float | str: ...
def _json_number(value: float | None) -> float | str | None:
    """A number as JSON can hold it: NaN and infinities as text, integers with all their digits."""
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
