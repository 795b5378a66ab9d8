"""Promises of a raster's header that its bytes cannot keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_pipeline.errors import SourceError

SMALL_PIXELS = 1 << 22
"""A raster up to this size may be as empty as it likes."""
_RAW = frozenset({"ENVI", "EHdr", "GenBin", "ROI_PAC", "ISCE", "RRASTER", "KRO", "SNODAS", "LAN"})
"""Drivers of formats that are nothing but pixels, uncompressed."""
_TEXT_GRIDS = frozenset({"AAIGrid", "GRASSASCIIGrid", "ISG", "GSAG", "ZMap", "XYZ"})
"""Drivers without random access: each block is found by reading all before it."""


def is_sequential(driver: str) -> bool:
    """Whether a damaged block of this driver ends the scan: what follows cannot be found."""
    return driver in _TEXT_GRIDS


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
    compressed = dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION")
    if dataset.driver in _RAW and compressed is None and files:
        size = sum(np.dtype(t).itemsize for t in dataset.dtypes if not t.startswith("complex_"))
        needed = dataset.width * dataset.height * size
        data = max(f.stat().st_size for f in files if f.is_file())
        if data < needed:
            msg = f"its header promises {needed} bytes of pixels, the file has {data}"
            raise SourceError(msg)
