"""Curves and surfaces that GEOS has no types for, as lines and polygons (ISO 19125-1, ISO 13249-3).

Works on ISO and EWKB with Z and M. What is no such geometry passes through untouched: a column
without curves costs a look at the type of each value. Damaged values pass through too, for the
survey to find. The geometry of arcs is in ``arcs``.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.ingest.arcs import TOLERANCE, stroked
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.stretches import gathered
from spatial_pipeline.ingest.wkt import MAX_NESTING

CURVES = {8: "CIRCULARSTRING", 9: "COMPOUNDCURVE", 10: "CURVEPOLYGON", 11: "MULTICURVE",
          12: "MULTISURFACE"}  # fmt: skip
SURFACES = {15: "POLYHEDRALSURFACE", 16: "TIN", 17: "TRIANGLE"}
_COLLECTION = 7
_PLAIN = {8: 2, 9: 2, 10: 3, 11: 5, 12: 6, 15: 6, 16: 6, 17: 3}
"""Type that takes the place of another."""
_LINES, _RINGED = {2, 8}, {3, 17}
_MEMBERS = {4: {1}, 5: {2}, 6: {3}, 7: set(range(1, 18)) - {13, 14}, 9: {2, 8}, 10: {2, 8, 9},
            11: {2, 8, 9}, 12: {3, 10}, 15: {3}, 16: {17}}  # fmt: skip
_Z, _M, _SRID, _FLAGS = 0x80000000, 0x40000000, 0x20000000, 0xE0000000
_HEAD, _RING, _POINT = 9, 4, 5
"""Bytes before the members or positions of an item: of a geometry, a ring, a point."""
_WORDS = {"<": struct.Struct("<I"), ">": struct.Struct(">I")}


@dataclass
class LinearisationSummary:
    """Result of the linearisation of curves and surfaces.

    Attributes:
        curves: features with curves.
        surfaces: features with surfaces of other types than polygons.
        types: features in which a type occurs.
        largest: largest distance between an arc and its chords, in units of the CRS.
        rows: rows of the features with curves, by the types of these.
        read: rows of the batches before the one that is being read.

    """

    curves: int = 0
    surfaces: int = 0
    types: Counter[int] = field(default_factory=Counter)
    largest: float = 0.0
    rows: dict[str, list[int]] = field(default_factory=dict)
    read: int = 0

    def add(self, types: set[int], row: int) -> None:
        """Counts a feature, by its row in the batch, by the types that occur in it."""
        self.types.update(types)
        named = ", ".join(name for code, name in CURVES.items() if code in types)
        if named:
            self.curves += 1
            self.rows.setdefault(named, []).append(self.read + row)
        self.surfaces += not types.isdisjoint(SURFACES)

    def notes(self) -> Iterator[str]:
        """Notes for the profile."""
        if self.curves:
            yield (
                f"{self.curves} features have curves ({self._named(CURVES)}), staged as straight "
                f"lines: nowhere farther than 1/{1 / TOLERANCE:.0f} of an arc's radius or length "
                f"from it, at most {self.largest:.3g}"
            )
        if self.surfaces:
            yield (
                f"{self.surfaces} features ({self._named(SURFACES)}) are staged as polygons; "
                "faces share edges, which those of a valid MultiPolygon may not"
            )

    def _named(self, names: dict[int, str]) -> str:
        return ", ".join(name for code, name in names.items() if self.types[code])


def linear(layer: Layer) -> Layer:
    """The layer, whose batches hold no curves any more; notes follow behind the last batch."""
    if layer.geometry is not None:
        layer.batches = _batches(layer, layer.batches)
    return layer


def _batches(layer: Layer, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    tally = LinearisationSummary(rows=layer.curves)
    for batch in batches:
        index = batch.schema.get_field_index(layer.geometry)
        column = linearised(batch.column(index), tally)
        if column is batch.column(index):
            yield batch
        else:
            yield batch.set_column(index, batch.schema.field(index), column)
        tally.read += batch.num_rows
    layer.notes.extend(tally.notes())


def linearised(wkb: pa.Array, tally: LinearisationSummary) -> pa.Array:
    """(n,) Arrow binary WKB without curves; the array itself when there are none."""
    kinds = base_types(wkb)
    rows = np.flatnonzero(np.isin(kinds, [_COLLECTION, *CURVES, *SURFACES]))
    if not len(rows):
        return wkb
    plan = _Plan()
    for row in rows.tolist():
        plan.take(row, wkb[row].as_py())
    if not plan.rows:
        return wkb
    for row, types in zip(plan.rows, plan.types, strict=True):
        tally.add(types, row)
    values = _written(plan, tally)
    mask = np.zeros(len(wkb), dtype=bool)
    mask[plan.rows] = True
    return pc.replace_with_mask(wkb, pa.array(mask), values.cast(wkb.type))


def base_types(wkb: pa.Array) -> NDArray[np.int64]:
    """(n,) type codes without dimensions; 0 for null and for what is too short to have one."""
    sizes = pc.fill_null(pc.binary_length(wkb), 0).to_numpy(zero_copy_only=False)
    found = np.zeros(len(wkb), dtype=np.int64)
    there = np.flatnonzero(sizes >= _POINT)
    if not len(there):
        return found
    wide = pa.types.is_large_binary(wkb.type)
    offsets = np.frombuffer(wkb.buffers()[1], np.int64 if wide else np.int32)
    starts = offsets[wkb.offset : wkb.offset + len(wkb)][there].astype(np.int64)
    heads = gathered(wkb.buffers()[2], starts, _POINT)
    little = np.ascontiguousarray(heads[:, 1:]).view("<u4").ravel()
    words = np.where(heads[:, 0] == 1, little, little.byteswap()).astype(np.int64)
    found[there] = (words & ~_FLAGS) % 1000
    return found


class _DamagedWkbError(ValueError):
    """WKB that ends early, or whose parts do not belong together."""


@dataclass
class _Plan:
    """Output of each geometry that changes: items in order, and their positions.

    An item is a geometry, a ring or a point. A run is a stretch of positions of an item, as it
    lies in the source: a line, or a string of arcs.
    """

    rows: list[int] = field(default_factory=list)
    types: list[set[int]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    members: list[int] = field(default_factory=list)
    runs: list[tuple[int, int, int, int, int, bool]] = field(default_factory=list)
    """Item, first byte, positions, numbers in each, byte order (0 big), whether they are arcs."""
    data: bytearray = field(default_factory=bytearray)

    def take(self, row: int, value: bytes) -> None:
        """Adds a geometry, unless it is damaged or has nothing that must change."""
        items, runs = len(self.heads), len(self.runs)
        walk = _Walk(self, value, len(self.data))
        try:
            end = walk.geometry(0, set(_MEMBERS[_COLLECTION]), None, 0, ring=False)
            sound = end == len(value)
        except (_DamagedWkbError, struct.error, KeyError):
            sound = False
        changed = walk.types & (CURVES.keys() | SURFACES.keys())
        if not sound or not changed:
            del self.heads[items:], self.words[items:], self.members[items:], self.runs[runs:]
            return
        self.data += value
        self.rows.append(row)
        self.types.append(changed)
        self.ends.append(len(self.heads))

    def item(self, head: int, word: int, members: int) -> int:
        """Adds an item and gives its number."""
        self.heads.append(head)
        self.words.append(word)
        self.members.append(members)
        return len(self.heads) - 1


class _Walk:
    """Goes through one geometry and puts its items into a plan."""

    def __init__(self, plan: _Plan, value: bytes, base: int) -> None:
        self.plan = plan
        self.value = value
        self.base = base
        self.types: set[int] = set()

    def geometry(
        self, at: int, wanted: set[int], into: int | None, depth: int, *, ring: bool
    ) -> int:
        """Reads a geometry with its header and returns where it ends.

        Args:
            at: its first byte.
            wanted: types that may stand here.
            into: item that takes the positions of a part of a compound curve.
            depth: geometries around it.
            ring: whether it is the ring of a curve polygon.

        """
        if depth > MAX_NESTING or at >= len(self.value) or self.value[at] > 1:
            raise _DamagedWkbError
        order = "<" if self.value[at] else ">"
        unpack = _WORDS[order].unpack_from
        (word,) = unpack(self.value, at + 1)
        at += 9 if word & _SRID else 5
        thousands, kind = divmod(word & ~_FLAGS, 1000)
        if kind not in wanted or thousands > 3:
            raise _DamagedWkbError
        z = bool(word & _Z) or thousands in {1, 3}
        m = bool(word & _M) or thousands in {2, 3}
        self.types.add(kind)
        plain = _PLAIN.get(kind, kind) + 1000 * z + 2000 * m
        width = 2 + z + m
        if kind == 1:
            item = self.plan.item(_POINT, plain, 0)
            return self._run(item, at, 1, width, order, arcs=False)
        (count,) = unpack(self.value, at)
        at += 4
        if kind in _LINES or kind == 9:
            head = _RING if ring else _HEAD
            item = self.plan.item(head, plain, 0) if into is None else into
            if kind in _LINES:
                return self._run(item, at, count, width, order, arcs=kind == 8)
            for _ in range(count):
                at = self.geometry(at, _MEMBERS[kind], item, depth + 1, ring=False)
            return at
        self.plan.item(_HEAD, plain, count)
        for _ in range(count):
            if kind in _RINGED:
                (positions,) = unpack(self.value, at)
                item = self.plan.item(_RING, 0, 0)
                at = self._run(item, at + 4, positions, width, order, arcs=False)
            else:
                at = self.geometry(at, _MEMBERS[kind], None, depth + 1, ring=kind == 10)
        return at

    def _run(self, item: int, at: int, count: int, width: int, order: str, *, arcs: bool) -> int:
        end = at + 8 * width * count
        # Arcs share their ends: three positions for the first, two for each further one.
        if end > len(self.value) or (arcs and count and (count < 3 or count % 2 == 0)):
            raise _DamagedWkbError
        self.plan.runs.append((item, self.base + at, count, width, int(order == "<"), arcs))
        return end


def _written(plan: _Plan, tally: LinearisationSummary) -> pa.Array:
    """WKB of the geometries of a plan, in little-endian order."""
    heads = np.array(plan.heads, dtype=np.int64)
    counts = np.array(plan.members, dtype=np.int64)
    widths = np.zeros(len(heads), dtype=np.int64)
    runs = np.array(plan.runs, dtype=np.int64).reshape(-1, 6)
    data = np.frombuffer(plan.data, np.uint8)
    positions: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
    for width in np.unique(runs[:, 3]).tolist():
        chosen = runs[runs[:, 3] == width]
        found = stroked(
            _positions(data, chosen), chosen[:, 2], chosen[:, 0], chosen[:, 5].astype(bool)
        )
        positions[width] = found.owners, found.positions
        tally.largest = max(tally.largest, found.largest)
        counts += np.bincount(found.owners, minlength=len(heads))
        widths[chosen[:, 0]] = width
    bodies = np.where(widths > 0, 8 * widths * counts, 0)
    starts = np.cumsum(heads + bodies) - (heads + bodies)
    out = np.empty(int((heads + bodies).sum()), dtype=np.uint8)
    _write_heads(out, starts, heads, np.array(plan.words, dtype=np.int64), counts)
    for width, (owners, xyz) in positions.items():
        of_item = np.bincount(owners, minlength=len(heads))
        before = np.cumsum(of_item) - of_item
        place = (starts + heads - 8 * width * before)[owners] + 8 * width * np.arange(len(owners))
        numbers = _everywhere(out)
        for axis in range(width if len(owners) else 0):
            numbers[place + 8 * axis] = xyz[:, axis]
    ends = np.append(starts, len(out))[np.array(plan.ends, dtype=np.int64)]
    offsets = np.concatenate([[0], ends]).astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(out)]
    return pa.Array.from_buffers(pa.large_binary(), len(ends), buffers)


def _positions(data: NDArray[np.uint8], runs: NDArray[np.int64]) -> NDArray[np.float64]:
    """(p, d) positions of runs of d numbers, in their order."""
    count, width = runs[:, 2], int(runs[0, 3])
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    place = np.repeat(runs[:, 1], count) + 8 * width * within
    found = np.empty((len(place), width))
    if not len(place):
        return found
    numbers = _everywhere(data)
    for axis in range(width):
        found[:, axis] = numbers[place + 8 * axis]
    big = np.repeat(runs[:, 4] == 0, count)
    found[big] = found[big].byteswap()
    return found


def _everywhere(data: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Bytes as little-endian numbers that begin at any of them."""
    numbers: NDArray[np.float64] = np.ndarray(
        (max(0, len(data) - 7),), dtype="<f8", buffer=data, strides=(1,)
    )
    return numbers


def _write_heads(
    out: NDArray[np.uint8],
    starts: NDArray[np.int64],
    heads: NDArray[np.int64],
    words: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    for size in (_HEAD, _POINT, _RING):
        chosen = np.flatnonzero(heads == size)
        rows = np.empty((len(chosen), _HEAD), dtype=np.uint8)
        rows[:, 0] = 1
        rows[:, 1:5] = words[chosen].astype("<u4")[:, np.newaxis].view(np.uint8)
        rows[:, 5:9] = counts[chosen].astype("<u4")[:, np.newaxis].view(np.uint8)
        part = rows[:, 5:9] if size == _RING else rows[:, :size]
        out[starts[chosen][:, np.newaxis] + np.arange(size)] = part
