"""Structure of well-known binary: length and nesting depth of geometries.

GEOS reads WKB by unbounded recursion, which crashes the process on a maliciously nested geometry,
and it does not report trailing bytes. Decoding belongs to ``model.features``.

Source: OGC 06-103r4 (ISO WKB); EWKB of PostGIS for the flags.
"""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

MAX_NESTING = 128
"""Levels of collections in collections that are decoded."""
_Z, _M, _SRID, _FLAGS = 0x80000000, 0x40000000, 0x20000000, 0xF0000000
_CHECKED_BYTES = 9 * MAX_NESTING
"""A shorter geometry cannot nest deeper."""
_PLAIN = frozenset(
    (kind + 1000 * dimensions) & 0xFF for kind in (1, 2, 3) for dimensions in range(4)
)
"""Low bytes of types that hold no others."""
_COLLECTIONS = frozenset({4, 5, 6, 7, 9, 10, 11, 12, 15, 16})


class WkbError(ValueError):
    """The bytes are not well-known binary, or nest too deeply."""


def end(wkb: bytes) -> int:
    """Offset behind the geometry at the start of the bytes.

    Raises:
        WkbError: it ends behind them, has an unknown type, or nests too deeply.

    """
    at = 0
    waiting = [1]
    try:
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                continue
            waiting[-1] -= 1
            if len(waiting) > MAX_NESTING:
                msg = f"nests geometries more than {MAX_NESTING} deep"
                raise WkbError(msg)
            at, members = _member(wkb, at)
            if members:
                waiting.append(members)
    except (struct.error, IndexError) as exc:
        msg = "ends too early"
        raise WkbError(msg) from exc
    if at > len(wkb):
        msg = "ends too early"
        raise WkbError(msg)
    return at


def _member(wkb: bytes, at: int) -> tuple[int, int]:
    """Offset behind the geometry that starts here, or behind its header, and its member count."""
    order = "<" if wkb[at] else ">"
    (word,) = struct.unpack_from(order + "I", wkb, at + 1)
    at += 9 if word & _SRID else 5
    kind, dimensions = (word & ~_FLAGS) % 1000, (word & ~_FLAGS) // 1000
    width = (
        2 + (dimensions in {1, 3} or bool(word & _Z)) + (dimensions in {2, 3} or bool(word & _M))
    )
    if kind == 1:
        return at + 8 * width, 0
    (count,) = struct.unpack_from(order + "I", wkb, at)
    at += 4
    if kind in {2, 8}:
        return at + 8 * width * count, 0
    if kind in {3, 17}:
        for _ in range(count):
            (positions,) = struct.unpack_from(order + "I", wkb, at)
            at += 4 + 8 * width * positions
        return at, 0
    if kind not in _COLLECTIONS:
        msg = f"has the unknown type {word}"
        raise WkbError(msg)
    return at, count


def too_deep(wkb: NDArray[np.object_], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of those of (n,) WKB that nest more than ``MAX_NESTING`` deep.

    Args:
        wkb: (n,) bytes or None.
        sizes: (n,) their lengths; a short one cannot hold that many headers.

    """
    rows = np.flatnonzero(sizes > _CHECKED_BYTES).tolist()
    return np.array([i for i in rows if _may_nest(wkb[i]) and _is_too_deep(wkb[i])], np.int64)


def _may_nest(wkb: bytes) -> bool:
    """False for points, lines and polygons, whose types end in the same bytes in all dialects."""
    low = wkb[1] if wkb[0] else wkb[4]
    return low not in _PLAIN


def _is_too_deep(wkb: bytes) -> bool:
    try:
        end(wkb)
    except WkbError as exc:
        return "deep" in str(exc)
    return False


def lengths(geometry: NDArray[np.object_]) -> NDArray[np.int64]:
    """(n,) bytes of ISO WKB of geometries without curves; -1 for null and for collections."""
    kinds = shapely.get_type_id(geometry)
    width = 2 + shapely.has_z(geometry).astype(np.int64) + shapely.has_m(geometry)
    size = np.asarray(9 + 8 * width * shapely.get_num_coordinates(geometry), np.int64)
    size[kinds == 0] = 5 + 8 * width[kinds == 0]
    for kind in (3, 4, 5, 6):
        rows = np.flatnonzero(kinds == kind)
        if len(rows):
            size[rows] += _headers(kind, geometry if len(rows) == len(size) else geometry[rows])
    size[(kinds < 0) | (kinds == 7)] = -1
    return size


def _headers(kind: int, geometry: NDArray[np.object_]) -> NDArray[np.int64]:
    """(n,) bytes of the headers in front of rings and members."""
    if kind == 3:
        rings = shapely.get_num_interior_rings(geometry).astype(np.int64) + 1
        return np.where(shapely.is_empty(geometry), 0, 4 * rings)
    if kind < 6:
        member = 5 if kind == 4 else 9
        return np.asarray(member * shapely.get_num_geometries(geometry), np.int64)
    parts, rows = shapely.get_parts(geometry, return_index=True)
    sizes = 9 + _headers(3, parts)
    return np.asarray(np.bincount(rows, sizes, len(geometry)), np.int64)


def trailing(wkb: pa.Array, geometry: NDArray[np.object_]) -> NDArray[np.int64]:
    """(n,) trailing bytes behind each of (n,) geometries; 0 for those that were not decoded."""
    stored = np.asarray(pc.fill_null(pc.binary_length(wkb), 0)).astype(np.int64)
    left = np.zeros(len(stored), np.int64)
    present = shapely.get_type_id(geometry) >= 0
    for row in np.flatnonzero(present & (stored != lengths(geometry))).tolist():
        try:
            left[row] = stored[row] - end(wkb[row].as_py())
        except WkbError:
            continue
    return left
