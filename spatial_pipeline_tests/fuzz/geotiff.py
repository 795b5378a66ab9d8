"""GeoTIFF: random rasters in all layouts, typical damage, and an oracle that decodes blocks itself.

TIFF 6.0 (Aldus, 1992) with its predictors, BigTIFF, GeoTIFF 1.1 (OGC 19-008r4).
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.windows import Window

from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline_tests.fuzz import rasters

KIND = "raster"
DTYPES = (
    "uint8", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32",
    "float64",
)  # fmt: skip
TYPES = {1: "B", 2: "c", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii",
         11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}  # fmt: skip
"""Numbers of a value, by the type of an entry."""
SAMPLES = {(1, 8): "u1", (1, 16): "u2", (1, 32): "u4", (1, 64): "u8", (2, 8): "i1", (2, 16): "i2",
           (2, 32): "i4", (2, 64): "i8", (3, 32): "f4", (3, 64): "f8"}  # fmt: skip
"""Types of pixels, by sample format and bits."""
PACKED = {(1, 1), (1, 2), (1, 4)}
"""Samples of less than a byte, by sample format and bits."""
LARGEST = 1 << 22
"""Pixels that the oracle decodes at most."""


def write(rng: random.Random, folder: Path) -> Path:
    """A sound GeoTIFF: striped or tiled, either byte order, any lossless compression, JPEG."""
    dtype = rng.choice(DTYPES)
    compress = rng.choice(["none", "none", "deflate", "lzw", "zstd", "packbits", "jpeg"])
    bands = rng.choice([1, 1, 2, 3, 4])
    if compress == "jpeg":
        dtype, bands = "uint8", 1
    height, width = rng.randint(1, 40), rng.randint(1, 40)
    values = rasters.values(rng, bands, height, width, dtype)
    how: dict[str, Any] = {"compress": compress, "interleave": rng.choice(["pixel", "band"])}
    if compress in {"deflate", "lzw", "zstd"}:
        how["predictor"] = rng.choice([1, 2] if dtype[0] != "f" else [1, 2, 3])
    if rng.random() < 0.5:
        how |= {"tiled": True, "blockxsize": 16, "blockysize": rng.choice([16, 32])}
    else:
        how["blockysize"] = rng.choice([1, 3, 8, 64])
    if compress == "jpeg" and not how.get("tiled"):
        how["blockysize"] = rng.choice([8, 16])
    if rng.random() < 0.3:
        how["endianness"] = "big"
    if rng.random() < 0.2:
        how["bigtiff"] = "yes"
    if rng.random() < 0.2:
        how["sparse_ok"] = True
    if rng.random() < 0.7:
        how["crs"] = f"EPSG:{rng.choice([4326, 32633, 3857, 2056])}"
    if rng.random() < 0.8:
        size = rng.choice([10.0, 0.25, 1 / 3])
        how["transform"] = Affine(size, 0, 500000.5, 0, -size, 4e6 + rng.random())
        if rng.random() < 0.2:
            how["transform"] @= Affine.rotation(20)
    if rng.random() < 0.4:
        how["nodata"] = rng.choice([0, 1, 7])
    path = folder / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=bands, height=height, width=width, dtype=dtype, **how
    ) as dataset:
        dataset.write(values)
        if rng.random() < 0.2:
            dataset.update_tags(NOTE="a tag")
    return path


def damage(rng: random.Random, path: Path) -> None:
    """Damage of the directory: other values, types, counts and tags; blocks exchanged or moved."""
    data = bytearray(path.read_bytes())
    file = _File(bytes(data))
    tag = rng.choice(sorted(file.entries))
    at = file.places[tag]
    inline = at + (12 if file.big else 8)
    kind = rng.choice(["value", "value", "type", "count", "tag", "offset", "remove"])
    if kind == "value":
        data[inline + rng.randrange(4)] = rng.choice([0, 1, 2, 3, 7, 8, 16, 32, 255])
    elif kind == "type":
        data[at + (3 if file.order == ">" else 2)] = rng.choice([1, 2, 3, 4, 5, 11, 12, 16, 99])
    elif kind == "count":
        data[at + 4 + rng.randrange(4)] ^= rng.choice([1, 2, 64])
    elif kind == "tag":
        data[at : at + 2] = struct.pack(file.order + "H", rng.choice([tag ^ 1, 65000, 266, 274]))
    elif kind == "remove":
        size = 20 if file.big else 12
        other = rng.choice(sorted(file.places.values()))
        data[at : at + size] = data[other : other + size]
    else:
        new = rng.choice([0, 8, len(data) - 4, len(data), len(data) * 2])
        data[inline : inline + 4] = struct.pack(file.order + "I", new)
    path.write_bytes(data)


def compare(path: Path, profile: RasterProfile, staged: Path) -> str | None:
    """How the staged raster differs from the file, None when it does not."""
    try:
        truth = truth_of(path.read_bytes())
    except ValueError as exc:
        return f"passed, but the file is not well-formed: {exc}; notes: {profile.notes}"
    difference = rasters.differs(profile, staged, truth)
    return None if difference is None else f"{difference}; notes: {profile.notes}"


def truth_of(data: bytes) -> rasters.Truth:
    """Pixels and metadata of the first directory.

    Raises:
        ValueError: it is no sound TIFF of the kinds that :func:`write` makes.

    """
    file = _File(data)
    values = _decoded(file)
    nodata = None
    text = file.text(42113)
    if text is not None and text.strip():
        nodata = float(text)
        if values.dtype.kind in "iu" and re.fullmatch(r"\s*[+-]?\d+\s*", text):
            nodata = int(text)
        if values.dtype == "f4":
            nodata = float(np.float32(nodata))
    return rasters.Truth(values, _transform(file), nodata, _epsg(file))


class _File:
    """The first directory of a TIFF."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None or len(data) < 16:
            raise _wrong("no TIFF")
        self.order = order
        (magic,) = self.unpack("H", 2)
        if magic not in {42, 43}:
            raise _wrong("no TIFF")
        self.big = magic == 43
        if self.big and self.unpack("HH", 4) != (8, 0):
            raise _wrong("offsets of another width")
        (at,) = self.unpack("Q" if self.big else "I", 8 if self.big else 4)
        (count,) = self.unpack("Q" if self.big else "H", at)
        at += 8 if self.big else 2
        self.entries: dict[int, tuple[int, int, int]] = {}
        self.places: dict[int, int] = {}
        for _ in range(count):
            tag, kind, number = self.unpack("HHQ" if self.big else "HHI", at)
            # The first of several counts.
            self.entries.setdefault(tag, (kind, number, at + (12 if self.big else 8)))
            self.places.setdefault(tag, at)
            at += 20 if self.big else 12

    def unpack(self, form: str, at: int) -> tuple[Any, ...]:
        try:
            return struct.unpack_from(self.order + form, self.data, at)
        except struct.error as exc:
            raise _wrong(f"it ends before {at}") from exc

    def values(self, tag: int) -> tuple[Any, ...]:
        if tag not in self.entries:
            return ()
        kind, number, at = self.entries[tag]
        if kind not in TYPES:
            raise _wrong(f"tag {tag} of type {kind}")
        size = struct.calcsize("=" + TYPES[kind]) * number
        if size > len(self.data):
            raise _wrong(f"tag {tag} with {number} values")
        if size > (8 if self.big else 4):
            (at,) = self.unpack("Q" if self.big else "I", at)
        return self.unpack(f"{number}s" if kind == 2 else TYPES[kind] * number, at)

    def text(self, tag: int) -> str | None:
        found = self.values(tag)
        if not found:
            return None
        if not isinstance(found[0], bytes):
            raise _wrong(f"tag {tag} is no text")
        return found[0].partition(b"\0")[0].decode("latin-1")

    def number(self, tag: int, default: int | None) -> int:
        found = self.values(tag)
        if not found and default is not None and tag not in self.entries:
            return default
        if len(set(found)) != 1 or not isinstance(found[0], int) or found[0] < 0:
            raise _wrong(f"tag {tag} is {found}")
        return found[0]


def _wrong(message: str) -> ValueError:
    return ValueError(message)


def _decoded(file: _File) -> NDArray[Any]:
    width, height = file.number(256, None), file.number(257, None)
    samples = file.number(277, 1)
    key = file.number(339, 1), file.number(258, 1)
    for tag in (258, 339):
        if tag in file.entries and len(file.values(tag)) not in {1, samples}:
            raise _wrong(f"tag {tag} has {len(file.values(tag))} values for {samples} samples")
    if key not in SAMPLES and key not in PACKED:
        raise _wrong(f"samples {key}")
    planar = file.number(284, 1)
    if planar not in {1, 2} or not width or not height or not samples:
        raise _wrong("an impossible layout")
    if width * height * samples > LARGEST:
        raise _wrong("too many pixels")
    tiled = 324 in file.entries
    if tiled:
        block = file.number(323, None), file.number(322, None)
        offsets, counts = file.values(324), file.values(325)
    else:
        block = min(file.number(278, height), height), width
        offsets, counts = file.values(273), file.values(279)
    if 0 in block:
        raise _wrong("blocks of no size")
    down, across = -(-height // block[0]), -(-width // block[1])
    planes = samples if planar == 2 else 1
    if len(offsets) != down * across * planes or len(counts) != len(offsets):
        raise _wrong(f"{len(offsets)} and {len(counts)} blocks, not {down * across * planes}")
    depth = 1 if planar == 2 else samples
    found = np.empty((samples, down * block[0], across * block[1]), SAMPLES.get(key, "u1"))
    fill = _fill(file, found.dtype)
    for number, (offset, size) in enumerate(zip(offsets, counts, strict=True)):
        plane, place = divmod(number, down * across)
        row, column = divmod(place, across)
        # Rows of a tile that stand below the picture may be missing.
        rows = min(block[0], height - row * block[0])
        if not offset and not size:
            pixels = np.full((rows, block[1], depth), fill, found.dtype)
        else:
            raw = file.data[offset : offset + size]
            if len(raw) != size or not size:
                raise _wrong(f"block {number} is not in the file")
            pixels = _block(file, raw, (rows, block[1], depth), key)
        target = found[plane : plane + depth] if planar == 2 else found
        target[
            :, row * block[0] : row * block[0] + rows,
            column * block[1] : (column + 1) * block[1],
        ] = np.moveaxis(pixels, 2, 0)  # fmt: skip
    return found[:, :height, :width]


def _fill(file: _File, dtype: np.dtype[Any]) -> Any:
    """Pixels of a block that is not stored: nodata, or 0."""
    text = (file.text(42113) or "").strip()
    if not text:
        return 0
    return np.array(float(text) if dtype.kind == "f" else int(float(text))).astype(dtype)


def _block(
    file: _File, raw: bytes, shape: tuple[int, int, int], key: tuple[int, int]
) -> NDArray[Any]:
    code = SAMPLES.get(key, "u1")
    row = (shape[1] * shape[2] * key[1] + 7) // 8
    size = shape[0] * row
    compression = file.number(259, 1)
    if file.number(266, 1) == 2 and compression != 7:
        raw = bytes(int(f"{b:08b}"[::-1], 2) for b in raw)
    if compression == 7:
        return _jpeg(file, raw, shape)
    data = _unpacked(compression, raw, size)
    if len(data) < size:
        raise _wrong(f"a block of {len(data)} bytes, not {size}")
    data = data[:size]
    predictor = file.number(317, 1) if compression in {5, 8, 32946, 50000} else 1
    if key in PACKED:
        if predictor != 1:
            raise _wrong("a predictor of packed samples")
        bits = np.unpackbits(np.frombuffer(data, "u1").reshape(-1, row), axis=1)
        words = bits[:, : shape[1] * shape[2] * key[1]].reshape(*shape, key[1])
        return words @ (1 << np.arange(key[1] - 1, -1, -1))
    if predictor == 3:
        return _floats(data, shape, code)
    pixels = np.frombuffer(data, file.order + code).reshape(shape)
    if predictor == 1:
        return pixels
    if predictor != 2:
        raise _wrong(f"predictor {predictor}")
    whole = pixels.view(f"{file.order}u{code[1]}")
    return np.cumsum(whole, axis=1, dtype=f"u{code[1]}").view(code)


def _floats(data: bytes, shape: tuple[int, int, int], code: str) -> NDArray[Any]:
    """Predictor 3: bytes by significance, then differences (TIFF Technical Note 3, Adobe 2005)."""
    if code[0] != "f":
        raise _wrong("a floating point predictor of integers")
    rows, columns, depth = shape
    raw = np.frombuffer(data, "u1").reshape(rows, columns * int(code[1]), depth)
    summed = np.cumsum(raw, axis=1, dtype="u1").reshape(rows, int(code[1]), columns * depth)
    return np.ascontiguousarray(np.moveaxis(summed, 1, 2)).view(">" + code).reshape(shape)


def _unpacked(compression: int, raw: bytes, size: int) -> bytes:
    if compression == 1:
        return raw
    if compression in {8, 32946}:
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(raw)
        except zlib.error as exc:
            raise _wrong(str(exc)) from exc
        if not stream.eof:
            raise _wrong("a stream without end")
        return data
    if compression == 50000:
        try:
            return pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read(size)
        except (pa.ArrowInvalid, OSError) as exc:
            raise _wrong(str(exc)) from exc
    if compression == 5:
        return _lzw(raw, size)
    if compression == 32773:
        return _packbits(raw, size)
    raise _wrong(f"compression {compression}")


def _packbits(raw: bytes, size: int) -> bytes:
    data, at = bytearray(), 0
    while len(data) < size:
        if at + 1 >= len(raw):
            raise _wrong("packed bits are cut")
        head = raw[at]
        if head < 128:
            data += raw[at + 1 : at + 2 + head]
            at += 2 + head
            if at > len(raw):
                raise _wrong("packed bits are cut")
        else:
            data += raw[at + 1 : at + 2] * (257 - head) if head > 128 else b""
            at += 2 if head > 128 else 1
    if len(data) > size:
        raise _wrong("packed bits reach into the next block")
    return bytes(data)


def _lzw(raw: bytes, size: int) -> bytes:
    """LZW as in TIFF 6.0, section 13."""
    bits = int.from_bytes(raw, "big")
    left = 8 * len(raw)
    table: list[bytes] = []
    data, before, width = bytearray(), b"", 9
    first = True
    while len(data) < size:
        if left < width:
            raise _wrong("LZW without end")
        left -= width
        code = (bits >> left) & ((1 << width) - 1)
        if first and code != 256:
            raise _wrong("LZW without a beginning")
        first = False
        if code == 256:
            table, before, width = [bytes([i]) for i in range(256)] + [b"", b""], b"", 9
            continue
        if code == 257:
            raise _wrong("LZW ends too soon")
        if not before:
            if code > 255:
                raise _wrong("LZW begins with a code of the table")
            entry = table[code]
        else:
            if code > len(table):
                raise _wrong("LZW with a code of no entry")
            entry = table[code] if code < len(table) else before + before[:1]
            table.append(before + entry[:1])
        data += entry
        before = entry
        if len(table) > 4095:
            raise _wrong("LZW with too many codes")
        width = 9 + sum(len(table) >= full for full in (511, 1023, 2047))
    return bytes(data)


def _jpeg(file: _File, raw: bytes, shape: tuple[int, int, int]) -> NDArray[Any]:
    """A block as the JPEG that it is; of two decoders, none need round alike, so GDAL decodes it.

    libjpeg fills what is missing: a block whose rows depend on what stands behind it is cut.
    """
    tables = bytes(file.values(347))
    whole = tables[:-2] + raw[2:] if tables else raw
    end = whole[:-2] if whole.endswith(b"\xff\xd9") else whole
    found = []
    for more in (b"", b"\x55\xaa" * 200 + b"\xff\xd9", b"\x0f\x3c" * 200 + b"\xff\xd9"):
        try:
            with MemoryFile(end + more if more else whole) as memory, memory.open() as dataset:
                pixels = dataset.read(1, window=Window(0, 0, shape[1], shape[0]))
                if dataset.count != 1 or dataset.width != shape[1]:
                    raise _wrong("a picture of another size")
        except RasterioError as exc:
            raise _wrong(str(exc)) from exc
        if pixels.shape != shape[:2]:
            raise _wrong("a picture of another size")
        found.append(pixels)
    if not (np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])):
        raise _wrong("a picture that is cut")
    return found[0][:, :, np.newaxis]


def _transform(file: _File) -> tuple[float, ...]:
    matrix, scale, tie = file.values(34264), file.values(33550), file.values(33922)
    raster_type = _keys(file).get(1025, 1)
    found = rasters.UNPLACED
    if scale and tie:
        if len(scale) < 2 or len(tie) != 6:
            raise _wrong("scale and tie points")
        found = (
            scale[0], 0.0, tie[3] - tie[0] * scale[0],
            0.0, -scale[1], tie[4] + tie[1] * scale[1],
        )  # fmt: skip
    elif matrix:
        if len(matrix) != 16:
            raise _wrong("a matrix")
        found = matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7]
    elif scale or tie:
        raise _wrong("half of a georeference")
    if raster_type == 2 and found != rasters.UNPLACED:
        a, b, c, d, e, f = found
        found = a, b, c - (a + b) / 2, d, e, f - (d + e) / 2
    return tuple(float(v) for v in found)


def _keys(file: _File) -> dict[int, int]:
    words = file.values(34735)
    if not words:
        return {}
    if len(words) < 4 or words[0] != 1 or len(words) != 4 + 4 * words[3]:
        raise _wrong("a directory of keys")
    return {words[i]: words[i + 3] for i in range(4, len(words), 4) if not words[i + 1]}


def _epsg(file: _File) -> int | None:
    keys = _keys(file)
    model = keys.get(1024)
    if model is None:
        if keys:
            raise _wrong("keys without a model")
        return None
    code = keys.get({1: 3072, 2: 2048}.get(model, 0))
    if code is None:
        raise _wrong(f"keys {keys}")
    return code
