"""Checksums of deflated TIFF blocks.

zlib writes an Adler-32 behind every stream. libtiff stops reading when a block is full and then
does not compare it, so a block that was changed in the middle can come out as other pixels without
a word.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any, Self

import rasterio


class Streams:
    """The compressed blocks of one TIFF; a context manager.

    Args:
        path: the file.

    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptors: dict[str, int] = {}
        self._overviews: dict[int, bool] = {}

    def _deflated(self, overview: int) -> bool:
        """Whether an overview is deflated: a file beside may have a compression of its own."""
        if overview not in self._overviews:
            with rasterio.open(self._path, overview_level=overview - 1) as opened:
                tags = opened.tags(ns="IMAGE_STRUCTURE")
            self._overviews[overview] = tags.get("COMPRESSION") == "DEFLATE"
        return self._overviews[overview]

    def __enter__(self) -> Self:
        for suffix in ("", ".ovr"):
            if Path(self._path + suffix).is_file():
                self._descriptors[suffix] = os.open(self._path + suffix, os.O_RDONLY)
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)

    def reason(self, dataset: Any, overview: int, band: int, row: int, column: int) -> str | None:
        """Why a block is damaged; None when it is whole, or not there because it is sparse.

        Args:
            dataset: the file at full resolution, opened by this thread.
            overview: 0 for full resolution, else 1-based level.
            band: 1-based band.
            row: block row.
            column: block column.

        """
        level = None if overview == 0 else overview - 1
        if overview and not self._deflated(overview):
            return None
        place = [
            dataset.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band, ovr=level)
            for what in ("OFFSET", "SIZE")
        ]
        if None in place:
            return None
        offset, size = (int(p) for p in place)
        external = bool(overview) and ".ovr" in self._descriptors
        raw = os.pread(self._descriptors[".ovr" if external else ""], size, offset)
        stream = zlib.decompressobj()
        try:
            stream.decompress(raw)
        except zlib.error as exc:
            return f"deflated data is damaged: {exc}"
        return None if stream.eof else "deflated data is damaged: it has no end"


def applies(dataset: Any, path: str) -> bool:
    """True for a deflated TIFF that is a file of its own; the archive has a checksum for others."""
    return (
        dataset.driver == "GTiff"
        and dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION") == "DEFLATE"
        and Path(path).is_file()
    )
