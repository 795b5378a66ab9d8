"""Small geometries for property tests: on a coarse grid, so that everything degenerate happens."""

from __future__ import annotations

import struct

import shapely
from hypothesis import strategies as st


def points(size):
    return st.tuples(st.integers(0, size), st.integers(0, size)).map(
        lambda p: (float(p[0]), float(p[1]))
    )


def rings(size=4, least=3, most=6):
    """Closed rings; nearly all of them cross, touch or run over themselves."""
    return st.lists(points(size), min_size=least, max_size=most).map(lambda r: [*r, r[0]])


def polygons(size=4, holes=2):
    return st.builds(shapely.Polygon, rings(size), st.lists(rings(size, most=4), max_size=holes))


def lines(size=4):
    return st.lists(points(size), min_size=2, max_size=5).map(shapely.LineString)


def geometries(size=3):
    """Every type, nested collections included."""
    single = st.one_of(points(size).map(shapely.Point), lines(size), polygons(size, holes=1))
    return st.recursive(
        st.one_of(
            single,
            st.lists(points(size), max_size=3).map(shapely.MultiPoint),
            st.lists(lines(size), max_size=3).map(shapely.MultiLineString),
            st.lists(polygons(size, holes=1), max_size=3).map(shapely.MultiPolygon),
        ),
        lambda inner: st.lists(inner, max_size=3).map(shapely.GeometryCollection),
        max_leaves=4,
    )


def wkb_path(code, *paths):
    """WKB of a line (2) or polygon (3) with any coordinates, also those that GEOS refuses.

    Args:
        code: WKB type; 1000 more for Z.
        paths: one path of a line or the rings of a polygon.
    """
    body = b"".join(
        struct.pack("<I", len(path)) + b"".join(struct.pack(f"<{len(p)}d", *p) for p in path)
        for path in paths
    )
    count = struct.pack("<I", len(paths)) if code % 1000 == 3 else b""
    return struct.pack("<BI", 1, code) + count + body


def wkb_point(*coordinates, code=1):
    return struct.pack(f"<BI{len(coordinates)}d", 1, code, *coordinates)
