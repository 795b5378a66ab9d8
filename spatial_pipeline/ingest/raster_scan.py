"""Decodes every block of a raster once: names those that do not decode, sums up those that do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Interleaving
from rasterio.errors import RasterioError
from rasterio.windows import Window

from spatial_pipeline.ingest import gdal_messages
from spatial_pipeline.ingest.integrity import raster as integrity
from spatial_pipeline.ingest.integrity import tiff_adler
from spatial_pipeline.ingest.raster_windows import OPTIONS, Cell, Handles, Opened, cells, checksum
from spatial_pipeline.model.hashing import checksums as position_free
from spatial_pipeline.model.profile import BrokenBlock

STREAMS = frozenset({"JPEG", "PNG"})
"""Drivers of formats that are one stream of rows."""


@dataclass(frozen=True)
class Scan:
    """Result of decoding a raster.

    Attributes:
        broken: blocks that do not decode, by overview, band, row and column.
        checksums: CRC-32 of pixels and masks of every window at full resolution.
        sums: sums of pixels and masks by band and cell, see ``checksums.add_window``.
        notes: warnings of GDAL.

    """

    broken: tuple[BrokenBlock, ...]
    checksums: dict[Cell, int]
    sums: NDArray[np.uint64]
    notes: tuple[str, ...]


def scan(
    path: str, workers: int, progress: Callable[[int, int | None], None] | None = None
) -> Scan:
    """Decodes every block of every band, overview and mask.

    Args:
        path: path for GDAL.
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
                for cell, (value, bad) in zip(windows, pool.map(decode, windows), strict=True):
                    broken += bad
                    if value is not None and overview == 0:
                        sums[cell] = value
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
            opened = handles.get()
            dataset = opened.dataset
            if dataset.driver not in STREAMS:
                return broken
            first = min((b for b in broken if b.overview == overview), key=lambda b: b.row)
            whole = (0, 0, dataset.height, dataset.width)
            for band in range(1, dataset.count + 1):
                for row, column, window in opened.blocks(band, whole):
                    if row >= first.row:
                        bounds = opened.extent(window)
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
            return checksum(*handles.get().read(cell))

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
            found[cell] = checksum(*handles.get().read(cell))
    return found


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
            opened = self.handles.get()
            try:
                values, masks = opened.read(cell)
            except RasterioError as exc:
                if integrity.is_sequential(opened.dataset.driver):
                    # What follows cannot be found, and each try reads the file again.
                    raise
                found = self._broken(opened, cell)
                known = {(b.band, b.row, b.column) for b in found}
                found += [
                    b
                    for b in self._silently_broken(opened, cell)
                    if (b.band, b.row, b.column) not in known
                ]
                return None, found or [self._unnamed(opened, cell, exc)]
            if self.pixels is not None:
                self.pixels.add(values, masks, cell)
            return checksum(values, masks), self._silently_broken(opened, cell)

    def _silently_broken(self, opened: Opened, cell: Cell) -> list[BrokenBlock]:
        """Blocks that decode although their checksum is wrong."""
        if self.streams is None:
            return []
        whole = self.whole.get().dataset
        bands = opened.dataset.indexes
        shared = _shared(whole)
        found: list[BrokenBlock] = []
        for band in bands[:1] if shared else bands:
            for row, column, window in opened.blocks(band, cell):
                level = self.handles.overview
                reason = self.streams.reason(whole, level, band, row, column)
                if reason is not None:
                    bounds = opened.extent(window)
                    found += [
                        BrokenBlock(b, level, row, column, bounds, reason)
                        for b in (bands if shared else [band])
                    ]
        return found

    def _unnamed(self, opened: Opened, cell: Cell, exc: RasterioError) -> BrokenBlock:
        """A window that fails although each of its blocks decodes: named by its first block."""
        row, column, window = next(opened.blocks(1, cell))
        reason = reason_of(exc, self.handles.path)
        return BrokenBlock(1, self.handles.overview, row, column, opened.extent(window), reason)

    def _broken(self, opened: Opened, cell: Cell) -> list[BrokenBlock]:
        """Blocks of a window that do not decode, of all bands.

        A block that all bands share is decoded for one of them: it fails for every band.
        """
        dataset = opened.dataset
        shared = _shared(dataset)
        level = self.handles.overview
        found: list[BrokenBlock] = []
        bands = list(dataset.indexes)
        for prefix, read, candidates in (
            ("", dataset.read, bands[:1] if shared else bands),
            ("mask: ", dataset.read_masks, [band + 1 for band in opened.masked]),
        ):
            for band in _failing(read, candidates, opened.window(cell)):
                for row, column, window in opened.blocks(band, cell):
                    try:
                        read(band, window=window)
                    except RasterioError as exc:
                        bounds = opened.extent(window)
                        reason = prefix + reason_of(exc, self.handles.path)
                        found += [
                            BrokenBlock(b, level, row, column, bounds, reason)
                            for b in (bands if shared and not prefix else [band])
                        ]
        return found


def _failing(read: Any, bands: list[int], window: Window) -> list[int]:
    """Bands that fail in a window, found by halves: each read costs time for every band."""
    if not bands:
        return []
    try:
        read(bands, window=window)
    except RasterioError:
        if len(bands) == 1:
            return bands
        middle = len(bands) // 2
        return [
            *_failing(read, bands[:middle], window),
            *_failing(read, bands[middle:], window),
        ]
    return []


def _shared(dataset: Any) -> bool:
    """Whether each block of a TIFF holds all bands."""
    return dataset.driver == "GTiff" and dataset.interleaving is Interleaving.pixel


def reason_of(exc: BaseException, path: str = "") -> str:
    """First message of GDAL: the innermost cause, without the name of the file."""
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
