"""Promises of a raster's header that its bytes cannot keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity import (
    hdf5,
    hfa,
    netcdf3,
    png,
    raw,
    sqlite,
    text_grids,
    tiles,
)

SMALL_PIXELS = 1 << 22
"""A raster up to this size may be as empty as it likes."""
_TEXT_GRIDS = frozenset({"AAIGrid", "GRASSASCIIGrid", "ISG", "GSAG", "ZMap", "XYZ"})
"""Drivers without random access: each block is found by reading all before it."""


def is_sequential(driver: str) -> bool:
    """Whether a damaged block of this driver ends the scan: what follows cannot be found."""
    return driver in _TEXT_GRIDS


def before(file: Path) -> None:
    """Checks the structure of a file before GDAL reads it.

    Raises:
        SourceError: it is damaged, or keeps its values elsewhere.

    """
    if not file.is_file() or not file.stat().st_size:
        return
    hdf5.refuse_links(file)
    sqlite.verify(file)
    png.verify_header(file)
    netcdf3.verify(file)
    hfa.verify(file)


def after(file: Path) -> None:
    """Checks what decoders pass over, once all blocks have decoded.

    Raises:
        SourceError: the file is damaged all the same.

    """
    if file.is_file():
        png.verify(file)


def refuse_declared(dataset: Any, files: Sequence[Path], most: int) -> None:
    """Refuses a raster that declares what its files cannot hold.

    Args:
        dataset: the open raster.
        files: all of its files.
        most: most pixels for each byte.

    Raises:
        SourceError: naming the promise, and the setting that raises the limit.

    """
    present = sum(f.stat().st_size for f in files if f.is_file())
    pixels = dataset.width * dataset.height * dataset.count
    if pixels > SMALL_PIXELS and pixels > most * present:
        msg = (
            f"declares {dataset.width} × {dataset.height} pixels in {dataset.count} bands and has "
            f"{present} bytes: more than {most} pixels a byte (SPATIAL_MAX_PIXELS_PER_BYTE)"
        )
        raise SourceError(msg)
    raw.verify(dataset, files)
    text_grids.verify(dataset, files[0])
    tiles.verify(dataset, files[0])
