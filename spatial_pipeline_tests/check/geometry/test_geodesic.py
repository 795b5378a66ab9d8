import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.geodesic import (
    areas_in_square_metres,
    lengths_in_metres,
    steps_in_metres,
)
from spatial_pipeline.errors import RuleError

WGS84 = pyproj.CRS("EPSG:4326")
GEOD = pyproj.Geod(ellps="WGS84")


def objects(*shapes):
    out = np.empty(len(shapes), dtype=object)
    out[:] = shapes
    return out


@st.composite
def rings(draw):
    x, y = draw(st.floats(-179, 170)), draw(st.floats(-85, 80))
    width, height = draw(st.floats(0.001, 4)), draw(st.floats(0.001, 4))
    outer = shapely.box(x, y, x + width, y + height)
    hole = shapely.box(x + width / 4, y + height / 4, x + width / 2, y + height / 2)
    return shapely.difference(outer, hole) if draw(st.booleans()) else outer


@settings(deadline=None, max_examples=30)
@given(st.lists(rings(), max_size=4))
def test_areas_and_lengths_are_those_of_single_geometries(shapes):
    shapes = [*shapes, shapely.MultiPolygon(shapes[:1]), shapely.Point(0, 0)]
    found = areas_in_square_metres(objects(*shapes), WGS84)
    expected = [sum(_area(p) for p in shapely.get_parts(s)) for s in shapes]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)
    length = lengths_in_metres(objects(*shapes), WGS84)
    told = [sum(map(GEOD.geometry_length, shapely.get_rings(shapely.get_parts(s)))) for s in shapes]
    np.testing.assert_allclose(length, told, rtol=1e-9, atol=1e-6)


def _area(shape):
    # orient() of shapely: PROJ counts a hole that runs the other way as negative.
    return abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(shape))[0])


def test_a_degree_of_the_meridian_and_of_the_equator():
    start, end = np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(steps_in_metres(start, end, WGS84), [111319.491, 110574.389])


def test_projected_units_are_converted():
    feet = pyproj.CRS("EPSG:2263")
    foot = 1200 / 3937
    square = objects(shapely.box(0, 0, 10, 10))
    np.testing.assert_allclose(areas_in_square_metres(square, feet), [100 * foot**2])
    np.testing.assert_allclose(lengths_in_metres(square, feet), [40 * foot])
    np.testing.assert_allclose(
        steps_in_metres(np.zeros((1, 2)), np.array([[3.0, 4.0]]), pyproj.CRS("EPSG:32633")), [5]
    )


def test_grads_are_angles_too():
    grads = pyproj.CRS("EPSG:4807")
    assert "grad" in grads.axis_info[0].unit_name
    line = objects(shapely.LineString([(0, 0), (0, 100)]))
    assert lengths_in_metres(line, grads)[0] == pytest.approx(10_001_868, rel=1e-3)


def test_what_cannot_be_measured_is_an_error():
    line = objects(shapely.LineString([(0, 0), (0, 91)]))
    with pytest.raises(RuleError, match="a latitude is beyond 90°"):
        lengths_in_metres(line, WGS84)
    with pytest.raises(RuleError, match="needs crs"):
        areas_in_square_metres(objects(shapely.box(0, 0, 1, 1)), None)
