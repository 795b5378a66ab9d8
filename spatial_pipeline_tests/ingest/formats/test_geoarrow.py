"""Native encodings of GeoParquet against Shapely's own construction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.geoarrow import ENCODINGS, to_wkb
from spatial_pipeline.ingest.formats.nested_wkb import DEPTHS


def coordinates(points: Any, dimensions: int, interleaved: bool) -> pa.Array:
    values = np.asarray(points, dtype=float).reshape(-1, dimensions)
    if interleaved:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), dimensions)
    names = ["x", "y", "z"][:dimensions]
    return pa.StructArray.from_arrays([pa.array(c) for c in values.T], names=names)


def nested(values: list[Any], depth: int, dimensions: int, interleaved: bool) -> pa.Array:
    """An Arrow array of nested Python lists of coordinate tuples; None is null."""
    if depth == 0:
        empty = [np.nan] * dimensions
        array = coordinates([empty if v is None else v for v in values], dimensions, interleaved)
        if not any(v is None for v in values):
            return array
        mask = pa.array([v is None for v in values])
        if interleaved:
            return pa.FixedSizeListArray.from_arrays(array.flatten(), dimensions, mask=mask)
        names = [f.name for f in array.type]
        return pa.StructArray.from_arrays(array.flatten(), names=names, mask=mask)
    inner = [part for v in values if v is not None for part in v]
    lengths = [0 if v is None else len(v) for v in values]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    mask = pa.array([v is None for v in values], pa.bool_()) if None in values else None
    return pa.ListArray.from_arrays(
        pa.array(offsets), nested(inner, depth - 1, dimensions, interleaved), mask=mask
    )


def listed(geometry: Any, encoding: str) -> Any:
    """Coordinates of a geometry as nested lists."""
    if geometry is None:
        return None
    if encoding == "point":
        return tuple(shapely.get_coordinates(geometry, include_z=geometry.has_z)[0])
    if encoding == "linestring":
        return [tuple(c) for c in shapely.get_coordinates(geometry, include_z=geometry.has_z)]
    if encoding == "polygon":
        rings = [] if geometry.is_empty else [geometry.exterior, *geometry.interiors]
        return [listed(ring, "linestring") for ring in rings]
    part = {"multipoint": "point", "multilinestring": "linestring", "multipolygon": "polygon"}
    return [listed(g, part[encoding]) for g in geometry.geoms]


def shape(encoding: str, seed: int, z: bool) -> Any:
    rng = np.random.default_rng(seed)

    def ring(at: float) -> Any:
        corners = np.array([[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]], float) + at
        return np.column_stack([corners, rng.random(5)]) if z else corners

    def polygon(at: float) -> Any:
        hole = ring(at) * ([0.5, 0.5, 1] if z else [0.5, 0.5]) + ([at / 2 + 0.5] * 2 + [0] * z)
        return shapely.Polygon(ring(at), [hole] if rng.random() < 0.5 else [])

    some = rng.random((int(rng.integers(2, 5)), 3 if z else 2))
    match encoding:
        case "point":
            return shapely.Point(some[0])
        case "linestring":
            return shapely.LineString(some)
        case "polygon":
            return polygon(rng.random())
        case "multipoint":
            return shapely.MultiPoint(some)
        case "multilinestring":
            return shapely.MultiLineString([some, some[::-1]])
        case _:
            return shapely.MultiPolygon([polygon(0), polygon(10)])


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(
    st.lists(st.none() | st.integers(0, 99), max_size=6), st.booleans(), st.booleans(),
    st.integers(0, 3), st.integers(0, 3),
)  # fmt: skip
@settings(deadline=None, max_examples=25)
def test_geometries(
    encoding: str, seeds: list[int | None], z: bool, interleaved: bool, before: int, behind: int
) -> None:
    shapes = [None if s is None else shape(encoding, s, z) for s in seeds]
    depth = DEPTHS[ENCODINGS[encoding]]
    array = nested([listed(g, encoding) for g in shapes], depth, 3 if z else 2, interleaved)
    before = min(before, len(shapes))
    stop = max(before, len(shapes) - behind)
    for start, end in ((0, len(shapes)), (before, stop)):
        expected = [
            None if g is None else shapely.to_wkb(g, flavor="iso") for g in shapes[start:end]
        ]
        assert to_wkb(array.slice(start, end - start), encoding)[0].to_pylist() == expected


def test_empty_points_and_lists() -> None:
    points = nested([(np.nan, np.nan), (1, 2)], 0, 2, interleaved=False)
    found = shapely.from_wkb(to_wkb(points, "point")[0].to_pylist())
    assert [g.wkt for g in found] == ["POINT EMPTY", "POINT (1 2)"]
    polygons = nested([[], [[(0, 0), (1, 0), (1, 1), (0, 0)]]], 2, 2, interleaved=False)
    found = shapely.from_wkb(to_wkb(polygons, "polygon")[0].to_pylist())
    assert [g.is_empty for g in found] == [True, False]


@pytest.mark.parametrize(
    ("array", "encoding"),
    [
        (pa.array([1, 2]), "point"),
        (pa.array([[1.0, 2.0]]), "linestring"),
        (pa.array([{"a": 1.0, "b": 2.0}]), "point"),
        (coordinates([(1, 2)], 2, interleaved=False), "polygon"),
    ],
)
def test_what_is_laid_out_otherwise(array: pa.Array, encoding: str) -> None:
    with pytest.raises(SourceError):
        to_wkb(array, encoding)


def test_a_ring_that_is_open_stays_open() -> None:
    ring = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (5.0, 5.0)]
    wkb, broken = to_wkb(nested([[ring]], 2, 2, False), "polygon")
    assert shapely.from_wkb(wkb[0].as_py(), on_invalid="ignore") is None
    assert wkb[0].as_py()[-16:] == np.array([5.0, 5.0]).tobytes()
    assert not len(broken)


def test_a_null_in_a_geometry_is_no_number() -> None:
    kind = pa.list_(pa.struct([("x", pa.float64()), ("y", pa.float64())]))
    line = [{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}]
    values = [line, None, [line[0], None], [], [line[0], {"x": None, "y": 1.0}], line]
    wkb, broken = to_wkb(pa.array(values, kind), "linestring")
    assert broken.tolist() == [2, 4]
    assert [w is None for w in wkb.to_pylist()] == [False, True, True, False, True, False]
