"""GeoArrow arrays of one geometry type (GeoParquet's native encodings) as WKB."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats import nested_wkb

ENCODINGS = {
    "point": 1, "linestring": 2, "polygon": 3, "multipoint": 4, "multilinestring": 5,
    "multipolygon": 6,
}  # fmt: skip
"""WKB type of each encoding."""


def to_wkb(array: pa.Array, encoding: str) -> tuple[pa.Array, NDArray[np.int64]]:
    """WKB of (n,) geometries in a native encoding, and which of them hold a null; null stays null.

    Nothing is corrected: a ring that is not closed stays open, and does not decode.

    Args:
        array: nested lists of coordinates, as structs of x, y and z or as fixed-size lists.
        encoding: key of ``ENCODINGS``.

    Returns:
        (n,) Arrow binary, and the indices of geometries in which a part or a coordinate is null.

    Raises:
        SourceError: the array is not laid out like the encoding.

    """
    kind = ENCODINGS[encoding]
    valid = np.asarray(array.is_valid())
    present = array.filter(pa.array(valid))
    offsets: list[NDArray[np.int64]] = []
    starts = np.arange(len(present) + 1)
    broken = np.zeros(len(present), dtype=bool)
    inner = present
    for _ in range(nested_wkb.DEPTHS[kind]):
        if not (pa.types.is_list(inner.type) or pa.types.is_large_list(inner.type)):
            msg = f"a column of type {array.type} is not encoded as {encoding}"
            raise SourceError(msg)
        _mark(broken, starts, np.asarray(inner.is_null()))
        raw = inner.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
        inner = inner.values.slice(int(raw[0]), int(raw[-1] - raw[0]))
        offsets.append(raw - raw[0])
        starts = offsets[-1][starts]
    coordinates, null = _coordinates(inner, array.type)
    _mark(broken, starts, null)
    out = nested_wkb.write(kind, coordinates, offsets).cast(pa.binary())
    if broken.any():
        out = pc.if_else(pa.array(broken), pa.scalar(None, pa.binary()), out)
    if not valid.all():
        places = np.cumsum(valid) - 1
        out = out.take(pa.array(places, mask=~valid))
    return out, np.flatnonzero(valid)[broken]


def _mark(broken: NDArray[np.bool_], starts: NDArray[np.int64], null: NDArray[np.bool_]) -> None:
    """Marks the geometries that hold a null item; ``starts`` are their first items."""
    items = np.flatnonzero(null)
    if len(items):
        broken[np.searchsorted(starts, items, side="right") - 1] = True


def _coordinates(
    array: pa.Array, whole: pa.DataType
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(n, 2 or 3) coordinates of separated or interleaved arrays, and which positions hold null."""
    if pa.types.is_struct(array.type):
        names = [f.name for f in array.type]
        if names[:2] == ["x", "y"] and names in (["x", "y"], ["x", "y", "z"]):
            parts = array.flatten()
            null = np.any([np.asarray(c.is_null()) for c in parts], axis=0)
            columns = [c.to_numpy(zero_copy_only=False).astype(np.float64) for c in parts]
            return np.stack(columns, axis=1), null
    if pa.types.is_fixed_size_list(array.type) and array.type.list_size in (2, 3):
        size = array.type.list_size
        # Values of a null list stand in its place.
        flat = array.values.slice(array.offset * size, len(array) * size)
        null = np.asarray(flat.is_null()).reshape(-1, size).any(axis=1)
        values = flat.to_numpy(zero_copy_only=False).astype(np.float64).reshape(-1, size)
        return np.asarray(values), null | np.asarray(array.is_null())
    msg = f"coordinates in a column of type {whole} are neither x, y nor x, y, z"
    raise SourceError(msg)
