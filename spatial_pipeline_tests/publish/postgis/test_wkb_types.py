"""Types and promotion of WKB against Shapely; against PostGIS in test_property.py."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.contract.geometry_type import GeometryType
from spatial_pipeline.publish.postgis.wkb_types import HEAD, heads, promoted, types_of

SHAPES = [
    "POINT (1 2)", "POINT EMPTY", "LINESTRING (0 0, 1 1)", "LINESTRING EMPTY",
    "POLYGON ((0 0, 1 0, 1 1, 0 0))", "POLYGON EMPTY", "MULTIPOINT (1 2, 3 4)", "MULTIPOINT EMPTY",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))", "GEOMETRYCOLLECTION (POINT (1 2))",
]  # fmt: skip


@pytest.mark.parametrize("flavor", ["iso", "extended"])
@pytest.mark.parametrize("order", [0, 1])
def test_types_are_read_from_headers(flavor: str, order: int) -> None:
    for text, name in [
        ("POINT M (1 2 3)", "PointM"),
        ("LINESTRING ZM (1 2 3 4, 5 6 7 8)", "LineStringZM"),
        ("POLYGON Z EMPTY", "PolygonZ"),
        ("MULTIPOINT (1 2)", "MultiPoint"),
    ]:
        wkb = shapely.to_wkb(shapely.from_wkt(text), flavor=flavor, byte_order=order)
        assert types_of(pa.array([None, wkb], pa.binary())) == {GeometryType.parse(name)}
    assert types_of(pa.array([None, b"", b"\x01"], pa.binary())) == frozenset()
    assert types_of(pa.array([], pa.binary())) == frozenset()


@given(
    st.lists(st.none() | st.binary(max_size=30), max_size=12),
    st.integers(HEAD, 24),
    st.integers(0, 12),
)
def test_heads_are_the_first_bytes_of_each_value(
    values: list[bytes | None], size: int, start: int
) -> None:
    expected = [
        (v[:size] if v is not None and len(v) >= HEAD else b"").ljust(size, b"\0")
        for v in values[start:]
    ]
    found = heads(pa.array(values, pa.binary()).slice(start), size)
    assert [row.tobytes() for row in found] == expected


def multi(geometry: Any) -> Any:
    """Oracle: the Multi geometry of one part, empty for an empty one."""
    if geometry is None or geometry.geom_type not in ("Point", "LineString", "Polygon"):
        return geometry
    made = {"Point": shapely.MultiPoint, "LineString": shapely.MultiLineString,
            "Polygon": shapely.MultiPolygon}[geometry.geom_type]  # fmt: skip
    return made([] if geometry.is_empty else [geometry])


def test_single_geometries_become_multi_ones_of_one_part() -> None:
    geometries = [*shapely.from_wkt(SHAPES), None, shapely.Point(1, 2, 3)]
    wkb = pa.array([None if g is None else shapely.to_wkb(g, flavor="iso") for g in geometries])
    found, count = promoted(wkb.slice(1))
    assert count == 6
    expected = [multi(g) for g in geometries[1:]]
    assert found.to_pylist() == [
        None if g is None else shapely.to_wkb(g, flavor="iso") for g in expected
    ]


def test_without_single_geometries_nothing_is_copied() -> None:
    wkb = pa.array([shapely.to_wkb(shapely.MultiPoint([(1, 2)])), None])
    assert promoted(wkb) == (wkb, 0)
