"""Writes ISO WKB of many geometries at once, from units: points, lines or rings in row order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
_NONE = -1
_POINT, _LINE, _POLYGON = 1, 2, 3
_MANY = 3
"""Type of several less that of one."""
_Z, _M = 1000, 2000
_HEAD, _COUNT = 5, 4
"""Bytes of byte order and type, and of a number."""


@dataclass(frozen=True)
class Units:
    """Units of the WKB to write: u headers or runs of positions, by row, at least one per row.

    Attributes:
        row: (u,) row.
        points: (u,) number of positions.
        many: (u,) members that a multi-part geometry which starts here has, -1 where none does.
        starts: (u,) bool, whether a geometry, or a member, starts here.
        count: (u,) number behind its type, -1 without.
        ring: (u,) bool, whether the number of positions stands before them.
        kind: WKB type of one geometry.

    """

    row: Integers
    points: Integers
    many: Integers
    starts: Mask
    count: Integers
    ring: Mask
    kind: int


def point_units(points: Integers, *, many: bool) -> Units:
    """Points, or multi-points of (n,) numbers of positions."""
    rows = np.arange(len(points))
    if not many:
        one = np.ones(len(rows), np.int64)
        none = np.full(len(rows), _NONE)
        return Units(rows, one, none, one > 0, none, one < 0, _POINT)
    units = np.maximum(points, 1)
    row = np.repeat(rows, units)
    first = np.append(True, row[1:] != row[:-1])[: len(row)]
    there = points[row] > 0
    none = np.full(len(row), _NONE)
    return Units(
        row, there.astype(np.int64), np.where(first, points[row], _NONE), there, none,
        np.zeros(len(row), dtype=bool), _POINT,
    )  # fmt: skip


def line_units(sizes: Integers, owner: Integers, rows: int) -> Units:
    """Lines: ``sizes`` positions of each part, ``owner`` its row, of ``rows`` rows."""
    row, sizes, parts, _ = _with_empty(sizes, owner, rows, np.ones(len(sizes), dtype=bool))
    return Units(
        row, sizes, _several(row, parts), np.ones(len(row), dtype=bool), sizes,
        np.zeros(len(row), dtype=bool), _LINE,
    )  # fmt: skip


def polygon_units(sizes: Integers, owner: Integers, shells: Mask, rows: int) -> Units:
    """Polygons: rings in row order, each outer one before its holes.

    Args:
        sizes: (r,) positions.
        owner: (r,) row.
        shells: (r,) bool.
        rows: number of rows.

    """
    row, sizes, polygons, starts = _with_empty(sizes, owner, rows, shells)
    polygon = np.cumsum(starts) - 1
    rings = np.bincount(polygon, weights=sizes > 0).astype(np.int64)
    count = np.where(starts, rings[polygon], _NONE)
    return Units(row, sizes, _several(row, polygons), starts, count, sizes > 0, _POLYGON)


def _with_empty(
    sizes: Integers, owner: Integers, rows: int, starts: Mask
) -> tuple[Integers, Integers, Integers, Mask]:
    """Rows and sizes of units, one for each empty row among them, members by row, and starts."""
    members = np.bincount(owner, weights=starts, minlength=rows).astype(np.int64)
    empty = np.flatnonzero(members == 0)
    place = np.searchsorted(owner, empty)
    row = np.insert(owner, place, empty)
    return row, np.insert(sizes, place, 0), members, np.insert(starts, place, True)


def _several(row: Integers, members: Integers) -> Integers:
    """Number of members at the first unit of rows with more than one, else -1."""
    first = np.append(True, row[1:] != row[:-1])[: len(row)]
    return np.where(first & (members[row] > 1), members[row], _NONE)


def written(units: Units, has_z: Mask, has_m: Mask, body: NDArray[np.float64]) -> pa.Array:
    """(n,) WKB.

    Args:
        units: their content.
        has_z: (n,) bool.
        has_m: (n,) bool.
        body: all ordinates, unit by unit, position by position.

    """
    z, m = has_z[units.row], has_m[units.row]
    width = 8 * (2 + z.astype(np.int64) + m)
    kind = units.kind + _Z * z + _M * m
    outer = np.where(units.many >= 0, _HEAD + _COUNT, 0)
    inner = np.where(units.starts, _HEAD + _COUNT * (units.count >= 0), 0)
    ends = np.cumsum(outer + inner + _COUNT * units.ring)
    begin = np.append(0, ends)[:-1]
    heads = bytearray(int(ends[-1]) if len(ends) else 0)
    _heads(heads, begin, units.many >= 0, kind + _MANY, units.many)
    _heads(heads, begin + outer, units.starts, kind, units.count)
    _numbers(heads, (begin + outer + inner)[units.ring], units.points[units.ring])
    whole = pc.binary_join_element_wise(
        _binary(heads, ends), _binary(body, np.cumsum(width * units.points)), b""
    )
    # The units of a row stand one after the other, so a row is from its first to its last.
    offsets = np.frombuffer(whole.buffers()[1], np.int32)[: len(whole) + 1]
    last = np.cumsum(np.bincount(units.row, minlength=len(has_z)))
    buffers = [None, pa.py_buffer(offsets[np.append(0, last)]), whole.buffers()[2]]
    return pa.Array.from_buffers(pa.binary(), len(has_z), buffers)


def _binary(data: bytearray | NDArray[np.float64], ends: Integers) -> pa.Array:
    """Arrow binary of values that end where they say."""
    offsets = np.append(0, ends).astype(np.int32)
    return pa.Array.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def _heads(out: bytearray, at: Integers, where: Mask, kind: Integers, count: Integers) -> None:
    """Byte order, type and, unless it is -1, a number."""
    at, kind, count = at[where], kind[where], count[where]
    np.frombuffer(out, np.uint8)[at] = 1
    _numbers(out, at + 1, kind)
    _numbers(out, at[count >= 0] + _HEAD, count[count >= 0])


def _numbers(out: bytearray, at: Integers, values: Integers) -> None:
    _scattered(out, at, np.ascontiguousarray(values, "<u4"), 4)


def _scattered(out: bytearray, at: Integers, values: NDArray[np.generic], size: int) -> None:
    """Puts pieces of ``size`` bytes at positions of a buffer."""
    if len(at):
        place: NDArray[np.void] = np.ndarray(
            (len(out) - size + 1,), dtype=f"V{size}", buffer=out, strides=(1,)
        )
        place[at] = values.view(f"V{size}").ravel()
