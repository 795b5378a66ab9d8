"""Decodes every block of a raster once: names those that do not decode, sums up those that do."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Interleaving, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from spatial_pipeline import checksums as position_free
from spatial_pipeline.ingest import gdal_messages
from spatial_pipeline.ingest.integrity import raster as integrity
from spatial_pipeline.ingest.integrity import tiff_adler
from spatial_pipeline.versions import Bounds, BrokenBlock

WINDOW_BYTES = 16 << 20
"""Decoded bytes of a window, all bands together, unless one block is larger."""
OPTIONS: dict[str, Any] = {
    # Without it libjpeg fills what is missing with grey and only warns.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    # A file describes data; it neither fetches any from the network nor runs code.
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{noop}",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
STREAMS = frozenset({"JPEG", "PNG"})
"""Drivers of formats that are one stream of rows."""
Cell = tuple[int, int, int, int]
"""row_off, col_off, height, width."""


@dataclass(frozen=True)
class Scan:
    """What decoding a raster found.

    Attributes:
        broken: blocks that do not decode, by overview, band, row and column.
        checksums: CRC-32 of pixels and masks of every window at full resolution.
        sums: sums of pixels and masks by band and cell, see ``checksums.add_window``.
        notes: what GDAL warned of.

    """

    broken: tuple[BrokenBlock, ...]
    checksums: dict[Cell, int]
    sums: NDArray[np.uint64]
    notes: tuple[str, ...]


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

    def get(self) -> Any:
        """The dataset of this thread."""
        if not hasattr(self._local, "dataset"):
            level = {"overview_level": self.overview - 1} if self.overview else {}
            self._local.dataset = rasterio.open(self.path, **level)
            self._all.append(self._local.dataset)
        return self._local.dataset


def scan(
    path: str, workers: int, progress: Callable[[int, int | None], None] | None = None
) -> Scan:
    """Decodes every block of every band, overview and mask.

    Args:
        path: what GDAL opens.
        workers: threads.
        progress: called with windows done and windows in all.

    Raises:
        RasterioError: the raster or one of its overviews cannot be opened.

    """
    notes: list[str] = []
    with rasterio.Env(**OPTIONS), rasterio.open(path) as dataset:
        # Bands may differ in their overviews; the level of band 1 is what opens.
        levels = 1 + len(dataset.overviews(1))
        checked = tiff_adler.applies(dataset, path)
        pixels = _Pixels(dataset.count, dataset.width, dataset.height)
    plan: list[tuple[int, list[Cell]]] = []
    for overview in range(levels):
        with rasterio.Env(**OPTIONS), Handles(path, overview) as handles:
            plan.append((overview, list(cells(handles.get()))))
    total = sum(len(windows) for _, windows in plan)
    done = 0
    broken: list[BrokenBlock] = []
    sums: dict[Cell, int] = {}
    with (
        Handles(path) as whole,
        tiff_adler.Streams(path) if checked else nullcontext() as streams,
    ):
        for overview, windows in plan:
            with Handles(path, overview) as handles, ThreadPoolExecutor(workers) as pool:
                counted = None if overview else pixels
                decode = _Decoder(handles, whole, streams, notes, counted)
                for cell, (checksum, bad) in zip(windows, pool.map(decode, windows), strict=True):
                    broken += bad
                    if checksum is not None and overview == 0:
                        sums[cell] = checksum
                    done += 1
                    if progress is not None:
                        progress(done, total)
    broken = _through_to_the_end(broken, path)
    broken.sort(key=lambda b: (b.overview, b.band, b.row, b.column))
    return Scan(tuple(broken), sums, pixels.sums, tuple(notes))


def _through_to_the_end(broken: list[BrokenBlock], path: str) -> list[BrokenBlock]:
    """With everything behind the first broken row of a picture that is one stream of rows.

    Once such a stream is broken, libjpeg and libpng make up what follows without a word.
    """
    known = {(b.overview, b.band, b.row, b.column): b for b in broken}
    for overview in {b.overview for b in broken}:
        with rasterio.Env(**OPTIONS), Handles(path, overview) as handles:
            dataset = handles.get()
            if dataset.driver not in STREAMS:
                return broken
            first = min((b for b in broken if b.overview == overview), key=lambda b: b.row)
            whole = (0, 0, dataset.height, dataset.width)
            for band in range(1, dataset.count + 1):
                for row, column, window in _blocks(dataset, band, whole):
                    if row >= first.row:
                        bounds = _extent(window, dataset.transform)
                        block = BrokenBlock(band, overview, row, column, bounds, first.reason)
                        known.setdefault((overview, band, row, column), block)
    return list(known.values())


def checksums(path: str, windows: list[Cell], workers: int) -> dict[Cell, int]:
    """CRC-32 of pixels and masks of windows.

    Raises:
        RasterioError: a window does not decode.

    """

    def one(cell: Cell) -> int:
        with rasterio.Env(**OPTIONS):
            return _checksum(*_read(handles.get(), cell))

    with Handles(path) as handles, ThreadPoolExecutor(workers) as pool:
        return dict(zip(windows, pool.map(one, windows), strict=True))


def reread(path: str, windows: list[Cell]) -> dict[Cell, int]:
    """CRC-32 of pixels and masks of windows, each read with a dataset of its own.

    A decoder that keeps something from one block to the next gives other pixels then.

    Raises:
        RasterioError: a window does not decode.

    """
    found = {}
    for cell in windows:
        with rasterio.Env(**OPTIONS), Handles(path) as handles:
            found[cell] = _checksum(*_read(handles.get(), cell))
    return found


def cells(dataset: Any) -> Iterator[Cell]:
    """Windows of whole blocks that cover a dataset."""
    block_height, block_width = dataset.block_shapes[0]
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


class _Pixels:
    """Sums of pixels that several threads add to."""

    def __init__(self, bands: int, width: int, height: int) -> None:
        self.sums = position_free.empty_cells(bands, width, height)
        self._side = position_free.cell_side(width, height)
        self._lock = threading.Lock()

    def add(self, values: NDArray[Any], masks: dict[int, NDArray[Any]], cell: Cell) -> None:
        mine = np.zeros_like(self.sums)
        valid = {band: mask != 0 for band, mask in masks.items()}
        position_free.add_window(mine, values, valid, cell[0], cell[1], self._side)
        with self._lock:
            self.sums += mine


@dataclass(frozen=True)
class _Decoder:
    """Decodes one window; when that fails, block by block.

    Attributes:
        handles: the level that is decoded.
        whole: full resolution, which knows where all blocks are.
        streams: the compressed blocks, when they have checksums that GDAL does not compare.
        notes: takes what GDAL warns of.
        pixels: takes the sums of pixels, None for overviews.

    """

    handles: Handles
    whole: Handles
    streams: tiff_adler.Streams | None
    notes: list[str]
    pixels: _Pixels | None = None

    def __call__(self, cell: Cell) -> tuple[int | None, list[BrokenBlock]]:
        with (
            rasterio.Env(**OPTIONS),
            gdal_messages.logged(self.notes, "rasterio._env", "rasterio._err"),
        ):
            dataset = self.handles.get()
            try:
                values, masks = _read(dataset, cell)
            except RasterioError as exc:
                if integrity.is_sequential(dataset.driver):
                    # What follows cannot be found, and each try reads the file again.
                    raise
                found = self._broken(dataset, cell)
                known = {(b.band, b.row, b.column) for b in found}
                found += [
                    b
                    for b in self._silently_broken(dataset, cell)
                    if (b.band, b.row, b.column) not in known
                ]
                return None, found or [self._unnamed(dataset, cell, exc)]
            if self.pixels is not None:
                self.pixels.add(values, masks, cell)
            return _checksum(values, masks), self._silently_broken(dataset, cell)

    def _silently_broken(self, dataset: Any, cell: Cell) -> list[BrokenBlock]:
        """Blocks that decode although their checksum is wrong."""
        if self.streams is None:
            return []
        whole = self.whole.get()
        shared = whole.interleaving is Interleaving.pixel
        bands = range(1, dataset.count + 1)
        found: list[BrokenBlock] = []
        for band in [1] if shared else bands:
            for row, column, window in _blocks(dataset, band, cell):
                level = self.handles.overview
                reason = self.streams.reason(whole, level, band, row, column)
                if reason is not None:
                    bounds = _extent(window, dataset.transform)
                    found += [
                        BrokenBlock(b, level, row, column, bounds, reason)
                        for b in (bands if shared else [band])
                    ]
        return found

    def _unnamed(self, dataset: Any, cell: Cell, exc: RasterioError) -> BrokenBlock:
        """A window that fails although each of its blocks decodes: named by its first block."""
        row, column, window = next(_blocks(dataset, 1, cell))
        bounds = _extent(window, dataset.transform)
        return BrokenBlock(
            1, self.handles.overview, row, column, bounds, reason_of(exc, self.handles.path)
        )

    def _broken(self, dataset: Any, cell: Cell) -> list[BrokenBlock]:
        found: list[BrokenBlock] = []
        for band in range(1, dataset.count + 1):
            reads: list[tuple[str, Any]] = [("", dataset.read)]
            if _has_mask(dataset, band):
                reads.append(("mask: ", dataset.read_masks))
            for row, column, window in _blocks(dataset, band, cell):
                for prefix, read in reads:
                    try:
                        read(band, window=window)
                    except RasterioError as exc:
                        bounds = _extent(window, dataset.transform)
                        reason = prefix + reason_of(exc, self.handles.path)
                        found.append(
                            BrokenBlock(band, self.handles.overview, row, column, bounds, reason)
                        )
        return found


def _blocks(dataset: Any, band: int, cell: Cell) -> Iterator[tuple[int, int, Window]]:
    """Blocks of a band that meet a window: block row, block column, pixels."""
    row_off, col_off, height, width = cell
    block_height, block_width = dataset.block_shapes[band - 1]
    for row in range(row_off // block_height, -(-(row_off + height) // block_height)):
        for column in range(col_off // block_width, -(-(col_off + width) // block_width)):
            top, left = row * block_height, column * block_width
            yield (
                row,
                column,
                Window(
                    left,
                    top,
                    min(block_width, dataset.width - left),
                    min(block_height, dataset.height - top),
                ),
            )


def _extent(window: Window, transform: Any) -> Bounds:
    a, b, c, d, e, f = tuple(transform)[:6]
    columns = (window.col_off, window.col_off + window.width)
    rows = (window.row_off, window.row_off + window.height)
    xs = [a * column + b * row + c for column in columns for row in rows]
    ys = [d * column + e * row + f for column in columns for row in rows]
    return min(xs), min(ys), max(xs), max(ys)


def _read(dataset: Any, cell: Cell) -> tuple[NDArray[Any], dict[int, NDArray[Any]]]:
    """Pixels of a window, and the masks of those bands (from 0) that have one of their own."""
    row_off, col_off, height, width = cell
    window = Window(col_off, row_off, width, height)
    masks = {
        band: dataset.read_masks(band + 1, window=window)
        for band in range(dataset.count)
        if _has_mask(dataset, band + 1)
    }
    return dataset.read(window=window), masks


def _checksum(values: NDArray[Any], masks: dict[int, NDArray[Any]]) -> int:
    value = zlib.crc32(values.data)
    for mask in masks.values():
        value = zlib.crc32(mask.data, value)
    return value


def _has_mask(dataset: Any, band: int) -> bool:
    """True for a mask with pixels of its own; others follow from nodata or an alpha band."""
    flags = set(dataset.mask_flag_enums[band - 1])
    return not flags & {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha}


def _numpy_type(name: str) -> str:
    return "complex64" if name == "complex_int16" else name


def reason_of(exc: BaseException, path: str = "") -> str:
    """What GDAL said first: the innermost cause, without the name of the file."""
    reason = type(exc).__name__
    current: BaseException | None = exc
    while current is not None:
        text = " ".join(str(getattr(current, "errmsg", current)).split())
        if text and not text.startswith("Read failed"):
            reason = text
        current = current.__cause__ or current.__context__
    for name in (path, PurePath(path).name):
        reason = reason.removeprefix(f"{name}:") if path else reason
    return reason
