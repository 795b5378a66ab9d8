"""PNG: random pictures of all kinds, with world files, and an oracle after the specification.

Portable Network Graphics, third edition (W3C, 2025): chunks, filters and Adam7.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline_tests.fuzz import rasters

KIND = "raster"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel, by colour type."""
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip
"""Adam7: first column, first row, step of columns, step of rows."""


def write(rng: random.Random, folder: Path) -> Path:
    """A sound PNG; some have a world file, palettes, texts, several IDAT chunks."""
    color = rng.choice([0, 0, 2, 3, 4, 6])
    depth = rng.choice(DEPTHS[color])
    width, height = rng.randint(1, 40), rng.randint(1, 40)
    interlaced = rng.random() < 0.2
    top = min(2**depth, 256) if color == 3 else 2**depth
    source = np.random.default_rng(rng.getrandbits(32))
    pixels = source.integers(0, rng.choice([top, min(top, 3)]), (height, width, CHANNELS[color]))
    pixels = pixels.astype(np.uint16)
    rows = b""
    for part in _passes(pixels, interlaced=interlaced):
        rows += b"".join(_filtered(rng, part, depth))
    data = zlib.compress(rows, rng.choice([0, 1, 9]))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    chunks = [(b"IHDR", header)]
    if rng.random() < 0.2:
        chunks.append((b"tEXt", b"Comment\0a picture"))
    if color == 3:
        chunks.append((b"PLTE", rng.randbytes(3 * top)))
    if rng.random() < 0.2:
        chunks.append((b"pHYs", struct.pack(">IIB", 2835, 2835, 1)))
    step = rng.choice([len(data), max(1, len(data) // 3), 50])
    chunks += [(b"IDAT", data[i : i + step]) for i in range(0, len(data), step)]
    if rng.random() < 0.1:
        chunks.append((b"tEXt", b"Author\0nobody"))
    chunks.append((b"IEND", b""))
    path = folder / "a.png"
    path.write_bytes(SIGNATURE + b"".join(_chunk(*c) for c in chunks))
    if rng.random() < 0.3:
        numbers = [rng.choice([10.0, 0.25, 1 / 3]), 0.0, 0.0, -2.5, 500000.5, 4e6 + rng.random()]
        end = rng.choice(["\n", "\r\n"])
        (folder / "a.pgw").write_text(end.join(map(repr, numbers)) + end, newline="")
    return path


def damage(rng: random.Random, path: Path) -> None:
    """Chunks lost, doubled, exchanged; fields changed under a right checksum; text in the end."""
    chunks = _chunks(path.read_bytes())
    kind = rng.choice(["lose", "double", "exchange", "header", "shorter", "longer", "trailing"])
    i = rng.randrange(len(chunks))
    if kind == "lose":
        del chunks[i]
    elif kind == "double":
        chunks.insert(i, chunks[i])
    elif kind == "exchange":
        j = rng.randrange(len(chunks))
        chunks[i], chunks[j] = chunks[j], chunks[i]
    elif kind == "header":
        body = bytearray(chunks[0][1])
        at = rng.randrange(len(body))
        body[at] = rng.choice([0, 1, 2, 3, 4, 8, 16, body[at] ^ 1, body[at] ^ 4])
        chunks[0] = chunks[0][0], bytes(body)
    elif kind in {"shorter", "longer"}:
        data = b"".join(body for name, body in chunks if name == b"IDAT")
        at = next(i for i, (name, _) in enumerate(chunks) if name == b"IDAT")
        rows = zlib.decompress(data)
        rows = rows[: rng.randrange(len(rows))] if kind == "shorter" else rows + b"\0" * 9
        chunks = [c for c in chunks if c[0] != b"IDAT"]
        chunks.insert(at, (b"IDAT", zlib.compress(rows)))
    end = b"behind the end" if kind == "trailing" else b""
    path.write_bytes(SIGNATURE + b"".join(_chunk(*c) for c in chunks) + end)


def compare(path: Path, profile: RasterProfile, staged: Path) -> str | None:
    """How the staged raster differs from the picture, None when it does not."""
    try:
        truth = rasters.Truth(decoded(path.read_bytes()), _transform(path))
    except ValueError as exc:
        return f"passed, but the file is not well-formed: {exc}"
    return rasters.differs(profile, staged, truth)


def decoded(data: bytes) -> NDArray[Any]:
    """(bands, rows, columns) samples, indexes where there is a palette.

    Raises:
        ValueError: it is no sound PNG.

    """
    chunks = _chunks(data)
    names = [name for name, _ in chunks]
    if names[:1] != [b"IHDR"] or names[-1:] != [b"IEND"] or names.count(b"IHDR") != 1:
        raise _wrong(f"its chunks are {names}")
    if len(chunks[0][1]) != 13 or chunks[-1][1]:
        raise _wrong("IHDR or IEND of another length")
    width, height, depth, color, compression, filters, interlace = struct.unpack(
        ">IIBBBBB", chunks[0][1]
    )
    if depth not in DEPTHS.get(color, ()) or compression or filters or interlace > 1:
        raise _wrong("an impossible header")
    if not width or not height:
        raise _wrong("no pixels")
    places = [i for i, name in enumerate(names) if name == b"IDAT"]
    if not places or places != list(range(places[0], places[-1] + 1)):
        raise _wrong("IDAT chunks are missing, or not together")
    palettes = [i for i, name in enumerate(names) if name == b"PLTE"]
    if len(palettes) > 1 or (palettes and (palettes[0] > places[0] or color in {0, 4})):
        raise _wrong("a palette where none belongs")
    if color == 3 and not palettes:
        raise _wrong("no palette")
    if palettes and len(chunks[palettes[0]][1]) % 3:
        raise _wrong("a palette of broken entries")
    stream = zlib.decompressobj()
    try:
        rows = stream.decompress(b"".join(chunks[i][1] for i in places))
    except zlib.error as exc:
        raise _wrong(str(exc)) from exc
    if not stream.eof:
        raise _wrong("its pixels have no end")
    return _pixels(rows, width, height, depth, CHANNELS[color], interlaced=bool(interlace))


def _wrong(message: str) -> ValueError:
    return ValueError(message)


def _chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    if data[:8] != SIGNATURE:
        raise _wrong("no signature")
    found, at = [], 8
    while at < len(data):
        if data[at - 8 : at - 4] == b"IEND":
            break
        if at + 12 > len(data):
            raise _wrong("a chunk is cut")
        length = int.from_bytes(data[at : at + 4], "big")
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        end = at + 12 + length
        if data[at + 8 + length : end] != struct.pack(">I", zlib.crc32(name + body)):
            raise _wrong(f"checksum of {name!r}")
        if re.fullmatch(rb"[A-Za-z]{4}", name) is None:
            raise _wrong(f"a chunk named {name!r}")
        found.append((name, body))
        at = end
    return found


def _passes(pixels: NDArray[Any], *, interlaced: bool) -> list[NDArray[Any]]:
    if not interlaced:
        return [pixels]
    parts = [pixels[y::dy, x::dx] for x, y, dx, dy in PASSES]
    return [part for part in parts if part.size]


def _filtered(rng: random.Random, pixels: NDArray[Any], depth: int) -> list[bytes]:
    """Rows as PNG has them, each with a filter of its own."""
    step = max(1, pixels.shape[2] * depth // 8)
    rows, before = [], None
    for row in pixels.reshape(len(pixels), -1):
        if depth == 16:
            raw = row.astype(">u2").tobytes()
        elif depth == 8:
            raw = row.astype("u1").tobytes()
        else:
            bits = (row[:, np.newaxis] >> np.arange(depth - 1, -1, -1)) & 1
            raw = np.packbits(bits.astype("u1").ravel()).tobytes()
        above = before if before is not None else bytes(len(raw))
        kind = rng.randrange(5)
        rows.append(
            bytes([kind]) + bytes((v - p) & 255 for v, p in _predicted(kind, raw, above, step))
        )
        before = raw
    return rows


def _predicted(kind: int, raw: bytes, above: bytes, step: int) -> list[tuple[int, int]]:
    left = bytes(step) + raw
    corner = bytes(step) + above
    return [(raw[i], _guess(kind, left[i], above[i], corner[i])) for i in range(len(raw))]


def _guess(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:
        away = [abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)]
        return (left, above, corner)[away.index(min(away))]
    return (0, left, above, (left + above) // 2)[kind]


def _pixels(
    rows: bytes, width: int, height: int, depth: int, channels: int, *, interlaced: bool
) -> NDArray[Any]:
    pixels = np.zeros((height, width, channels), "u2" if depth == 16 else "u1")
    at = 0
    for part in _passes(pixels, interlaced=interlaced):
        size = (part.shape[1] * channels * depth + 7) // 8
        step = max(1, channels * depth // 8)
        above = bytes(size)
        for row in part:
            line = rows[at : at + size + 1]
            at += size + 1
            if len(line) <= size or line[0] > 4:
                raise _wrong("rows are missing, or have an unknown filter")
            raw = bytearray(step)
            corner = bytes(step) + above
            for i, value in enumerate(line[1:]):
                raw.append((value + _guess(line[0], raw[i], above[i], corner[i])) & 255)
            above = bytes(raw[step:])
            row[:] = _samples(above, depth, part.shape[1] * channels).reshape(row.shape)
    return np.moveaxis(pixels, 2, 0)


def _samples(row: bytes, depth: int, count: int) -> NDArray[Any]:
    if depth >= 8:
        return np.frombuffer(row, f">u{depth // 8}")
    bits = np.unpackbits(np.frombuffer(row, "u1"))[: count * depth].reshape(count, depth)
    return np.asarray(bits @ (1 << np.arange(depth - 1, -1, -1)))


def _transform(path: Path) -> tuple[float, ...]:
    world = path.with_suffix(".pgw")
    if not world.exists():
        return rasters.UNPLACED
    text = world.read_bytes().decode("latin-1")
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    if len(lines) < 6:
        raise _wrong("a world file of few lines")
    numbers = []
    for line in lines[:6]:
        if not re.fullmatch(r"\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*", line, re.ASCII):
            raise _wrong(f"a world file with {line!r}")
        numbers.append(float(line.replace(",", ".")))
    a, d, b, e, c, f = numbers
    return a, b, c - (a + b) / 2, d, e, f - (d + e) / 2
