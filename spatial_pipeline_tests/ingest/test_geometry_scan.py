"""Boxes, types and damage of WKB geometries."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest.geometry_scan import survey

CIRCLE = bytes.fromhex("0108000000030000000000000000000000000000000000000000000000")
"""A circular string with its points cut off."""
CURVE = (
    b"\x01\x08\x00\x00\x00\x03\x00\x00\x00"
    + np.array([0, 0, 1, 1, 2, 0], dtype="<f8").tobytes()
)  # fmt: skip


def wkb(*geometry: object) -> pa.Array:
    values = [
        g if g is None or isinstance(g, bytes) else shapely.to_wkb(g, flavor="iso")
        for g in geometry
    ]
    return pa.array(values, type=pa.binary())


def test_boxes_types_and_damage() -> None:
    found = survey(
        wkb(
            shapely.box(0, 1, 2, 3),
            None,
            shapely.Point(),
            b"\x01\x03\x00\x00",
            CURVE,
            shapely.from_wkt("MULTIPOINT Z (1 2 3, 4 5 6)"),
        ),
        6,
    )
    assert found.bounds[[0, 5]].tolist() == [[0, 1, 2, 3], [1, 2, 4, 5]]
    assert np.isnan(found.bounds[1:5]).all()
    assert found.undecodable.tolist() == [3, 4]
    assert found.null.tolist() == [1]
    assert found.types == {"Polygon", "Point", "MultiPoint Z"}
    assert not found.measured
    assert found.non_finite == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_coordinates_that_are_not_finite_have_no_box(value: float) -> None:
    line = shapely.to_wkb(shapely.LineString([(0, 0), (1, 1), (2, 2)]))
    damaged = line[:25] + np.float64(value).tobytes() + line[33:]
    found = survey(wkb(shapely.Point(1, 1), damaged), 2)
    assert found.undecodable.tolist() == []
    assert np.isnan(found.bounds[1]).all() == (not np.isfinite(found.bounds[1]).all())
    if not np.isnan(value):
        assert found.non_finite == 1
        assert np.isnan(found.bounds[1]).all()


def test_measures_are_noticed() -> None:
    assert survey(wkb(shapely.from_wkt("POINT ZM (1 2 3 4)")), 1).measured
    assert survey(wkb(shapely.from_wkt("POINT M (1 2 3)")), 1).measured


@pytest.mark.parametrize("count", [0, 3])
def test_without_geometry(count: int) -> None:
    found = survey(None, count)
    assert found.bounds.shape == (count, 4)
    assert np.isnan(found.bounds).all()


def test_nothing() -> None:
    assert survey(wkb(), 0).bounds.shape == (0, 4)


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.just(shapely.Point()),
            st.binary(max_size=30),
            st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(shapely.Point),
            st.tuples(st.integers(-9, 9), st.integers(1, 9)).map(
                lambda v: shapely.box(v[0], v[0], v[0] + v[1], v[0] + v[1])
            ),
        ),
        max_size=12,
    )
)
@settings(deadline=None, max_examples=60)
def test_it_is_what_one_by_one_gives(values: list[object]) -> None:
    array = wkb(*values)
    found = survey(array, len(values))
    for i, value in enumerate(array.to_pylist()):
        if value is None:
            assert i in found.null
            continue
        try:
            with np.errstate(all="ignore"):
                geometry = shapely.from_wkb(value)
        except (shapely.GEOSException, NotImplementedError):
            geometry = None
        assert (i in found.undecodable) == (geometry is None)
        bounds = [np.nan] * 4 if geometry is None else list(geometry.bounds or [np.nan] * 4)
        if np.isfinite(bounds).all():
            assert found.bounds[i].tolist() == bounds
        else:
            assert np.isnan(found.bounds[i]).all()
