"""Geometries of GeoJSON features as WKB, a batch at a time; odd ones one by one, with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.ingest import wkt
from spatial_pipeline.ingest.formats import nested_wkb

KINDS = {
    "Point": 1, "LineString": 2, "Polygon": 3, "MultiPoint": 4, "MultiLineString": 5,
    "MultiPolygon": 6, "GeometryCollection": 7,
}  # fmt: skip
"""WKB types of RFC 7946's names."""
_NUMBERS = {int, float}


@dataclass
class GeoJsonGeometries:
    """Geometries of n features.

    Attributes:
        wkb: (n,) binary; null where there is none or it is none.
        reasons: why geometries are none, by index.

    """

    wkb: pa.Array
    reasons: dict[int, str] = field(default_factory=dict)


def kind_of(value: Any) -> int:
    """WKB type of a geometry by its name; 0 for null, -1 for what is no geometry."""
    if value is None:
        return 0
    if not isinstance(value, dict):
        return -1
    name = value.get("type")
    return KINDS.get(name, -1) if isinstance(name, str) else -1


def read(values: Sequence[Any]) -> GeoJsonGeometries:
    """Geometries of (n,) members ``geometry``."""
    kinds = np.fromiter(map(kind_of, values), np.int64, len(values))
    found = GeoJsonGeometries(pa.nulls(0, pa.binary()))
    parts: list[pa.Array] = []
    places: list[NDArray[np.int64]] = []
    for kind in np.unique(kinds).tolist():
        rows = np.flatnonzero(kinds == kind)
        if kind == 0:
            wkb = pa.nulls(len(rows), pa.binary())
        else:
            given = [values[i] for i in rows.tolist()]
            together = None
            if 0 < kind < 7:
                together = _together(kind, [g.get("coordinates") for g in given])
            wkb = _singly(given, rows, found) if together is None else together
        parts.append(wkb)
        places.append(rows)
    if len(parts) == 1:
        found.wkb = parts[0]
    elif parts:
        large = any(p.type != pa.binary() for p in parts)
        whole = pa.concat_arrays([p.cast(pa.large_binary()) if large else p for p in parts])
        found.wkb = whole.take(pa.array(np.argsort(np.concatenate(places), kind="stable")))
    return found


def _together(kind: int, coordinates: list[Any]) -> pa.Array | None:
    """WKB of geometries of one type; None where any needs a closer look."""
    offsets: list[NDArray[np.int64]] = []
    level = coordinates
    for _ in range(nested_wkb.DEPTHS[kind]):
        if set(map(type, level)) - {list}:
            return None
        lengths = np.fromiter(map(len, level), np.int64, len(level))
        offsets.append(np.concatenate([[0], np.cumsum(lengths)]))
        level = list(chain.from_iterable(level))
    if set(map(type, level)) - {list}:
        return None
    widths = set(map(len, level))
    if not widths:
        widths = {2}
    if widths not in ({2}, {3}):
        return None
    numbers = list(chain.from_iterable(level))
    if set(map(type, numbers)) - _NUMBERS:
        return None
    try:
        flat = np.array(numbers, np.float64)
    except OverflowError:
        return None
    positions = flat.reshape(len(level), widths.pop())
    if kind in {1, 4} and np.isnan(positions).any():
        return None
    if positions.shape[1] == 3 and offsets and _any_empty(offsets):
        return None
    return nested_wkb.write(kind, positions, offsets)


def _any_empty(offsets: list[NDArray[np.int64]]) -> bool:
    """Whether a geometry has no position, and so no third dimension."""
    whole = offsets[0]
    for inner in offsets[1:]:
        whole = inner[whole]
    return bool((np.diff(whole) == 0).any())


def _singly(values: list[Any], rows: NDArray[np.int64], found: GeoJsonGeometries) -> pa.Array:
    """WKB of geometries that are read one by one."""
    out: list[bytes | None] = []
    for value, row in zip(values, rows.tolist(), strict=True):
        try:
            out.append(wkt.value_to_wkb(value))
        except wkt.WktError as exc:
            out.append(None)
            found.reasons[row] = str(exc)
    return pa.array(out, pa.binary())


def has_z(values: Sequence[Any]) -> bool:
    """Whether the first position of any geometry has three numbers."""
    given = [v for v in values if v is not None]
    for name, kind in KINDS.items():
        try:
            level = [g["coordinates"] for g in given if g["type"] == name]
            for _ in range(nested_wkb.DEPTHS.get(kind, 0)):
                level = [c[0] for c in level if c]
            if 3 in set(map(len, level)):
                return True
        except (KeyError, TypeError):
            # A collection, or one that is no geometry: looked at one by one.
            if any(_first_width(v) == 3 for v in given):
                return True
    return False


def _first_width(value: Any) -> int:
    for _ in range(wkt.MAX_NESTING):
        members = value.get("geometries") if isinstance(value, dict) else None
        if not isinstance(members, list) or not members:
            break
        value = members[0]
    value = value.get("coordinates") if isinstance(value, dict) else None
    while isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    return len(value) if isinstance(value, list) else 0
