import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.raster.grid import grid_differences, same_crs, to_crs, to_pixels
from spatial_pipeline_tests.support import memory_raster


def profile(width=5, height=4, **fields):
    return memory_raster(np.zeros((1, height, width)), **fields).profile


numbers = st.floats(-100, 100)


@given(numbers, numbers, numbers, numbers, numbers, numbers, st.lists(st.tuples(numbers, numbers)))
@settings(max_examples=60, deadline=None)
def test_pixels_and_coordinates_are_inverse(a, b, c, d, e, f, points):
    if abs(a * e - b * d) < 1e-2:
        return
    array = np.array(points, dtype=float).reshape(-1, 2)
    transform = (a, b, c, d, e, f)
    back = to_crs(to_pixels(array, transform), transform)
    np.testing.assert_allclose(back, array, atol=1e-6)


def test_equal_grids_have_no_differences_in_spite_of_rounding():
    a = profile(transform=(0.0015000000000000128, 0, -106.0566005603556, 0, -0.0015, 40.6))
    b = profile(transform=(0.0015, 0, -106.05660056035561, 0, -0.0015, 40.6))
    assert grid_differences(a, b) == ()


def test_every_difference_is_named():
    a = profile(transform=(1, 0, 0, 0, -1, 0))
    assert grid_differences(a, profile(width=6)) == ("6 × 4 pixels, not 5 × 4",)
    assert grid_differences(a, profile(transform=(1, 0, 0.5, 0, -1, 0))) == (
        "first corner at (0.5, 0), not (0, 0)",
    )
    assert grid_differences(a, profile(transform=(2, 0, 0, 0, -1, 0))) == (
        "pixel vectors (2, 0, 0, -1), not (1, 0, 0, -1)",
    )
    assert grid_differences(a, profile(transform=(1, 0, 0, 0, 1, -4), height=9)) == (
        "5 × 9 pixels, not 5 × 4",
        "first corner at (0, -4), not (0, 0)",
        "pixel vectors (1, 0, 0, 1), not (1, 0, 0, -1)",
    )
    assert grid_differences(a, profile(crs=None)) == ("no CRS, not WGS 84 / UTM zone 33N",)


def test_same_crs():
    assert same_crs(profile(crs="OGC:CRS84"), profile(crs="EPSG:4326"))
    assert same_crs(profile(crs=None), profile(crs=None))
    assert not same_crs(profile(crs=None), profile())
    assert not same_crs(profile(crs="EPSG:4269"), profile(crs="EPSG:4326"))
