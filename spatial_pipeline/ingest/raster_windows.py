"""Windows of whole blocks of a raster: planning and reading them, one open dataset a thread.

Properties of rasterio that list all bands cost a call a band, so they are asked for once an open
dataset, never once a band: rasters with thousands of bands would take quadratic time.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from spatial_pipeline.contract.vocabulary import Bounds

WINDOW_BYTES = 16 << 20
"""Decoded bytes of a window, all bands together, unless one block is larger."""
OPTIONS: dict[str, Any] = {
    # Without it libjpeg fills what is missing with grey and only warns.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    # A file describes data; it neither fetches any from the network nor runs code.
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{noop}",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
Cell = tuple[int, int, int, int]
"""row_off, col_off, height, width."""
_DERIVED = frozenset({MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha})


@dataclass(frozen=True)
class Opened:
    """An open dataset of one thread, and what is the same for all of its windows.

    Attributes:
        dataset: opened with rasterio.
        block_shapes: (height, width) of a block, by band from 0.
        masked: bands (from 0) with a mask that has pixels of its own; masks of others follow from
            nodata or an alpha band.

    """

    dataset: Any
    block_shapes: tuple[tuple[int, int], ...]
    masked: tuple[int, ...]

    @classmethod
    def of(cls, dataset: Any) -> Self:
        """Asks an open dataset once for what its bands are like."""
        return cls(
            dataset,
            tuple((int(h), int(w)) for h, w in dataset.block_shapes),
            tuple(
                band
                for band, flags in enumerate(dataset.mask_flag_enums)
                if not _DERIVED & set(flags)
            ),
        )

    def blocks(self, band: int, cell: Cell) -> Iterator[tuple[int, int, Window]]:
        """Blocks of a band (from 1) that meet a window: block row, block column, pixels."""
        row_off, col_off, height, width = cell
        block_height, block_width = self.block_shapes[band - 1]
        for row in range(row_off // block_height, -(-(row_off + height) // block_height)):
            for column in range(col_off // block_width, -(-(col_off + width) // block_width)):
                top, left = row * block_height, column * block_width
                yield (
                    row,
                    column,
                    Window(
                        left,
                        top,
                        min(block_width, self.dataset.width - left),
                        min(block_height, self.dataset.height - top),
                    ),
                )

    def window(self, cell: Cell) -> Window:
        """The window as rasterio has it."""
        row_off, col_off, height, width = cell
        return Window(col_off, row_off, width, height)

    def extent(self, window: Window) -> Bounds:
        """Bounds of a window in the units of the CRS: xmin, ymin, xmax, ymax."""
        a, b, c, d, e, f = tuple(self.dataset.transform)[:6]
        columns = (window.col_off, window.col_off + window.width)
        rows = (window.row_off, window.row_off + window.height)
        xs = [a * column + b * row + c for column in columns for row in rows]
        ys = [d * column + e * row + f for column in columns for row in rows]
        return min(xs), min(ys), max(xs), max(ys)

    def read(self, cell: Cell) -> tuple[NDArray[Any], dict[int, NDArray[Any]]]:
        """Pixels of a window, and the masks of the masked bands (from 0).

        Raises:
            RasterioError: the window does not decode.

        """
        window = self.window(cell)
        masks = {band: self.dataset.read_masks(band + 1, window=window) for band in self.masked}
        return self.dataset.read(window=window), masks


class Handles:
    """One open dataset a thread: GDAL datasets are never shared. A context manager."""

    def __init__(self, path: str, overview: int = 0) -> None:
        self.path = path
        self.overview = overview
        self._local = threading.local()
        self._all: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for dataset in self._all:
            dataset.close()

    def get(self) -> Opened:
        """The dataset of this thread."""
        if not hasattr(self._local, "opened"):
            level = {"overview_level": self.overview - 1} if self.overview else {}
            dataset = rasterio.open(self.path, **level)
            self._all.append(dataset)
            self._local.opened = Opened.of(dataset)
        opened: Opened = self._local.opened
        return opened


def cells(opened: Opened) -> Iterator[Cell]:
    """Windows of whole blocks that cover a dataset."""
    dataset = opened.dataset
    block_height, block_width = opened.block_shapes[0]
    pixel = sum(np.dtype(_numpy_type(t)).itemsize for t in dataset.dtypes)
    blocks = max(1, WINDOW_BYTES // (block_height * block_width * pixel))
    across = min(blocks, -(-dataset.width // block_width))
    down = max(1, blocks // across)
    if dataset.driver == "PNG":
        # Read as a whole, a cut PNG is filled up without a word.
        down = max(1, min(down, -(-dataset.height // block_height) // 2))
    height, width = block_height * down, block_width * across
    for row in range(0, dataset.height, height):
        for column in range(0, dataset.width, width):
            yield row, column, min(height, dataset.height - row), min(width, dataset.width - column)


def checksum(values: NDArray[Any], masks: dict[int, NDArray[Any]]) -> int:
    """CRC-32 of the pixels and masks of a window."""
    value = zlib.crc32(values.data)
    for mask in masks.values():
        value = zlib.crc32(mask.data, value)
    return value


def _numpy_type(name: str) -> str:
    return "complex64" if name == "complex_int16" else name
