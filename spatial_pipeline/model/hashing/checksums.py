"""Checksums of columns and pixels that depend neither on their order nor on the partitioning.

Every word of eight bytes is mixed with its row number and its offset in the value, and the results
are added modulo 2**64. So batches, tiles and threads may come in any order, while a value that
changed, or moved to another row, changes the sum (the finalizer is of the splitmix64 family:
Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). The checksums
detect accidental changes; they are not cryptographic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Sums = dict[str, int]
"""Name of a column → its sum."""

AT_ONCE = 65_536
"""Features whose boxes or numbers are summed at once."""
CELLS = 4096
"""Approximate maximum number of cells in which the pixels of a raster are summed."""
MIN_SIDE = 512
CHUNK = 1 << 15
"""Features summed at once, at most: NumPy repeats and joins arrays under the GIL."""
CHUNK_BYTES = 2 << 20
"""Approximate bytes of a column summed at once.

With arrays a fifth of that size, two threads spend most of their time handing the GIL to each
other.
"""
FEWEST = 16
"""Minimum number of features summed at once, whatever their size."""
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_NULL = np.uint64(0xA0761D6478BD642F)
_LENGTH = np.uint64(0xE7037ED1A0B428DB)
_AXES = (np.uint64(0x8EBC6AF09C88C6E3), np.uint64(0x589965CC75374CC3))
_LAYER = 0x1D8E4E27C47D124E
_MODULUS = 1 << 64


def column_sums(columns: Mapping[str, pa.Array], rows: NDArray[np.int64]) -> Sums:
    """The sum of every column over n features.

    Args:
        columns: (n,) Arrow arrays of any type that Parquet can hold.
        rows: (n,) source rows of the features.

    """
    sums = dict.fromkeys(columns, 0)
    widest = max((a.nbytes for a in columns.values()), default=0)
    size = min(max(CHUNK_BYTES * len(rows) // max(widest, 1), FEWEST), CHUNK)
    for start in range(0, len(rows), size):
        seeds = row_seeds(rows[start : start + size])
        sums = added(sums, {n: _sum(a.slice(start, size), seeds) for n, a in columns.items()})
    return sums


def row_sum(rows: NDArray[np.int64]) -> int:
    """The sum of the numbers of the rows themselves."""
    parts = (rows[i : i + AT_ONCE] for i in range(0, len(rows), AT_ONCE))
    return sum(_total(_mixed(row_seeds(part) ^ _LENGTH)) for part in parts) % _MODULUS


def box_sum(bounds: NDArray[np.float64], rows: NDArray[np.int64]) -> int:
    """The sum of the (n, 4) boxes of n features; all NaN are the same."""
    places = _STEP * np.arange(1, 5, dtype=np.uint64)
    total = 0
    for begin in range(0, len(rows), AT_ONCE):
        part = bounds[begin : begin + AT_ONCE]
        bits = np.where(np.isnan(part), np.nan, part).view(np.uint64)
        seeds = row_seeds(rows[begin : begin + AT_ONCE])[:, np.newaxis]
        total += _total(_mixed((bits + seeds + places).ravel()))
    return total % _MODULUS


def added(left: Mapping[str, int], right: Mapping[str, int]) -> Sums:
    """The sums of two sets of features together."""
    return {n: (left.get(n, 0) + right.get(n, 0)) % _MODULUS for n in [*left, *right]}


def written(sums: Mapping[str, int]) -> dict[str, str]:
    """Sums as 16 hexadecimal digits, for JSON."""
    return {name: f"{value:016x}" for name, value in sums.items()}


def row_seeds(rows: NDArray[np.int64]) -> Words:
    """(n,) well-mixed words that stand for the numbers of rows."""
    return _mixed((rows.astype(np.uint64) + np.uint64(1)) * _STEP)


def cell_side(width: int, height: int) -> int:
    """Pixels along a side of the square cells in which a raster is summed."""
    side = MIN_SIDE
    while -(-width // side) * -(-height // side) > CELLS:
        side *= 2
    return side


def empty_cells(bands: int, width: int, height: int) -> Words:
    """(bands, rows of cells, columns of cells) zeros."""
    side = cell_side(width, height)
    return np.zeros((bands, -(-height // side), -(-width // side)), dtype=np.uint64)


def add_window(
    cells: Words,
    values: NDArray[Any],
    masks: Mapping[int, NDArray[np.bool_]],
    row_off: int,
    col_off: int,
    side: int,
) -> None:
    """Adds the pixels of a window to the sums of the cells that it meets.

    Each pixel has a different odd weight, so no single change cancels itself.

    Args:
        cells: sums, see :func:`empty_cells`; changed in place.
        values: (bands, height, width) pixels.
        masks: (height, width) validity of those bands (from 0) that have a mask of their own.
        row_off: first row of the window.
        col_off: first column of the window.
        side: see :func:`cell_side`.

    """
    bands, height, width = values.shape
    down, across = _weights(row_off, height, 0), _weights(col_off, width, 1)
    rows, row_starts = _cuts(row_off, height, side)
    columns, column_starts = _cuts(col_off, width, side)
    for band in range(bands):
        layers = [_bits(values[band])]
        if band in masks:
            layers.append([masks[band].astype(np.uint8)])
        for place, layer in enumerate(layer for group in layers for layer in group):
            salt = np.uint64((_LAYER * place + 1) % _MODULUS)
            # One row at a time stays in the cache, and needs no copy of the whole in 64 bits.
            folded = np.empty((height, len(columns)), dtype=np.uint64)
            for i in range(height):
                folded[i] = np.add.reduceat(np.multiply(layer[i], across), column_starts)
            folded *= (down * salt)[:, np.newaxis]
            sums = np.add.reduceat(folded, row_starts, axis=0)
            cells[band, rows[:, np.newaxis], columns] += sums


def cells_written(cells: Words) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """Sums of cells as hexadecimal digits: by band, row of cells, cell."""
    return tuple(
        tuple(tuple(f"{int(cell):016x}" for cell in row) for row in band) for band in cells
    )


def cells_read(text: tuple[tuple[tuple[str, ...], ...], ...]) -> Words:
    """The sums that :func:`cells_written` wrote."""
    return np.array([[[int(c, 16) for c in row] for row in band] for band in text], dtype=np.uint64)


def _weights(offset: int, count: int, axis: int) -> Words:
    numbers = np.arange(offset, offset + count, dtype=np.uint64)
    return _mixed((numbers + np.uint64(1)) * _STEP ^ _AXES[axis]) | np.uint64(1)


def _cuts(offset: int, count: int, side: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Numbers of the cells along an axis, and where they begin in the window."""
    cells = np.arange(offset // side, (offset + count - 1) // side + 1)
    return cells, np.maximum(cells * side - offset, 0)


def _bits(values: NDArray[Any]) -> list[NDArray[Any]]:
    """Pixels as arrays of unsigned integers; complex ones as two."""
    if np.iscomplexobj(values):
        return [*_bits(np.ascontiguousarray(values.real)), *_bits(values.imag.copy())]
    return [np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")]


def _sum(array: Any, seeds: Words) -> int:
    array = _plain(array)
    kind = array.type
    valid = np.asarray(array.is_valid())
    total = _total(_mixed(seeds[~valid] ^ _NULL))
    if pa.types.is_null(kind):
        return total
    if pa.types.is_struct(kind):
        places = _STEP * np.arange(1, kind.num_fields + 1, dtype=np.uint64)
        for place, child in zip(places, array.flatten(), strict=True):
            total += _sum(child, _mixed(seeds + place))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        total += _list_sum(array, valid, seeds)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        total += _bytes_sum(array, valid, seeds)
    else:
        bits = array.view(f"int{kind.bit_width}")
        values = (
            pc.fill_null(bits, 0).to_numpy(zero_copy_only=False).view(f"u{kind.bit_width // 8}")
        )
        total += _total(_mixed(values[valid].astype(np.uint64) + seeds[valid]))
    return total % _MODULUS


def _plain(array: Any) -> Any:
    """An array in the form in which Parquet returns it, text and decimals as bytes."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _plain(array.dictionary_decode())
    if pa.types.is_boolean(kind):
        return array.cast(pa.uint8())
    if pa.types.is_decimal(kind):
        return array.cast(pa.string()).cast(pa.binary())
    if pa.types.is_string(kind):
        return array.cast(pa.binary())
    if pa.types.is_large_string(kind):
        return array.cast(pa.large_binary())
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return array.cast(pa.binary())
    if pa.types.is_fixed_size_binary(kind):
        return array.cast(pa.binary())
    if pa.types.is_date64(kind):
        return array.cast(pa.date32())
    # Parquet has no unit of seconds.
    if pa.types.is_timestamp(kind) and kind.unit == "s":
        return array.cast(pa.timestamp("ms", kind.tz))
    if pa.types.is_time32(kind) and kind.unit == "s":
        return array.cast(pa.time32("ms"))
    if pa.types.is_map(kind):
        pair = pa.struct([("key", kind.key_type), ("value", kind.item_type)])
        return array.cast(pa.list_(pair))
    if pa.types.is_fixed_size_list(kind):
        return array.cast(pa.list_(kind.value_type))
    return array


def _list_sum(array: Any, valid: NDArray[np.bool_], seeds: Words) -> int:
    offsets = array.offsets.to_numpy()
    lengths = np.where(valid, np.diff(offsets), 0)
    owner, place = _spread(lengths)
    children = array.values.take(pa.array(offsets[:-1][owner] + place))
    inner = _mixed(seeds[owner] + _STEP * (place + 1).astype(np.uint64))
    return _lengths_sum(lengths, valid, seeds) + _sum(children, inner)


def _bytes_sum(array: Any, valid: NDArray[np.bool_], seeds: Words) -> int:
    """The sum of byte strings, eight bytes at a time."""
    _, offset_buffer, data = array.buffers()
    width = np.int64 if pa.types.is_large_binary(array.type) else np.int32
    offsets = np.frombuffer(offset_buffer, width)[array.offset :][: len(array) + 1]
    starts = offsets[:-1].astype(np.int64)
    lengths = np.where(valid, np.diff(offsets), 0).astype(np.int64)
    total = _lengths_sum(lengths, valid, seeds)
    if data is None or not lengths.any():
        return total
    low, high = int(offsets[0]), int(offsets[-1])
    copy = np.zeros(high - low + 8, dtype=np.uint8)
    copy[:-8] = np.frombuffer(data, np.uint8)[low:high]
    length = int(lengths[0])
    if high - low == length * len(lengths) and (lengths == length).all():
        return total + _total(_mixed(_uniform(copy, length, seeds)))
    # Eight bytes from every byte on: values begin anywhere.
    everywhere: Words = np.ndarray(len(copy) - 7, "<u8", copy, strides=(1,))
    counts = (lengths + 7) >> 3
    ends = np.cumsum(counts)
    first = ends - counts
    numbers = np.arange(ends[-1])
    words = everywhere[np.repeat(starts - low - 8 * first, counts) + 8 * numbers]
    filled = counts > 0
    keep = (64 * counts - 8 * lengths)[filled].astype(np.uint64)
    last = ends[filled] - 1
    words[last] = (words[last] << keep) >> keep
    # Seed of the row plus the offset in the value, as one sum over the word numbers.
    words += np.repeat(seeds - _STEP * first.astype(np.uint64), counts)
    words += _STEP * (numbers + 1).view(np.uint64)
    return total + _total(_mixed(words))


def _uniform(data: NDArray[np.uint8], length: int, seeds: Words) -> Words:
    """(n, words) mixed words of n consecutive values of one length.

    Points have one length, as do most features of regular shape; no look-up is needed then.

    Args:
        data: the bytes of all values, and eight more.
        length: bytes of each, at least 1.
        seeds: (n,) the words that stand for their rows.

    """
    count = -(-length // 8)
    words: Words = np.array(np.ndarray((len(seeds), count), "<u8", data, strides=(length, 8)))
    keep = np.uint64(64 * count - 8 * length)
    words[:, -1] = (words[:, -1] << keep) >> keep
    words += seeds[:, np.newaxis]
    words += _STEP * np.arange(1, count + 1, dtype=np.uint64)
    return words


def _lengths_sum(lengths: NDArray[np.int64], valid: NDArray[np.bool_], seeds: Words) -> int:
    return _total(_mixed((seeds + _LENGTH + lengths.astype(np.uint64))[valid]))


def _spread(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Expands (n,) counts: for each unit of their sum, its owner and its number there."""
    ends = np.cumsum(counts)
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - (ends - counts)[owner]


def _mixed(words: Words) -> Words:
    """Mixes the words in place; every bit depends on all bits of the same word."""
    for _ in range(2):
        words ^= words >> _HALF
        words *= _MULTIPLIER
    words ^= words >> _HALF
    return words


def _total(words: Words) -> int:
    return int(cast("np.uint64", words.sum(dtype=np.uint64)))
