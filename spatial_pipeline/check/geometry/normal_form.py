"""Normal form of geometries: equal for all representations of the same geometry."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

DIGEST_SIZE = 16

_SINGLE = {4: 0, 5: 1, 6: 3}
"""Type ids of multi-geometries and of their parts."""


def flat(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """(n,) geometries in the XY plane; a multi-geometry of one part is that part."""
    out = np.array(shapely.force_2d(geometry), dtype=object)
    lonely = np.isin(shapely.get_type_id(out), list(_SINGLE)) & (
        shapely.get_num_geometries(out) == 1
    )
    out[lonely] = shapely.get_geometry(out[lonely], 0)
    return out


def signatures(geometry: NDArray[np.object_]) -> NDArray[np.int64]:
    """(n, 3) type, parts and vertices: equal geometries have equal ones (see :func:`flat`)."""
    kind, parts = shapely.get_type_id(geometry), shapely.get_num_geometries(geometry)
    lonely = parts == 1
    for multi, single in _SINGLE.items():
        kind = np.where(lonely & (kind == multi), single, kind)
    return np.stack([kind, parts, shapely.get_num_coordinates(geometry)], axis=1).astype(np.int64)


def digests(geometry: NDArray[np.object_]) -> NDArray[np.bytes_]:
    """(n,) 128-bit digests: equal if and only if the vertices are, wherever rings start.

    The start and the direction of rings and lines, the order of parts and holes, and the sign of
    zero are ignored. GEOS's normal form does that for rings with one lowest vertex and one
    orientation; others (rings that touch themselves, that have no area, that contain a vertex
    twice) and collections are converted to the least of their forms here.
    """
    plain = shapely.transform(flat(geometry), lambda xy: xy + 0.0)
    with np.errstate(all="ignore"):
        odd = ~shapely.is_valid(plain) | _looped(plain) | _repeated(plain)
        # GEOS sorts empty members of several types as they come.
        odd |= shapely.get_type_id(plain) == shapely.GeometryType.GEOMETRYCOLLECTION
        forms = shapely.to_wkb(shapely.normalize(plain), byte_order=1)
    for i in np.flatnonzero(odd):
        forms[i] = b"least" + _form(plain[i])
    joined = b"".join(hashlib.blake2b(f, digest_size=DIGEST_SIZE).digest() for f in forms)
    return np.frombuffer(joined, dtype=f"S{DIGEST_SIZE}")


def _looped(geometry: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(n,) bool: holds a line, closed or not, that returns to one of its vertices."""
    parts, index = _parts(geometry)
    looped = np.zeros(len(geometry), dtype=bool)
    lines = shapely.get_type_id(parts) == 1
    looped[index[lines][shapely.is_closed(parts[lines])]] = True
    return looped


def _repeated(geometry: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(n,) bool: a ring or line names a vertex twice in a row."""
    parts, index = _parts(geometry)
    rings, of = shapely.get_rings(parts, return_index=True)
    lines = shapely.get_type_id(parts) == 1
    paths = np.concatenate([rings, parts[lines]])
    index = np.concatenate([index[of], index[lines]])
    xy, path = shapely.get_coordinates(paths, return_index=True)
    again = (xy[1:] == xy[:-1]).all(axis=1) & (path[1:] == path[:-1])
    repeated = np.zeros(len(geometry), dtype=bool)
    repeated[index[path[1:][again]]] = True
    return repeated


def _parts(
    geometry: NDArray[np.object_],
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Single geometries in all geometries, and the index of the one that each is in."""
    parts, index = shapely.get_parts(geometry, return_index=True)
    while (shapely.get_type_id(parts) > 3).any():
        parts, inner = shapely.get_parts(parts, return_index=True)
        index = index[inner]
    return parts, index


def _form(geometry: shapely.Geometry) -> bytes:
    """The least form of a geometry."""
    kind: str = geometry.geom_type
    if kind == "Polygon":
        paths = [_path(shapely.get_coordinates(r)) for r in shapely.get_rings(geometry)]
        members = [*paths[:1], *sorted(paths[1:])]
    elif kind in {"Point", "LineString", "LinearRing"}:
        members = [_path(shapely.get_coordinates(geometry))]
    else:
        members = sorted(_form(part) for part in shapely.get_parts(geometry))
    lengths = struct.pack(f"<{len(members)}I", *(len(m) for m in members))
    return kind.encode() + lengths + b"".join(members)


def _path(xy: NDArray[np.float64]) -> bytes:
    """The least representation of a line in either direction or, from any vertex, of a ring."""
    closed = len(xy) > 1 and (xy[0] == xy[-1]).all()
    ways: list[Any] = []
    for way in (xy, xy[::-1]):
        if closed:
            ring = way[:-1]
            least = np.lexsort((ring[:, 1], ring[:, 0]))[0]
            starts = np.flatnonzero((ring == ring[least]).all(axis=1))
            ways += [np.concatenate([ring[k:], ring[:k]]) for k in starts]
        else:
            ways.append(way)
    least_way: NDArray[np.float64] = min(ways, key=lambda way: way.tolist())
    return (b"ring" if closed else b"path") + np.ascontiguousarray(least_way).tobytes()
