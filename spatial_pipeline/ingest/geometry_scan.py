"""Scan of a batch of WKB geometries: boxes, types, and geometries that do not decode."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.model.features import decoded
from spatial_pipeline.model.wkb import trailing

_NAMES = (
    "Point", "LineString", "LineString", "Polygon", "MultiPoint", "MultiLineString",
    "MultiPolygon", "GeometryCollection",
)  # fmt: skip
"""GeoParquet's names in the order of GEOS type ids; it knows no LinearRing."""


@dataclass(frozen=True)
class GeometryScan:
    """Facts about n geometries.

    Attributes:
        bounds: (n, 4) float64 boxes; NaN rows for null, empty, undecodable and non-finite ones.
        undecodable: indices of geometries that are there but do not decode.
        null: indices of null geometries.
        types: GeoParquet names of the types that occur.
        measured: True when a geometry carries M.
        non_finite: geometries with NaN or infinity in their box.
        trailing: (n,) bytes behind each geometry that belong to none.

    """

    bounds: NDArray[np.float64]
    undecodable: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    null: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    types: frozenset[str] = frozenset()
    measured: bool = False
    non_finite: int = 0
    trailing: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def survey(wkb: pa.Array | None, count: int) -> GeometryScan:
    """Facts about (n,) Arrow binary WKB; ``count`` rows without geometry when it is None."""
    if wkb is None:
        return GeometryScan(bounds=np.full((count, 4), np.nan))
    geometry = decoded(wkb.to_numpy(zero_copy_only=False))
    with np.errstate(all="ignore"):
        bounds = shapely.bounds(geometry).reshape(-1, 4)
    type_ids = shapely.get_type_id(geometry)
    present = type_ids >= 0
    stored = np.asarray(wkb.is_valid())
    finite = np.isfinite(bounds).all(axis=1)
    non_finite = int((~finite & present & ~shapely.is_empty(geometry)).sum())
    bounds[~finite] = np.nan
    kinds = np.unique(type_ids[present] * 2 + shapely.has_z(geometry[present]))
    return GeometryScan(
        bounds=bounds,
        undecodable=np.flatnonzero(stored & ~present),
        null=np.flatnonzero(~stored),
        types=frozenset(_NAMES[k // 2] + (" Z" if k % 2 else "") for k in kinds.tolist()),
        measured=bool(shapely.has_m(geometry[present]).any()),
        non_finite=non_finite,
        trailing=trailing(wkb, geometry),
    )
