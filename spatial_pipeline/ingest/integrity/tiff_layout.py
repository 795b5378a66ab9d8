"""Tags that say how the pixels of a TIFF are stored and where it lies, and its block directory.

libtiff ignores a tag that it cannot read, makes up counts that are missing, and goes on; GDAL then
reads other pixels than the file has. Each such tag must be readable here, and every block inside of
the file. Structure: TIFF 6.0 (Aldus, 1992), GeoTIFF 1.1 (OGC 19-008r4).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity import tiff_directory
from spatial_pipeline.ingest.integrity.tiff_directory import Directory, TagEntry

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, SAMPLES, ROWS, STRIP_BYTES, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, FORMAT = 322, 323, 324, 325, 339
_ASCII, _DOUBLE = 2, 12
_UNSIGNED = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}
_NUMBERS = {**_UNSIGNED, 6: "i1", 8: "i2", 9: "i4", 11: "f4", 12: "f8", 17: "i8"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8,
          17: 8, 18: 8}  # fmt: skip
_SINGLE = (WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, ROWS, PLANAR, PREDICTOR,
           TILE_WIDTH, TILE_HEIGHT)  # fmt: skip
"""Tags of one whole number."""
_ARRAYS = (STRIPS, STRIP_BYTES, TILES, TILE_BYTES)
_PLACING = {
    "ModelPixelScale": 33550, "ModelTiepoint": 33922, "ModelTransformation": 34264,
    "GeoDoubleParams": 34736,
}  # fmt: skip
_KEYS, _TEXTS, _NODATA = 34735, 34737, 42113
_NAMES = {
    WIDTH: "ImageWidth", HEIGHT: "ImageLength", BITS: "BitsPerSample", COMPRESSION: "Compression",
    PHOTOMETRIC: "PhotometricInterpretation", FILL_ORDER: "FillOrder", STRIPS: "StripOffsets",
    SAMPLES: "SamplesPerPixel", ROWS: "RowsPerStrip", STRIP_BYTES: "StripByteCounts",
    PLANAR: "PlanarConfiguration", PREDICTOR: "Predictor", TILE_WIDTH: "TileWidth",
    TILE_HEIGHT: "TileLength", TILES: "TileOffsets", TILE_BYTES: "TileByteCounts",
    FORMAT: "SampleFormat", _KEYS: "GeoKeyDirectory", _TEXTS: "GeoAsciiParams",
    _NODATA: "GDAL_NODATA", **{tag: name for name, tag in _PLACING.items()},
}  # fmt: skip
_YCBCR = 6
_WIDTHS = {
    1: frozenset({*range(1, 33), 64}), 2: frozenset({8, 16, 32, 64}),
    3: frozenset({16, 24, 32, 64}), 4: frozenset({*range(1, 33), 64}),
    5: frozenset({32, 64}), 6: frozenset({32, 64, 128}),
}  # fmt: skip
"""Bits of a sample, by SampleFormat."""
_TIE = 6
_MODEL_KEY, _CRS_KEYS = 1024, 2048
"""The key without which there is no CRS, and the first of those that describe one."""


@dataclass(frozen=True)
class BlockLayout:
    """Block layout that the directories of a page and its masks declare.

    Attributes:
        notes: on blocks that are not stored.
        damage: blocks that are not in the file, or too short: so that blocks which do not decode
            are named one by one first.

    """

    notes: tuple[str, ...] = ()
    damage: str | None = None


def verify(file: Path, directories: Sequence[Directory]) -> BlockLayout:
    """Checks the directories that are read.

    Args:
        file: the TIFF.
        directories: the page and its masks.

    Raises:
        SourceError: naming the tag that cannot be read, or says what cannot be.

    """
    notes: list[str] = []
    damage: list[str] = []
    for directory in directories:
        page = _Page(file, directory)
        if directory.image:
            page.place()
        stored, damaged = page.blocks()
        notes += stored
        damage += damaged
    return BlockLayout(tuple(notes), damage[0] if damage else None)


class _Page:
    """One directory, all of its entries that matter."""

    def __init__(self, file: Path, directory: Directory) -> None:
        self._file = file
        self._size = file.stat().st_size
        self._where = f"directory {directory.number}"
        self._order, entries = tiff_directory.entries(file, directory.offset)
        self._entries: dict[int, TagEntry] = {}
        for entry in entries:
            if entry.tag in _NAMES:
                if entry.tag in self._entries:
                    raise self._damaged(f"{_NAMES[entry.tag]} stands there twice")
                self._entries[entry.tag] = entry

    def blocks(self) -> tuple[list[str], list[str]]:
        """Notes on blocks that are not stored, and what is wrong with blocks."""
        for tag in _SINGLE:
            if tag in self._entries:
                self._number(tag, 0)
        samples = self._number(SAMPLES, 1)
        for tag in (BITS, FORMAT):
            values = self._values(tag, _UNSIGNED)
            if tag in self._entries and len(values) not in {1, samples}:
                raise self._damaged(f"{_NAMES[tag]} has {len(values)} values, not {samples}")
        self._sample_types()
        width, height = self._number(WIDTH, 0), self._number(HEIGHT, 0)
        tiled = TILES in self._entries or TILE_WIDTH in self._entries
        if tiled:
            rows, columns = self._number(TILE_HEIGHT, 0), self._number(TILE_WIDTH, 0)
        else:
            rows, columns = min(self._number(ROWS, height), height), width
        if not (width and height and rows and columns and samples):
            raise self._damaged("its pixels, or its blocks, have no size")
        planes = samples if self._number(PLANAR, 1) == 2 else 1
        down = -(-height // rows)
        count = down * -(-width // columns) * planes
        offsets_tag, sizes_tag = (TILES, TILE_BYTES) if tiled else (STRIPS, STRIP_BYTES)
        offsets = self._values(offsets_tag, _UNSIGNED).astype(np.uint64)
        sizes = self._values(sizes_tag, _UNSIGNED).astype(np.uint64)
        for tag, values in ((offsets_tag, offsets), (sizes_tag, sizes)):
            if len(values) != count:
                raise self._damaged(f"{_NAMES[tag]} has {len(values)} values, not {count}")
        damage = self._outside(offsets, sizes)
        least = self._least(columns, samples // planes)
        if least is not None:
            needed = np.full(count, rows * least, dtype=np.uint64)
            if not tiled:
                # The last strip of each plane ends with the picture.
                needed[down - 1 :: down] = (height - (down - 1) * rows) * least
            damage += self._short(sizes, needed)
        missing = int(np.count_nonzero((offsets == 0) & (sizes == 0)))
        text = f"{self._where}: {missing} of {count} blocks are not stored: all nodata, or 0"
        return [text] if missing else [], damage

    def _sample_types(self) -> None:
        """Refuses samples that GDAL takes for others: signed ones of 1 bit, say, for unsigned."""
        kinds = {int(v) for v in self._values(FORMAT, _UNSIGNED)} or {1}
        bits = {int(v) for v in self._values(BITS, _UNSIGNED)} or {1}
        for kind in kinds:
            wrong = bits - _WIDTHS.get(kind, frozenset())
            if wrong:
                raise self._damaged(f"samples of SampleFormat {kind} with {min(wrong)} bits")

    def place(self) -> None:
        """Checks that what places the page can be read, and that nothing of it is missing."""
        lengths = {}
        for tag in _PLACING.values():
            lengths[tag] = len(self._values(tag, {_DOUBLE: "f8"}))
        scale, tie, matrix = (
            lengths[_PLACING[f"Model{name}"]]
            for name in ("PixelScale", "Tiepoint", "Transformation")
        )
        if tie % _TIE:
            raise self._damaged(f"ModelTiepoint has {tie} values, no multiple of {_TIE}")
        if not matrix and bool(scale) != bool(tie) and tie <= _TIE:
            missing = "ModelTiepoint" if scale else "ModelPixelScale"
            raise self._damaged(f"it is placed by half: {missing} is missing")
        for tag in (_TEXTS, _NODATA):
            if tag in self._entries:
                self._bytes(self._entries[tag], {_ASCII: "u1"})
        keys = self._values(_KEYS, {3: "u2"})
        if _KEYS in self._entries:
            self._key_directory(keys, lengths[_PLACING["GeoDoubleParams"]])

    def _key_directory(self, keys: NDArray[np.uint64], doubles: int) -> None:
        if len(keys) < 4 or keys[0] != 1 or len(keys) != 4 + 4 * int(keys[3]):
            raise self._damaged("GeoKeyDirectory does not have as many keys as it says")
        texts = self._entries[_TEXTS].count if _TEXTS in self._entries else 0
        held = {0: 1 << 16, _KEYS: len(keys), _PLACING["GeoDoubleParams"]: doubles, _TEXTS: texts}
        table = keys[4:].reshape(-1, 4).astype(np.int64)
        for key, tag, count, value in table.tolist():
            if tag not in held:
                raise self._damaged(f"key {key} is kept in tag {tag}")
            if tag and value + count > held[tag]:
                raise self._damaged(f"key {key} lies outside of {_NAMES[tag]}")
        if len(np.unique(table[:, 0])) != len(table):
            raise self._damaged("GeoKeyDirectory has a key twice")
        if len(table) and table[:, 0].min() < _MODEL_KEY:
            raise self._damaged(f"GeoKeyDirectory has a key {table[:, 0].min()}")
        if len(table) and table[:, 0].max() >= _CRS_KEYS and _MODEL_KEY not in table[:, 0]:
            raise self._damaged("its CRS does not say its type: key 1024 is missing")

    def _outside(self, offsets: NDArray[np.uint64], sizes: NDArray[np.uint64]) -> list[str]:
        half = (offsets == 0) != (sizes == 0)
        limit = np.uint64(self._size)
        # In this order, no sum exceeds 64 bits.
        outside = (sizes > limit) | (offsets > limit - np.minimum(sizes, limit))
        bad = np.flatnonzero(half | outside)
        if not len(bad):
            return []
        first = int(bad[0])
        reason = (
            f"{len(bad)} blocks are not in the file; the first is block {first}: "
            f"{sizes[first]} bytes at {offsets[first]} of {self._size}"
        )
        return [str(self._damaged(reason))]

    def _short(self, sizes: NDArray[np.uint64], needed: NDArray[np.uint64]) -> list[str]:
        short = np.flatnonzero((sizes != 0) & (sizes < needed))
        if not len(short):
            return []
        first = int(short[0])
        reason = (
            f"{len(short)} blocks are too short; the first is block {first}: "
            f"{sizes[first]} bytes, not {needed[first]}"
        )
        return [str(self._damaged(reason))]

    def _least(self, columns: int, depth: int) -> int | None:
        """Bytes of a row of an uncompressed block; None for other blocks."""
        if self._number(COMPRESSION, 1) != 1 or self._number(PHOTOMETRIC, 0) == _YCBCR:
            return None
        values = self._values(BITS, _UNSIGNED)
        return (columns * depth * (int(values[0]) if len(values) else 1) + 7) // 8

    def _number(self, tag: int, default: int) -> int:
        if tag not in self._entries:
            return default
        values = self._values(tag, _UNSIGNED)
        # libtiff takes one for all samples where all are the same.
        if len(values) != 1 and (tag != COMPRESSION or len(np.unique(values)) != 1):
            raise self._damaged(f"{_NAMES[tag]} has {len(values)} values, not 1")
        return int(values[0])

    def _values(self, tag: int, types: dict[int, str]) -> NDArray[np.uint64]:
        """Values of a tag, none when it is not there."""
        if tag not in self._entries:
            return np.zeros(0, np.uint64)
        entry = self._entries[tag]
        data = self._bytes(entry, types)
        return np.frombuffer(data, self._order + types[entry.kind])

    def _bytes(self, entry: TagEntry, types: dict[int, str]) -> bytes:
        if entry.kind not in types:
            raise self._damaged(f"{_NAMES[entry.tag]} is of type {entry.kind}")
        size = _SIZES[entry.kind] * entry.count
        if size <= len(entry.inline):
            return entry.inline[:size]
        form = self._order + ("I" if len(entry.inline) == 4 else "Q")
        (offset,) = struct.unpack(form, entry.inline)
        if offset + size > self._size:
            raise self._damaged(f"{_NAMES[entry.tag]} lies outside of the file")
        with self._file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(size)

    def _damaged(self, reason: str) -> SourceError:
        return SourceError(f"{self._where} of the TIFF is damaged: {reason}")
