import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.rules.metadata.geometry_type import declared_type
from spatial_pipeline.contract.rules.metadata import GeometryTypeRule
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws

POINT = shapely.Point(1, 2)
LINE = shapely.LineString([(0, 0), (1, 1)])
POLYGON = shapely.box(0, 0, 2, 2)
KINDS = {
    "Point": POINT,
    "LineString": LINE,
    "Polygon": POLYGON,
    "MultiPoint": shapely.MultiPoint([POINT]),
    "MultiLineString": shapely.MultiLineString([LINE]),
    "MultiPolygon": shapely.MultiPolygon([POLYGON]),
    "GeometryCollection": shapely.GeometryCollection([POINT]),
}


def others(rule, shape):
    """Every type but polygons and multipolygons, at a point on the geometry."""
    if shape.geom_type.endswith("Polygon"):
        return []
    inner = shapely.point_on_surface(shape)
    if inner.is_empty and not shape.is_empty:  # GEOS finds none beside an empty part
        inner = shapely.Point(shapely.get_coordinates(shape)[0])
    place = None if shape.is_empty else shapely.to_wkt(inner)
    return [(f"{shape.geom_type}, expected Polygon or MultiPolygon", place, None)]


test_laws = laws(
    RuleCases(
        GeometryTypeRule(any_of=("Polygon",)),
        passes=[POLYGON.wkt, KINDS["MultiPolygon"].wkt, "POLYGON EMPTY"],
        fails=[
            ("POINT (1 2)", [("Point, expected Polygon or MultiPolygon", "POINT (1 2)", None)]),
            (
                "LINESTRING EMPTY",
                [("LineString, expected Polygon or MultiPolygon", None, None)],
            ),
        ],
        oracle=others,
        keeps={"empty", "nan"},
    )
)


def test_every_other_type_is_found():
    rule = GeometryTypeRule(any_of=("Polygon",), allow_multi=False)
    result, violations = everywhere(rule, [POLYGON, POINT, KINDS["MultiPolygon"]])
    assert violations == [
        ((1,), "Point, expected Polygon", "POINT (1 2)", None, -1, -1, -1),
        ((2,), "MultiPolygon, expected Polygon", "POINT (1 1)", None, -1, -1, -1),
    ]
    assert result.message == "1 × MultiPolygon, expected Polygon, 1 × Point, expected Polygon"


def test_null_and_undecodable_geometries_are_said():
    rule = GeometryTypeRule(any_of=("Point",))
    result, violations = everywhere(rule, [POINT, None, b"\x01"])
    assert (result.status, result.checked, violations) == (Status.PASSED, 1, [])
    assert "1 null geometry not judged" in result.message
    assert "1 geometry that does not decode not judged" in result.message


def test_the_declared_type_counts_too():
    rule = GeometryTypeRule(any_of=("Point", "LineString"))
    result, violations = everywhere(
        rule, [POINT, LINE], driver="GPKG", geometry_type="LineString Z"
    )
    assert [(f[0], f[1]) for f in violations] == [
        ((0,), "Point, but the file declares LineString Z")
    ]
    assert result.violations == 1


@pytest.mark.parametrize("declared", ["Polygon", "MultiPolygon"])
@pytest.mark.parametrize("held", ["Polygon", "MultiPolygon"])
def test_single_and_multi_forms_differ_only_when_told(declared, held):
    kinds = ("Polygon", "MultiPolygon")
    options = {"driver": "GPKG", "geometry_type": declared}
    easy = GeometryTypeRule(any_of=kinds)
    assert everywhere(easy, [KINDS[held]], **options)[0].passed
    strict = GeometryTypeRule(any_of=kinds, allow_multi=False)
    assert everywhere(strict, [KINDS[held]], **options)[0].passed is (held == declared)


@pytest.mark.parametrize(
    ("text", "driver", "name"),
    [
        ("Polygon", "GPKG", "Polygon"),
        ("MultiPolygon Z", "GPKG", "MultiPolygon"),
        ("2.5D Line String", "GPKG", "LineString"),
        ("3D Measured Point", "GPKG", "Point"),
        ("Measured Multi Point", "GPKG", "MultiPoint"),
        ("PointZM", "Parquet", "Point"),
        ("Point M", "GPKG", "Point"),
        ("Unknown", "GPKG", None),
        ("Geometry Z", "GPKG", None),
        ("Curve Polygon", "GPKG", None),
        (None, "GPKG", None),
        ("MultiPolygon", "GeoJSON", None),
    ],
)
def test_what_a_file_declares(text, driver, name):
    assert declared_type(VectorProfile(uri="x", driver=driver, geometry_type=text)) == name


NAMES = st.sampled_from(sorted(KINDS))


@settings(max_examples=40, deadline=None)
@given(st.lists(NAMES, max_size=6), st.lists(NAMES, min_size=1, max_size=3), st.booleans())
def test_features_are_judged_one_by_one(held, allowed, multi):
    rule = GeometryTypeRule(any_of=tuple(allowed), allow_multi=multi)
    _, violations = everywhere(rule, [KINDS[name] for name in held])
    bad = [
        i
        for i, name in enumerate(held)
        if name not in allowed
        and not (multi and name.startswith("Multi") and name.removeprefix("Multi") in allowed)
    ]
    assert [f[0] for f in violations] == [(i,) for i in bad]
