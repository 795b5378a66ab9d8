"""Shapes of a .shp file, read one record after the other."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from itertools import pairwise
from typing import Any

import shapely


def shapes_of(shp: bytes, shx: bytes) -> list[Any]:
    """Functions that give the WKB of each record of the index; a deleted one is not looked at."""
    for data in (shp, shx):
        if len(data) < 100 or struct.unpack(">i", data[:4])[0] != 9994:
            msg = "no header"
            raise ValueError(msg)
        if 2 * struct.unpack(">i", data[24:28])[0] > len(data):
            msg = "shorter than declared"
            raise ValueError(msg)
    kind = struct.unpack("<i", shp[32:36])[0]
    count = (len(shx) - 100) // 8
    entries = [struct.unpack(">2i", shx[100 + 8 * i : 108 + 8 * i]) for i in range(count)]
    numbers = [struct.unpack(">i", shp[2 * o : 2 * o + 4])[0] for o, n in entries if n]
    base = 0 if numbers and numbers == [i for i, (_, n) in enumerate(entries) if n] else 1

    def read(i: int) -> bytes | None:
        offset, words = entries[i]
        if not words:
            return None
        number, length = struct.unpack(">2i", shp[2 * offset : 2 * offset + 8])
        content = shp[2 * offset + 8 : 2 * (offset + 4 + words)]
        if number != i + base or length != words or len(content) != 2 * words or words < 2:
            msg = f"record {i} is damaged"
            raise ValueError(msg)
        found = struct.unpack("<i", content[:4])[0]
        if found not in {0, kind}:
            msg = f"record {i} is of type {found}"
            raise ValueError(msg)
        return None if found == 0 else wkb_of(content, kind)

    return [lambda i=i: read(i) for i in range(count)]


def wkb_of(content: bytes, kind: int) -> bytes:
    """WKB of the content of a record.

    Raises:
        ValueError: its counts, parts or rings do not fit.

    """
    base = kind % 10
    at = 4
    parts, points = [0], 1
    try:
        if base != 1:
            at = 36
            count = 0
            if base != 8:
                (count,) = struct.unpack_from("<i", content, at)
                at += 4
            (points,) = struct.unpack_from("<i", content, at)
            at += 4
            if base != 8:
                if not 0 <= count <= len(content):
                    raise ValueError(count)
                parts = list(struct.unpack_from(f"<{count}i", content, at))
                at += 4 * count
        if not 0 <= points <= len(content):
            raise ValueError(points)
        xy = [struct.unpack_from("<2d", content, at + 16 * i) for i in range(points)]
        at += 16 * points
        z, m = None, None
        spread = 0 if base == 1 else 16
        if kind // 10 == 1:
            z = struct.unpack_from(f"<{points}d", content, at + spread)
            at += spread + 8 * points
        if kind > 10 and at != len(content):
            m = struct.unpack_from(f"<{points}d", content, at + spread)
            at += spread + 8 * points
    except struct.error as exc:
        raise ValueError(kind) from exc
    if at != len(content):
        raise ValueError(kind)
    if m is not None:
        m = [v if v >= -1e38 else math.nan for v in m]
        if all(map(math.isnan, m)):
            m = None
    columns = [c for c in (z, m) if c is not None]
    rows = [(*p, *(c[i] for c in columns)) for i, p in enumerate(xy)]
    bare = 1000 * (z is not None) + 2000 * (m is not None)
    if base == 1:
        return _head(1 + bare) + _packed(rows)
    if base == 8:
        members = [_head(1 + bare) + _packed([r]) for r in rows]
        return _head(4 + bare) + struct.pack("<I", len(members)) + b"".join(members)
    ends = [*parts[1:], points] if parts else []
    if points and (not parts or parts[0] != 0):
        raise ValueError(parts)
    lines = [rows[a:b] for a, b in zip(parts, ends, strict=True)]
    if any(b - a < (4 if base == 5 else 2) for a, b in zip(parts, ends, strict=True)):
        raise ValueError(parts)
    if base == 3:
        members = [_head(2 + bare) + struct.pack("<I", len(li)) + _packed(li) for li in lines]
        return _joined(members, 2, bare)
    if any(ring[0][:2] != ring[-1][:2] for ring in lines):
        raise ValueError(parts)
    members = []
    for rings in polygons_of(lines):
        data = b"".join(struct.pack("<I", len(r)) + _packed(r) for r in rings)
        members.append(_head(3 + bare) + struct.pack("<I", len(rings)) + data)
    return _joined(members, 3, bare)


def _head(kind: int) -> bytes:
    return struct.pack("<BI", 1, kind)


def _packed(rows: list[Any]) -> bytes:
    return b"".join(struct.pack(f"<{len(row)}d", *row) for row in rows)


def _joined(members: list[bytes], kind: int, bare: int) -> bytes:
    if not members:
        return _head(kind + bare) + struct.pack("<I", 0)
    if len(members) == 1:
        return members[0]
    return _head(kind + 3 + bare) + struct.pack("<I", len(members)) + b"".join(members)


def polygons_of(rings: list[Any]) -> list[list[Any]]:
    """Outer rings with their holes, told apart ring by ring as docs/sources.md says."""
    if len(rings) == 1:
        return [rings]
    areas = [_area(ring) for ring in rings]
    solid = [i for i, a in enumerate(areas) if a]
    inside = {i: _inner_point(rings[i]) for i in solid}

    def around(i: int, others: list[int]) -> list[int]:
        found = [j for j in others if j != i and _covers(rings[j], inside[i])]
        return sorted(found, key=lambda j: (abs(areas[j]), j))

    shell = {i: i for i in range(len(rings))}
    outer = [i for i in solid if areas[i] < 0]
    for i in solid:
        if areas[i] > 0:
            found = [j for j in around(i, outer) if abs(areas[j]) >= areas[i]]
            shell[i] = found[0] if found else -1
    if -1 in shell.values():
        depths = {}
        for i in solid:
            depths[i] = [j for j in around(i, solid) if abs(areas[j]) > abs(areas[i])]
        for i in solid:
            shells = [j for j in depths[i] if len(depths[j]) % 2 == 0]
            shell[i] = shells[0] if len(depths[i]) % 2 and shells else i
    return [
        [rings[i], *(rings[j] for j in range(len(rings)) if shell[j] == i != j)]
        for i in range(len(rings))
        if shell[i] == i
    ]


def _area(ring: Any) -> Fraction | None:
    """Twice the area, negative for clockwise rings; None when it is no number or none."""
    x0, y0 = ring[0][:2]
    with_ends = list(pairwise(ring))
    approximate = sum((a[0] - x0) * (b[1] - y0) - (b[0] - x0) * (a[1] - y0) for a, b in with_ends)
    if not math.isfinite(approximate):
        return None
    exact = [tuple(map(Fraction, p[:2])) for p in ring]
    return sum((a[0] * b[1] - b[0] * a[1] for a, b in pairwise(exact)),
               Fraction(0))  # fmt: skip


def _inner_point(ring: Any) -> tuple[Fraction, Fraction]:
    point = shapely.point_on_surface(shapely.Polygon([p[:2] for p in ring]))
    return Fraction(point.x), Fraction(point.y)


def _covers(ring: Any, point: tuple[Fraction, Fraction]) -> bool:
    """Whether a point is inside of a ring or on it, with exact arithmetic."""
    x, y = point
    inside = False
    exact = [tuple(map(Fraction, p[:2])) for p in ring]
    for (ax, ay), (bx, by) in pairwise(exact):
        side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if side == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return True
        if (ay > y) != (by > y) and (side > 0) == (by > ay):
            inside = not inside
    return inside
