"""Writes staged raster data: a lossless Cloud Optimized GeoTIFF, read back before it counts."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError

from spatial_pipeline.errors import SourceError, StoreError
from spatial_pipeline.ingest import (
    gdal_messages,
    raster_nodata,
    raster_scan,
    raster_tags,
    raster_vrt,
    raster_windows,
)
from spatial_pipeline.ingest.raster_nodata import BandNodata
from spatial_pipeline.ingest.raster_tags import OWN_DOMAINS, Tags

BLOCK_SIZE = 512
PROBE_BYTES = 1 << 20
"""Bytes that a disk must still take for a failed copy to be the fault of the source."""
TILE_BYTES = 16 << 20
"""Largest decoded tile, all bands together; more bands get smaller tiles."""
_UNSUPPORTED = re.compile(r"not supported|unsupported", re.IGNORECASE)


@dataclass(frozen=True)
class Original:
    """The raster that is staged.

    Attributes:
        path: path for GDAL: the source, or a VRT that mends its texts.
        nodata: of every band.
        tags: of all domains, as they are after all were loaded.

    """

    path: str
    nodata: tuple[BandNodata, ...]
    tags: Tags


def write(
    original: Original, target: Path, checksums: dict[raster_windows.Cell, int], workers: int
) -> tuple[str, ...]:
    """Copies a raster with everything it carries and compares the copy with the original.

    Args:
        original: dataset to copy.
        target: file to write.
        checksums: see ``raster_scan.Scan``.
        workers: threads.

    Returns:
        What of the descriptive metadata the format could not carry.

    Raises:
        SourceError: the source has something that a GeoTIFF cannot hold.
        StoreError: the disk is full, not writable, or holds something else than was written.

    """
    with gdal_messages.silenced(), rasterio.Env(**raster_windows.OPTIONS):
        with rasterio.open(original.path) as source:
            raster_tags.loaded(source)
            _copy(source, target, _options(source, workers))
        _one_place_for_tags(original, target)
        try:
            with rasterio.open(original.path) as source, rasterio.open(target) as staged:
                lost = _differences(original, source, staged)
            staged_sums = raster_scan.checksums(str(target), list(checksums), workers)
        except RasterioError as exc:
            msg = f"{target} cannot be read back: {raster_scan.reason_of(exc)}"
            raise StoreError(msg) from exc
    if staged_sums != checksums:
        _refuse_changing(original.path, target, checksums, workers)
        msg = f"{target} does not hold the pixels and masks that were read"
        raise StoreError(msg)
    return tuple(lost)


def _one_place_for_tags(original: Original, target: Path) -> None:
    """Removes the ``.IMD`` that GDAL writes beside a TIFF, and keeps what the TIFF did not get."""
    target.with_suffix(".IMD").unlink(missing_ok=True)
    with rasterio.open(target) as staged:
        lost = raster_tags.lost(original.tags, raster_tags.loaded(staged))
    if lost:
        raster_tags.carry(target, lost)


def _copy(source: Any, target: Path, options: dict[str, Any]) -> None:
    try:
        rasterio.shutil.copy(source, target, driver="COG", **options)
    except Exception as exc:
        target.unlink(missing_ok=True)
        reason = raster_scan.reason_of(exc)
        if _UNSUPPORTED.search(reason):
            msg = f"cannot be written as a Cloud Optimized GeoTIFF: {reason}"
            raise SourceError(msg) from exc
        if _writable(target.parent):
            msg = f"its pixels cannot be copied, so it is damaged: {reason}"
            raise SourceError(msg) from exc
        # A profile with an error would stay under the name of a source that is sound.
        msg = f"{target} cannot be written: {reason}"
        raise StoreError(msg) from exc


def _writable(folder: Path) -> bool:
    """Whether a folder takes a few bytes more, so that a failed copy is not the disk's fault."""
    probe = folder / ".probe"
    try:
        with probe.open("wb") as opened:
            opened.write(bytes(PROBE_BYTES))
            opened.flush()
            os.fsync(opened.fileno())
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def _refuse_changing(
    path: str, target: Path, checksums: dict[raster_windows.Cell, int], workers: int
) -> None:
    """Refuses a source that decodes to other pixels when it is read again.

    Raises:
        SourceError: naming the first window that changed.

    """
    try:
        again = raster_scan.checksums(path, list(checksums), workers)
        whole = raster_scan.reread(path, list(checksums))
    except RasterioError as exc:
        target.unlink(missing_ok=True)
        msg = f"a block decodes only sometimes: {raster_scan.reason_of(exc)}"
        raise SourceError(msg) from exc
    changed = [c for c in checksums if again[c] != checksums[c] or whole[c] != checksums[c]]
    if changed:
        row, column, height, width = changed[0]
        target.unlink(missing_ok=True)
        msg = (
            f"{len(changed)} windows decode to other pixels each time, so blocks in them are "
            f"damaged; the first has rows {row} to {row + height - 1}, columns {column} to "
            f"{column + width - 1}"
        )
        raise SourceError(msg)


def _options(source: Any, workers: int) -> dict[str, Any]:
    options: dict[str, Any] = {
        "COMPRESS": "ZSTD",
        # A third of the time of GDAL's 9 for a twentieth more bytes.
        "LEVEL": 3,
        "BIGTIFF": "IF_SAFER",
        "BLOCKSIZE": _block_size(source),
        "NUM_THREADS": workers,
        # Those of the source may show something else than its pixels.
        "OVERVIEWS": "IGNORE_EXISTING",
        # Averages of class codes would be codes that do not occur.
        "OVERVIEW_RESAMPLING": "NEAREST",
    }
    # GDAL copies either the tags of bands or all domains of the dataset, not both.
    of_bands = any(source.tags(band) for band in source.indexes)
    if not of_bands and set(source.tag_namespaces()) - OWN_DOMAINS:
        options["COPY_SRC_MDD"] = "YES"
    bits = {source.tags(band, ns="IMAGE_STRUCTURE").get("NBITS") for band in source.indexes}
    if not any(t.startswith("complex") for t in source.dtypes) and bits == {None}:
        options["PREDICTOR"] = "YES"
    return options


def _block_size(source: Any) -> int:
    size = BLOCK_SIZE
    while size > 128 and size * size * _pixel_bytes(source) > TILE_BYTES:
        size //= 2
    return size


def _pixel_bytes(source: Any) -> int:
    return sum(4 if t == "complex_int16" else int(np.dtype(t).itemsize) for t in source.dtypes)


def representable(source: Any, nodata: Sequence[BandNodata]) -> None:
    """Refuses what a GeoTIFF has no place for and what would change the data.

    Args:
        source: opened with rasterio.
        nodata: of every band.

    Raises:
        SourceError: naming it.

    """
    if len(set(source.dtypes)) > 1:
        msg = f"bands of different types ({', '.join(source.dtypes)}) cannot be staged in one file"
        raise SourceError(msg)
    values = {str(n.carried) for n in nodata}
    if len(values) > 1:
        msg = f"bands with different nodata values ({', '.join(sorted(values))}) cannot be staged"
        raise SourceError(msg)
    own = [
        set(flags) & {MaskFlags.per_dataset, MaskFlags.alpha, MaskFlags.nodata, MaskFlags.all_valid}
        for flags in source.mask_flag_enums
    ]
    if not all(own):
        msg = "masks of single bands cannot be staged: a GeoTIFF has one mask for all bands"
        raise SourceError(msg)


def _differences(original: Original, source: Any, staged: Any) -> list[str]:
    """Descriptive metadata that the copy does not have."""
    lost: list[str] = []
    for name in (
        "count", "dtypes", "width", "height", "transform", "descriptions", "colorinterp", "scales",
        "offsets", "units", "mask_flag_enums", "crs", "gcps",
    ):  # fmt: skip
        before, after = getattr(source, name), getattr(staged, name)
        if name == "gcps":
            before, after = [str(g) for g in before[0]], [str(g) for g in after[0]]
        if before != after:
            lost.append(f"{name} not carried over: {before} became {after}"[:500])
    lost += _nodata(original.nodata, staged)
    missing = raster_tags.lost(original.tags, raster_tags.loaded(staged))
    for band, domain, name in missing:
        where = f"band {band}" if band else "dataset"
        lost.append(f"tag {domain}/{name} of the {where} not carried over")
    lost += [
        f"colour table of band {band} not carried over"
        for band in range(1, source.count + 1)
        if _colors(source, band) != _colors(staged, band)
    ]
    return lost


def _nodata(nodata: Sequence[BandNodata], staged: Any) -> list[str]:
    """Nodata values that the copy does not declare, compared with all their digits."""
    found = raster_vrt.described(staged, Path(staged.name).parent).nodata()
    declared = [None if v is None else raster_nodata.exact(v) for v in found]
    return [
        f"nodata of band {band} not carried over: {each.carried} became {value}"
        for band, (each, value) in enumerate(zip(nodata, declared, strict=True), 1)
        if not raster_nodata.equal(each.carried, value)
    ]


def _colors(dataset: Any, band: int) -> Any:
    try:
        return dataset.colormap(band)
    except ValueError:
        return None
