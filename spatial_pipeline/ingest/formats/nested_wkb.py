"""ISO WKB of nested coordinates, written as they are: no ring is closed, nothing is turned."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Offsets = NDArray[np.int64]
_HEAD, _COUNT = 9, 4
DEPTHS = {1: 0, 2: 1, 3: 2, 4: 1, 5: 2, 6: 3}
"""Levels of nesting above a position, by WKB type without dimensions."""


def write(kind: int, coordinates: NDArray[np.float64], offsets: Sequence[Offsets]) -> pa.Array:
    """(n,) Arrow binary of (n,) geometries of one type.

    Args:
        kind: WKB type, 1 (point) to 6 (multipolygon).
        coordinates: (m, 2 or 3) positions; a row of NaN is an empty point.
        offsets: one array for each level from the geometries down to the positions, each one
            longer than the items of its level; none for points.

    """
    width = coordinates.shape[1]
    body = np.ascontiguousarray(coordinates, "<f8").view(np.uint8)
    body = body.reshape(len(coordinates), 8 * width)
    head = _head(kind, width)
    if kind == 1:
        return _points(head, body)
    if kind == 4:
        return _multipoints(head, _head(1, width), body, offsets[0])
    rings = np.diff(offsets[-1])
    # Lines carry their own count only; as members of others they have a header, rings have none.
    lead = {2: _HEAD, 3: _COUNT, 5: _HEAD, 6: _COUNT}[kind]
    return _lines(kind, width, head, body, offsets, rings, lead)


def _lines(
    kind: int,
    width: int,
    head: bytes,
    body: NDArray[np.uint8],
    offsets: Sequence[Offsets],
    rings: Offsets,
    lead: int,
) -> pa.Array:
    """Lines, polygons and their multiples: runs of positions, each behind what leads it."""
    stride = body.shape[1]
    ends = np.concatenate([[0], np.cumsum(rings * stride + lead)])
    heads: list[tuple[Offsets, bytes, Offsets]] = []
    if kind == 2:
        starts = ends
        heads.append((starts[:-1], head, rings))
        shift = np.zeros(len(rings), np.int64)
    elif kind in {3, 5}:
        starts = ends[offsets[0]] + _HEAD * np.arange(len(offsets[0]))
        heads.append((starts[:-1], head, np.diff(offsets[0])))
        shift = _HEAD * (np.repeat(np.arange(len(offsets[0]) - 1), np.diff(offsets[0])) + 1)
        if kind == 5:
            heads.append((ends[:-1] + shift, _head(2, width), rings))
    else:
        parts, counts = np.diff(offsets[0]), np.diff(offsets[1])
        above = np.repeat(np.arange(len(parts)), parts) + 1
        members = ends[offsets[1][:-1]] + _HEAD * (above + np.arange(len(counts)))
        starts = ends[offsets[1][offsets[0]]] + _HEAD * (np.arange(len(offsets[0])) + offsets[0])
        heads += [(starts[:-1], head, parts), (members, _head(3, width), counts)]
        shift = _HEAD * np.repeat(above + np.arange(len(counts)) + 1, counts)
    out = np.empty(int(starts[-1]), np.uint8)
    for places, start, counted in heads:
        _put(out, places, np.frombuffer(start, np.uint8)[None, :])
        _put(out, places + len(start), _words(counted))
    if lead == _COUNT:
        _put(out, ends[:-1] + shift, _words(rings))
    first = np.repeat(ends[:-1] + shift + lead, rings)
    within = np.arange(len(body)) - np.repeat(offsets[-1][:-1], rings)
    _put(out, first + within * stride, body)
    return _binary(starts, out)


def _points(head: bytes, body: NDArray[np.uint8]) -> pa.Array:
    rows = np.empty((len(body), len(head) + body.shape[1]), np.uint8)
    rows[:, : len(head)] = np.frombuffer(head, np.uint8)
    rows[:, len(head) :] = body
    return _binary(np.arange(len(body) + 1) * rows.shape[1], rows)


def _multipoints(head: bytes, member: bytes, body: NDArray[np.uint8], offsets: Offsets) -> pa.Array:
    size = len(member) + body.shape[1]
    counts = np.diff(offsets)
    starts = offsets * size + _HEAD * np.arange(len(offsets))
    out = np.empty(int(starts[-1]), np.uint8)
    _put(out, starts[:-1], np.frombuffer(head, np.uint8)[None, :])
    _put(out, starts[:-1] + len(head), _words(counts))
    places = np.arange(len(body)) * size + _HEAD * (np.repeat(np.arange(len(counts)), counts) + 1)
    _put(out, places, np.frombuffer(member, np.uint8)[None, :])
    _put(out, places + len(member), body)
    return _binary(starts, out)


def _head(kind: int, width: int) -> bytes:
    return struct.pack("<BI", 1, kind + 1000 * (width - 2))


def _words(values: Offsets) -> NDArray[np.uint8]:
    return values.astype("<u4").view(np.uint8).reshape(-1, 4)


def _put(out: NDArray[np.uint8], places: Offsets, values: NDArray[np.uint8]) -> None:
    """Writes rows of bytes at their places."""
    if not len(places):
        return
    size = values.shape[1]
    windows: Any = np.lib.stride_tricks.sliding_window_view(out, size, writeable=True)
    windows[places] = values


def _binary(starts: Offsets, out: NDArray[np.uint8]) -> pa.Array:
    large = int(starts[-1]) >= 1 << 31
    kind = pa.large_binary() if large else pa.binary()
    places = starts.astype(np.int64 if large else np.int32)
    buffers = [None, pa.py_buffer(places), pa.py_buffer(out)]
    return pa.Array.from_buffers(kind, len(starts) - 1, buffers)
