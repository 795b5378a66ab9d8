"""GeoArrow arrays of one geometry type (GeoParquet's native encodings) as WKB."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError

ENCODINGS: dict[str, tuple[shapely.GeometryType, int]] = {
    "point": (shapely.GeometryType.POINT, 0),
    "linestring": (shapely.GeometryType.LINESTRING, 1),
    "polygon": (shapely.GeometryType.POLYGON, 2),
    "multipoint": (shapely.GeometryType.MULTIPOINT, 1),
    "multilinestring": (shapely.GeometryType.MULTILINESTRING, 2),
    "multipolygon": (shapely.GeometryType.MULTIPOLYGON, 3),
}
"""Geometry type and depth of nested lists of each encoding."""


def to_wkb(array: pa.Array, encoding: str) -> pa.Array:
    """(n,) Arrow binary WKB of (n,) geometries in a native encoding; null stays null.

    Args:
        array: nested lists of coordinates, as structs of x, y and z or as fixed-size lists.
        encoding: key of ``ENCODINGS``.

    Raises:
        SourceError: the array is not laid out like the encoding.

    """
    kind, depth = ENCODINGS[encoding]
    valid = np.asarray(array.is_valid())
    present = array.filter(pa.array(valid))
    offsets: list[NDArray[np.int64]] = []
    inner = present
    for _ in range(depth):
        if not (pa.types.is_list(inner.type) or pa.types.is_large_list(inner.type)):
            msg = f"a column of type {array.type} is not encoded as {encoding}"
            raise SourceError(msg)
        raw = inner.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
        inner = inner.values.slice(int(raw[0]), int(raw[-1] - raw[0]))
        offsets.insert(0, raw - raw[0])
    coordinates = _coordinates(inner, array.type)
    if kind == shapely.GeometryType.POINT:
        geometry = shapely.points(coordinates)
        geometry[np.isnan(coordinates).all(axis=1)] = shapely.Point()
    else:
        geometry = shapely.from_ragged_array(kind, coordinates, tuple(offsets))
    out = np.full(len(array), None, dtype=object)
    out[valid] = shapely.to_wkb(geometry, flavor="iso")
    return pa.array(out, type=pa.binary())


def _coordinates(array: pa.Array, whole: pa.DataType) -> NDArray[np.float64]:
    """(n, 2 or 3) coordinates of separated or interleaved arrays."""
    if pa.types.is_struct(array.type):
        names = [f.name for f in array.type]
        if names[:2] == ["x", "y"] and names in (["x", "y"], ["x", "y", "z"]):
            parts = [c.to_numpy(zero_copy_only=False) for c in array.flatten()]
            return np.stack(parts, axis=1).astype(np.float64)
    if pa.types.is_fixed_size_list(array.type) and array.type.list_size in (2, 3):
        values = array.flatten().to_numpy(zero_copy_only=False)
        return np.asarray(values, dtype=np.float64).reshape(-1, array.type.list_size)
    msg = f"coordinates in a column of type {whole} are neither x, y nor x, y, z"
    raise SourceError(msg)
