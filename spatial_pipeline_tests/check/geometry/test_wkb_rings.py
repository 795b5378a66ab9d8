from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.wkb_rings import plain_points, plain_rings
from spatial_pipeline_tests.check.coverage.coverages import damaged_coverages

HOLED = shapely.box(0, 0, 9, 9) - shapely.box(1, 1, 2, 2) - shapely.box(5, 5, 7, 7)


def _wkb(features):
    return pa.array(
        [f if f is None or isinstance(f, bytes) else shapely.to_wkb(f) for f in features],
        pa.binary(),
    )


def _told(wkb):
    rings = plain_rings(wkb)
    return [
        (p, np.stack([rings.x[a:b], rings.y[a:b]], axis=1).tolist())
        for p, a, b in zip(rings.polygon, rings.starts[:-1], rings.starts[1:], strict=True)
    ]


def _expected(features):
    return [
        (i, np.array(f.exterior.coords).tolist())
        for i, f in enumerate(features)
        if isinstance(f, shapely.Polygon) and not f.is_empty and not f.has_z and not f.interiors
    ]


@settings(max_examples=60, deadline=None)
@given(damaged_coverages(), st.sampled_from([pa.binary(), pa.large_binary()]), st.integers(0, 3))
def test_rings_are_those_of_shapely_wherever_the_array_begins(features, kind, skipped):
    wkb = _wkb(features).cast(kind).slice(skipped)
    assert _told(wkb) == _expected(features[skipped:])


def test_what_is_not_plain_is_left_to_shapely():
    square = shapely.to_wkb(shapely.box(0, 0, 1, 1))
    open_ring = bytearray(square)
    open_ring[-16:] = struct.pack("<dd", 5, 5)
    too_many = bytearray(square)
    too_many[9:13] = struct.pack("<I", 6)
    no_ring = bytearray(square)
    no_ring[5:9] = struct.pack("<I", 0)
    two_rings = bytearray(square)
    two_rings[5:9] = struct.pack("<I", 2)
    odd = [
        None,
        b"",
        b"\x01\x03",
        square[:-1],
        square + b"\x00",
        bytes(open_ring),
        bytes(too_many),
        bytes(no_ring),
        bytes(two_rings),
        shapely.to_wkb(shapely.box(0, 0, 1, 1), byte_order=0),
        shapely.to_wkb(shapely.force_3d(shapely.box(0, 0, 1, 1))),
        shapely.to_wkb(shapely.set_srid(shapely.box(0, 0, 1, 1), 4326), include_srid=True),
        shapely.MultiPolygon([shapely.box(0, 0, 1, 1)]),
        shapely.Polygon(),
        HOLED,
        shapely.Point(1, 1),
        shapely.LineString([(0, 0), (9, 9), (4, 4), (3, 3), (2, 2), (1, 1)]),
    ]
    assert _told(_wkb(odd)) == []
    assert [polygon for polygon, _ in _told(_wkb([*odd, square]))] == [len(odd)]


def test_negative_zero_is_zero():
    rings = plain_rings(_wkb([shapely.Polygon([(-0.0, -0.0), (1, 0), (1, 1)])]))
    assert not np.signbit(rings.x).any()
    assert not np.signbit(rings.y).any()


def test_nan_does_not_close_a_ring():
    nan = bytearray(shapely.to_wkb(shapely.box(0, 0, 1, 1)))
    nan[13:21] = nan[-16:-8] = struct.pack("<d", np.nan)
    assert not len(plain_rings(_wkb([bytes(nan)])))


@pytest.mark.parametrize("features", [[], [None], [None, None]])
def test_nothing_has_no_rings(features):
    rings = plain_rings(_wkb(features))
    assert (len(rings), rings.starts.tolist()) == (0, [0])


@given(
    st.lists(st.tuples(st.floats(), st.floats()), max_size=9),
    st.sampled_from([pa.binary(), pa.large_binary()]),
    st.integers(0, 3),
)
def test_points_are_those_of_shapely_wherever_the_array_begins(places, kind, skipped):
    records = [b"\x01\x01\x00\x00\x00" + struct.pack("<dd", *place) for place in places]
    found = plain_points(pa.array(records, pa.binary()).cast(kind).slice(skipped))
    if len(places) <= skipped:
        assert found is None
    else:
        assert np.array_equal(found, np.array(places[skipped:]), equal_nan=True)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        b"",
        shapely.to_wkb(shapely.Point(1, 2, 3), flavor="iso"),
        shapely.to_wkb(shapely.Point(1, 2), byte_order=0),
        shapely.to_wkb(shapely.Point(1, 2))[:-1],
        shapely.to_wkb(shapely.box(0, 0, 1, 1)),
        b"\x01\x02\x00\x00\x00" + bytes(16),
    ],
)
def test_one_that_is_no_plain_point_leaves_all_to_shapely(odd):
    plain = shapely.to_wkb(shapely.Point(1, 2))
    assert plain_points(_wkb([plain, plain])).tolist() == [[1, 2], [1, 2]]
    assert plain_points(_wkb([plain, odd, plain])) is None
