"""Geometry types of WKB arrays by their headers, and single geometries as Multi ones.

Array functions over the bytes; no geometry is built.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.contract.geometry_type import BASES, GeometryType

HEAD = 5
"""Bytes of the byte order and the type code."""
LITTLE = 1
EWKB_FLAGS = 0xE0000000
_EWKB_Z, _EWKB_M = 0x80000000, 0x40000000
_SINGLE, _TO_MULTI = (1, 2, 3), 3
"""WKB codes of Point, LineString and Polygon, and what is added for their Multi types."""
_DIMENSIONS = ("", "Z", "M", "ZM")


def heads(wkb: pa.Array, size: int = HEAD) -> NDArray[np.uint8]:
    """(n, size) first bytes of each geometry, zeros behind its end.

    All are zeros where it is null or too short to have a type.
    """
    offsets = np.frombuffer(wkb.buffers()[1], np.int32)[wkb.offset : wkb.offset + len(wkb) + 1]
    data = np.frombuffer(wkb.buffers()[2] or b"", np.uint8)
    sizes = np.diff(offsets)
    whole = np.flatnonzero(sizes >= size)
    # An item of ``size`` bytes a row; taking bytes one by one costs several times as much.
    items = np.ndarray(max(0, len(data) - size + 1), f"V{size}", data, strides=(1,))
    if len(whole) == len(wkb):
        return items[offsets[:-1]].view(np.uint8).reshape(-1, size)
    out = np.zeros((len(wkb), size), dtype=np.uint8)
    out[whole] = items[offsets[whole]].view(np.uint8).reshape(-1, size)
    short = np.flatnonzero((sizes >= HEAD) & (sizes < size))
    places = np.arange(size)
    found = data[np.minimum(offsets[short, None] + places, len(data) - 1)]
    out[short] = np.where(places < sizes[short, None], found, np.uint8(0))
    return out


def types_of(wkb: pa.Array) -> frozenset[GeometryType]:
    """Types that occur among (n,) Arrow binary WKB or EWKB, empty geometries included.

    What is no geometry of one of the seven types of simple features is left out.
    """
    found = heads(wkb)
    big = found[:, 0] != LITTLE
    codes = found[:, 1:].copy().view("<u4").reshape(-1)
    codes[big] = codes[big].byteswap()
    kinds: set[GeometryType] = set()
    for code in np.unique(codes).tolist():
        base, dimensions = code & ~EWKB_FLAGS, bool(code & _EWKB_Z) + 2 * bool(code & _EWKB_M)
        iso, base = divmod(base, 1000)
        if 0 < base < len(BASES) and iso < len(_DIMENSIONS):
            kinds.add(GeometryType(BASES[base], _DIMENSIONS[iso | dimensions]))
    return frozenset(kinds)


def promoted(wkb: pa.Array) -> tuple[pa.Array, int]:
    """Points, lines and polygons as Multi geometries of one part, and how many there were.

    Same as PostGIS' ``ST_Multi``: an empty geometry becomes an empty Multi geometry.

    Args:
        wkb: (n,) Arrow binary, ISO WKB, little endian.

    """
    found = heads(wkb)
    codes = found[:, 1:].copy().view("<u4").reshape(-1)
    bases = codes % 1000
    single = (found[:, 0] == LITTLE) & np.isin(bases, _SINGLE)
    count = int(single.sum())
    if not count:
        return wkb, 0
    empty = single & _empty(wkb, bases)
    prefix = np.zeros((len(wkb), 9), dtype=np.uint8)
    prefix[:, 0] = LITTLE
    prefix[:, 1:5] = (codes + _TO_MULTI).astype("<u4").view(np.uint8).reshape(-1, 4)
    prefix[:, 5] = ~empty
    kept = np.where(single, 9, 0)
    offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)
    fronts = pa.Array.from_buffers(
        pa.binary(), len(wkb), [None, pa.py_buffer(offsets), pa.py_buffer(prefix[single].tobytes())]
    )
    rest = pc.if_else(pa.array(empty), pa.scalar(b"", pa.binary()), wkb)
    return pc.binary_join_element_wise(fronts, rest, pa.scalar(b"", pa.binary())), count


def _empty(wkb: pa.Array, bases: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """(n,) True for empty points (x and y NaN), lines and polygons (no vertex, no ring)."""
    counts = heads(wkb, HEAD + 4)[:, HEAD:].copy().view("<u4").reshape(-1)
    there = pc.fill_null(pc.greater_equal(pc.binary_length(wkb), HEAD + 4), False)
    none: NDArray[np.bool_] = (counts == 0) & there.to_numpy(zero_copy_only=False)
    hollow = (bases == 3) & (heads(wkb, HEAD + 8)[:, HEAD + 4 :].copy().view("<u4")[:, 0] == 0)
    ring = pc.fill_null(pc.greater_equal(pc.binary_length(wkb), HEAD + 8), False)
    none |= hollow & ring.to_numpy(zero_copy_only=False)
    xy = heads(wkb, HEAD + 16)[:, HEAD:].copy().view("<f8").reshape(-1, 2)
    none[bases == 1] = np.isnan(xy).all(axis=1)[bases == 1]
    return none


def as_binary(wkb: pa.Array) -> pa.Array:
    """The geometries as PostGIS' ``ST_AsBinary`` writes them back.

    It writes a geometry of empty parts as an empty one, at every level, and any NaN of an empty
    point as the same NaN (``lwgeom_to_wkb_size`` of PostGIS 3).

    Args:
        wkb: (n,) Arrow binary, ISO WKB, little endian.

    """
    rows = np.flatnonzero(_collapsible(wkb))
    if not len(rows):
        return wkb
    values = wkb.to_numpy(zero_copy_only=False).copy()
    for row in rows.tolist():
        with contextlib.suppress(IndexError, ValueError):
            values[row] = _collapsed(memoryview(values[row]), 0)[0]
    return pa.array(values, pa.binary())


def _collapsible(wkb: pa.Array) -> NDArray[np.bool_]:
    """(n,) True for the geometries that may be written in other bytes, and for few others."""
    found = heads(wkb, 22)
    bases = found[:, 1:HEAD].copy().view("<u4").reshape(-1) % 1000

    def number(place: int, kind: str = "<u4") -> NDArray[Any]:
        size = np.dtype(kind).itemsize
        return found[:, place : place + size].copy().view(kind).reshape(-1)

    odd: NDArray[np.bool_] = (bases == 1) & (
        np.isnan(number(5, "<f8")) | np.isnan(number(13, "<f8"))
    )
    odd |= (bases == 3) & (number(5) > 0) & (number(9) == 0)
    odd |= (bases == 4) & np.isnan(number(14, "<f8"))
    odd |= (bases == 5) & (number(14) == 0)
    odd |= (bases == 6) & ((number(14) == 0) | (number(18) == 0))
    # The parts of a collection may be anything.
    odd |= bases == 7
    odd &= found[:, 0] == LITTLE
    return odd


def _collapsed(data: memoryview, start: int) -> tuple[bytes, int, bool]:
    """A geometry as ST_AsBinary writes it, where it ends, and whether it is empty."""
    head = bytes(data[start : start + HEAD])
    code = int.from_bytes(head[1:], "little")
    base, size = code % 1000, 8 * (2, 3, 3, 4)[code // 1000]
    place = start + HEAD
    if base == 1:
        end = place + size
        values = np.frombuffer(data[place:end], "<f8")
        nothing = bool(np.isnan(values).all())
        body = np.full(size // 8, np.nan).astype("<f8").tobytes() if nothing else data[place:end]
        return head + bytes(body), end, nothing
    count = int.from_bytes(data[place : place + 4], "little")
    place += 4
    if base == 2:
        end = place + count * size
        return bytes(data[start:end]), end, not count
    parts, empty = [], True
    for i in range(count):
        if base == 3:
            end = place + 4 + int.from_bytes(data[place : place + 4], "little") * size
            part, hollow = bytes(data[place:end]), i > 0 or end == place + 4
        else:
            part, end, hollow = _collapsed(data, place)
        parts.append(part)
        empty, place = empty and hollow, end
    kept = b"" if empty else b"".join(parts)
    return head + (0 if empty else count).to_bytes(4, "little") + kept, place, empty
