import pydantic
import pyproj
import pytest
import shapely

from spatial_pipeline.contract.rules.vertices import MeasuresMatch
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws

GOOD = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"
LARGE = "POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0))"


def different(_, shape):
    told = [("m2", "area", 4.0 - shape.area), ("edge", "perimeter", 8.0 - shape.length)]
    return [(f"{column} is not the {name}", shape.wkt, d) for column, name, d in told if d]


test_laws = laws(
    RuleCases(
        MeasuresMatch(columns={"area": "m2", "perimeter": "edge"}),
        passes=[GOOD],
        fails=[
            (LARGE, [("m2 is not the area", LARGE, -5), ("edge is not the perimeter", LARGE, -4)])
        ],
        oracle=different,
        columns={"m2": 4, "edge": 8.0},
    )
)


@pytest.mark.parametrize(
    ("tolerance", "found"),
    [
        ({}, [(0,), (1,)]),
        ({"absolute": 0.5}, [(1,)]),
        ({"relative": 0.125}, [(1,)]),
        ({"relative": 0.25, "absolute": 0.1}, []),
    ],
)
def test_what_is_accepted(tolerance, found):
    rule = MeasuresMatch(columns={"area": "m2"}, tolerance=tolerance)
    shapes = [shapely.from_wkt(GOOD)] * 3
    _, violations = everywhere(rule, shapes, {"m2": [4.5, 3.0, 4.0]})
    assert [f[0] for f in violations] == found


def test_places_and_degrees():
    rule = MeasuresMatch(
        columns={"x": "x", "y": "y", "lon": "lon", "lat": "lat"}, tolerance={"absolute": 1e-6}
    )
    shapes = [shapely.Point(500_000, 0)] * 2
    columns = {"x": [5e5, 5e5], "y": [0.0, 1.0], "lon": [15.0, 15.0], "lat": [0.0, 0.5]}
    _, violations = everywhere(rule, shapes, columns)
    assert [(f[0], f[1]) for f in violations] == [
        ((1,), "lat is not the lat"),
        ((1,), "y is not the y"),
    ]


def test_null_is_no_measure_and_text_is_an_error():
    rule = MeasuresMatch(columns={"area": "m2"})
    shapes = [shapely.from_wkt(GOOD)] * 2
    _, violations = everywhere(rule, shapes, {"m2": [None, 4.0]})
    assert [(f[0], f[1]) for f in violations] == [((0,), "m2 is null")]
    result, _ = everywhere(rule, shapes, {"m2": ["four", "4"]})
    assert (result.status, "m2 is not a numeric column" in result.message) == (Status.ERROR, True)


def test_a_column_must_be_named():
    with pytest.raises(pydantic.ValidationError, match="name a column for one of area, length"):
        MeasuresMatch(columns={})


@pytest.mark.parametrize(
    ("unit", "crs", "size"),
    [("m", 32633, 1e6), ("km", 32633, 1.0), ("ha", 32633, 100.0), ("acre", 32633, 247.1053815),
     ("ft", 2263, 1e6), ("mi", 32633, 0.3861021585)],
)  # fmt: skip
def test_areas_in_a_unit(unit, crs, size):
    rule = MeasuresMatch(columns={"area": "a"}, unit=unit, tolerance={"relative": 1e-5})
    square = shapely.box(0, 0, 1000, 1000)
    assert everywhere(rule, [square], {"a": [size]}, crs=crs)[0].passed
    _, violations = everywhere(rule, [square], {"a": [size * 1.001]}, crs=crs)
    assert violations[0][3] == pytest.approx(size * 0.001, rel=1e-2)


def test_measures_on_the_ellipsoid():
    rule = MeasuresMatch(
        columns={"area": "a", "perimeter": "p"}, geodesic=True, tolerance={"relative": 1e-6}
    )
    square = shapely.box(10, 50, 10.1, 50.1)
    geod = pyproj.Geod(ellps="WGS84")
    area, length = geod.geometry_area_perimeter(shapely.orient_polygons(square))
    stored = {"a": [area], "p": [length]}
    assert everywhere(rule, [square], stored, crs="EPSG:4326")[0].passed
    # Web Mercator shows it more than twice as large; the ellipsoid does not change.
    to = pyproj.Transformer.from_crs(4326, 3857, always_xy=True)
    drawn = shapely.transform(square, to.transform, interleaved=False)
    assert drawn.area > 2 * area
    assert everywhere(rule, [drawn], stored, crs="EPSG:3857")[0].passed
    wide = rule.model_copy(update={"unit": "km"})
    stored = {"a": [area / 1e6], "p": [length / 1e3]}
    assert everywhere(wide, [square], stored, crs="EPSG:4326")[0].passed


def test_units_that_cannot_be():
    with pytest.raises(pydantic.ValidationError, match="ha is a unit of areas"):
        MeasuresMatch(columns={"length": "a"}, unit="ha")
    rule = MeasuresMatch(columns={"area": "a"}, unit="ha")
    shape = shapely.box(0, 0, 1, 1)
    result, _ = everywhere(rule, [shape], {"a": [1.0]}, crs="EPSG:4326")
    assert result.message == ("unit: the coordinates are in degrees, not in ha: add geodesic: true")
    assert everywhere(rule, [shape], {"a": [1.0]}, crs=None)[0].message == "needs crs"
