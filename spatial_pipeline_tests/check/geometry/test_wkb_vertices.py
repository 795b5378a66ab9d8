import math
import struct

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.wkb_vertices import finite_places, vertices
from spatial_pipeline_tests.check.geometry.shapes import geometries, wkb_path, wkb_point

NAN = math.nan


def leaves(geometry):
    """Single geometries in the order in which they stand."""
    if shapely.get_type_id(geometry) <= 3:
        return [geometry]
    return [leaf for part in geometry.geoms for leaf in leaves(part)]


def expected(geometry):
    """Address and place of every vertex, by the accessors of Shapely."""
    out = []
    single = shapely.get_type_id(geometry) <= 3
    for number, leaf in enumerate(leaves(geometry)):
        part = -1 if single else number
        if leaf.geom_type == "Polygon":
            rings = [] if leaf.is_empty else [leaf.exterior, *leaf.interiors]
            for r, ring in enumerate(rings):
                out += [(part, r, v, *c[:2]) for v, c in enumerate(ring.coords)]
        elif leaf.geom_type == "Point":
            out += [(part, -1, -1, *c[:2]) for c in leaf.coords]
        else:
            out += [(part, -1, v, *c[:2]) for v, c in enumerate(leaf.coords)]
    return out


@settings(max_examples=60, deadline=None)
@given(geometries(), st.sampled_from([0, 1]), st.sampled_from(["iso", "extended"]), st.booleans())
def test_addresses_are_those_of_the_accessors(geometry, byte_order, flavor, deep):
    if deep:
        geometry = shapely.force_3d(geometry, 7.0)
    geometry = shapely.set_srid(geometry, 4326)
    wkb = shapely.to_wkb(
        geometry, byte_order=byte_order, flavor=flavor, include_srid=flavor == "extended"
    )
    found = vertices(wkb)
    told = list(
        zip(
            found.part.tolist(),
            found.ring.tolist(),
            found.vertex.tolist(),
            *found.coordinates[:, :2].T.tolist(),
            strict=True,
        )
    )
    assert told == expected(geometry)
    assert set(found.coordinates[:, 2]) <= ({7.0} if deep else {0.0})


def test_z_and_m_are_read():
    found = vertices(wkb_path(3002, [(1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0)]))
    assert found.coordinates.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    found = vertices(wkb_path(2002, [(1.0, 2.0, 4.0)]))
    assert found.coordinates.tolist() == [[1, 2, 0, 4]]


def test_what_geos_refuses_has_vertices():
    ring = [(NAN, NAN), (1.0, 0.0), (1.0, 1.0), (NAN, NAN)]
    assert vertices(wkb_path(3, ring)).vertex.tolist() == [0, 1, 2, 3]
    curve = struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0)
    assert len(vertices(curve).coordinates) == 3
    surface = struct.pack("<BII", 1, 10, 1) + curve
    assert vertices(surface).part.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "wkb",
    [
        b"",
        b"\x01",
        wkb_path(2, [(0.0, 0.0), (1.0, 1.0)])[:-1],
        struct.pack("<BI", 1, 99),
        struct.pack("<BII", 1, 2, 2**32 - 1),
        struct.pack("<BII", 1, 7, 2**31),
        struct.pack("<BII", 1, 7, 1) * 100,
    ],
)
def test_damaged_wkb_has_none(wkb):
    assert vertices(wkb) is None


def test_an_empty_point_has_no_vertex():
    assert len(vertices(wkb_point(NAN, NAN)).coordinates) == 0
    assert len(vertices(shapely.to_wkb(shapely.Point())).coordinates) == 0


@settings(max_examples=60, deadline=None)
@given(geometries(), st.floats(-1, 5), st.floats(-1, 5))
def test_nearest_is_a_vertex_of_the_nearest_segment(geometry, x, y):
    found = vertices(shapely.to_wkb(geometry))
    at = found.nearest(x, y)
    if not len(found.coordinates):
        assert at == -1
        return
    place = shapely.Point(x, y)
    xy = found.coordinates[:, :2]
    segments = [shapely.Point(p) for p in xy]
    for i in range(len(xy) - 1):
        if (found.part[i], found.ring[i]) == (
            found.part[i + 1],
            found.ring[i + 1],
        ) and found.vertex[i] >= 0:
            segments[i] = shapely.LineString(xy[i : i + 2])
    distances = [s.distance(place) for s in segments]
    assert distances[at] == pytest.approx(min(distances), abs=1e-12)


def test_nearest_prefers_the_vertex_itself():
    found = vertices(shapely.to_wkb(shapely.box(0, 0, 2, 2)))
    x, y = found.coordinates[2, :2]
    assert found.nearest(x, y) == 2
    assert found.nearest(NAN, 0.0) == -1


def test_places_of_vertices_without_one():
    xy = np.array([[NAN, 0], [1, 1], [2, math.inf], [NAN, NAN], [4, 4]])
    told = [p.wkt for p in finite_places(xy, np.array([0, 2, 3]))]
    assert told == ["POINT (1 1)", "POINT (1 1)", "POINT (1 1)"]
    assert finite_places(xy[:1], np.array([0])).tolist() == [None]
    assert len(finite_places(xy, np.empty(0, dtype=np.int64))) == 0
