import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.crs.area_of_use import areas, degrees, swapped
from spatial_pipeline.errors import RuleError
from spatial_pipeline_tests.sample_data import package_folder

PYSAL = package_folder("libpysal") / "examples"
PROJECTED = [
    "EPSG:32633",
    "EPSG:2154",
    "EPSG:3031",
    "EPSG:3995",
    "EPSG:3857",
    "EPSG:2193",
    "EPSG:27572",
]


def test_the_area_of_a_geographic_crs_is_its_box():
    assert np.allclose(areas(pyproj.CRS("EPSG:4326")), [(-180, -90, 180, 90)])


def test_grads_from_paris_are_grads_from_paris():
    ((west, south, east, north),) = areas(pyproj.CRS("EPSG:4807"))
    lon = np.array([-4.87, 9.63])
    assert np.allclose([west, east], (lon - 2.33722917) / 0.9, atol=1e-6)
    assert np.allclose([south, north], np.array([41.31, 51.14]) / 0.9, atol=1e-6)


def test_an_area_across_the_antimeridian_can_be_written_in_four_ways():
    boxes = areas(pyproj.CRS("EPSG:4167"))
    assert np.allclose(
        boxes,
        [
            (160.6, -55.95, 180, -25.88),
            (-180, -55.95, -171.2, -25.88),
            (160.6, -55.95, 188.8, -25.88),
            (-199.4, -55.95, -171.2, -25.88),
        ],
    )


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PROJECTED), st.floats(0, 1), st.floats(0, 1))
def test_no_place_of_the_area_projects_outside(code, east, north):
    crs = pyproj.CRS(code)
    west, south, e, n = crs.area_of_use.bounds
    lon, lat = west + east * (e - west), south + north * (n - south)
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat)
    ((xmin, ymin, xmax, ymax),) = areas(crs)
    # The area is taken on the datum of the CRS, which may lie 200 m off.
    assert xmin - 300 <= x <= xmax + 300
    assert ymin - 300 <= y <= ymax + 300


def test_the_area_is_tight():
    ((xmin, ymin, xmax, ymax),) = areas(pyproj.CRS("EPSG:3031"))
    assert np.allclose([-xmin, -ymin, xmax, ymax], 3333134.03, atol=1)
    assert np.allclose(areas(pyproj.CRS("EPSG:3857"))[0][2], 20037508.34, atol=1)


def test_a_shapefiles_crs_gets_the_area_of_the_registered_one():
    prj = pyproj.CRS((PYSAL / "virginia/vautm17n.prj").read_text())
    assert prj.area_of_use is None
    assert degrees(prj) == pyproj.CRS("EPSG:32617").area_of_use.bounds


def test_a_compound_crs_has_an_area():
    assert degrees(pyproj.CRS("EPSG:4326+5773")) is not None


def test_an_unknown_area_is_said():
    unknown = pyproj.CRS("+proj=tmerc +lat_0=1.234 +lon_0=5.678 +ellps=bessel +type=crs")
    assert degrees(unknown) is None
    with pytest.raises(RuleError, match="the area of use of unknown is not known: give bounds"):
        areas(unknown)


@pytest.mark.parametrize(
    ("code", "bounds"),
    [
        ("EPSG:4326", (36, -109, 41, -102)),
        ("EPSG:4326", (24, -125, 49, -67)),
        ("EPSG:4326", (-90, -180, 90, 180)),
        ("EPSG:4258", (47, 5, 55, 15)),
        ("EPSG:4807", (48, 1, 54, 5)),
        ("EPSG:32633", (5.2e6, 4e5, 5.3e6, 5e5)),
        ("EPSG:4167", (-42, 172, -40, 174)),
    ],
)
def test_swapped_extents_are_recognised(code, bounds):
    crs = pyproj.CRS(code)
    assert swapped(crs, bounds) is not None
    xmin, ymin, xmax, ymax = bounds
    assert swapped(crs, (ymin, xmin, ymax, xmax)) is None


@pytest.mark.parametrize(
    ("code", "bounds"),
    [
        ("EPSG:4326", (5, 50, 20, 100)),
        ("EPSG:4326", (5, 47, 15, 55)),
        ("EPSG:4326", (-500, -95, 500, 95)),
        ("EPSG:4326", (0, 0, 0, 1e300)),
        ("EPSG:32633", (0, 0, 1, 1)),
        ("EPSG:32633", (-1e9, -1e9, 1e9, 1e9)),
    ],
)
def test_extents_that_are_wrong_otherwise_are_not_called_swapped(code, bounds):
    assert swapped(pyproj.CRS(code), bounds) is None
