import math

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry import ring_intersections
from spatial_pipeline.check.rules.validity import valid_geometry
from spatial_pipeline.check.rules.validity.valid_geometry import first_defect
from spatial_pipeline.contract.rules.validity import ValidGeometry
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.geometry.shapes import geometries, wkb_path, wkb_point
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.sample_data import package_folder

NAN = math.nan
BOX = shapely.box(0, 0, 1, 1)
BOW_TIE = shapely.from_wkt("POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))")
TWO_TIES = shapely.from_wkt(
    "MULTIPOLYGON (((0 0, 2 2, 2 0, 0 2, 0 0)), ((10 0, 12 2, 12 0, 10 2, 10 0)))"
)
FIRST, ALL = ValidGeometry(), ValidGeometry(all_errors=True)
TOKYO = package_folder("libpysal") / "examples/tokyo/tokyomet262.shp"


LOST = [("does not decode: Unexpected EOF parsing WKB", None, None)]


def rejected(_, shape):
    """What GEOS says, its place as text."""
    if isinstance(shape, bytes):
        return LOST
    if shape.is_valid:
        return []
    reason, _, place = shapely.is_valid_reason(shape).rstrip("]").partition("[")
    x, y = map(float, place.split()[:2])
    return [(reason, shapely.to_wkt(shapely.Point(x, y)), None)]


test_laws = laws(
    RuleCases(
        FIRST,
        passes=[BOX.wkt, "POLYGON EMPTY", "POINT (1 1)"],
        fails=[
            (BOW_TIE.wkt, [("Self-intersection", "POINT (1 1)", None)]),
            (b"\x01", LOST),
        ],
        oracle=rejected,
        keeps={"empty", "nan", "undecodable"},
    )
)


def test_valid_and_empty_geometries_pass_when_all_errors_are_listed():
    result, violations = everywhere(ALL, [BOX, shapely.Polygon(), shapely.Point(1, 1)])
    assert (result.status, result.checked, violations) == (Status.PASSED, 3, [])


def test_the_first_defect_has_reason_place_and_address():
    second = shapely.MultiPolygon([shapely.box(8, 8, 9, 9), BOW_TIE])
    result, violations = everywhere(FIRST, [BOX, BOW_TIE, second])
    assert violations == [
        ((1,), "Self-intersection", "POINT (1 1)", None, -1, 0, 0),
        ((2,), "Self-intersection", "POINT (1 1)", None, 1, 0, 0),
    ]
    assert (result.status, result.checked) == (Status.FAILED, 3)
    assert result.message == "2 × Self-intersection"


def test_all_defects_are_reported_when_asked():
    result, violations = everywhere(ALL, [BOX, BOW_TIE, TWO_TIES])
    assert violations == [
        ((1,), "Self-intersection", "POINT (1 1)", None, -1, 0, 0),
        ((2,), "Self-intersection", "POINT (1 1)", None, 0, 0, 0),
        ((2,), "Self-intersection", "POINT (11 1)", None, 1, 0, 0),
    ]
    assert result.violations == 3


def test_collections_are_judged_part_by_part():
    collection = shapely.GeometryCollection([BOX, BOW_TIE, shapely.LineString([(5, 5), (5, 5)])])
    _, violations = everywhere(ALL, [collection])
    assert [(f[1], f[4]) for f in violations] == [
        ("Self-intersection", 1),
        ("Too few points in geometry component", 2),
    ]


@pytest.mark.parametrize("rule", [FIRST, ALL])
def test_the_ten_invalid_tracts_of_tokyo_are_found(rule):
    tracts = pyogrio.read_dataframe(TOKYO).geometry.to_numpy()
    _, violations = everywhere(rule, list(tracts))
    invalid = np.flatnonzero(~shapely.is_valid(tracts)).tolist()
    assert len(invalid) == 10
    assert sorted({f[0][0] for f in violations}) == invalid
    for (row,), reason, place, _, part, ring, vertex in violations:
        assert reason == "Ring Self-intersection"
        parts = shapely.get_parts(tracts[row])
        polygon = parts[part] if part >= 0 else tracts[row]
        path = [polygon.exterior, *polygon.interiors][ring]
        assert shapely.from_wkt(place).distance(shapely.Point(path.coords[vertex])) < 1e-6


@pytest.mark.parametrize("rule", [FIRST, ALL])
def test_coordinates_that_are_not_finite(rule):
    ring = [(0.0, 0.0), (NAN, 0.0), (1.0, 1.0), (0.0, 0.0)]
    geometries_ = [
        wkb_path(3, ring),
        wkb_point(math.inf, 1.0),
        wkb_path(2, [(0.0, 0.0), (NAN, NAN)]),
    ]
    _, violations = everywhere(rule, geometries_)
    assert [f[:3] + f[4:] for f in violations] == [
        ((0,), "Invalid Coordinate", "POINT (0 0)", -1, 0, 1),
        ((1,), "Invalid Coordinate", None, -1, -1, -1),
        ((2,), "Invalid Coordinate", "POINT (0 0)", -1, -1, 1),
    ]


def test_what_does_not_decode_is_a_violation():
    curve = wkb_path(8, [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)])
    result, violations = everywhere(FIRST, [BOX, b"\x01", curve, None], undecodable=(1, 2))
    assert [f[:2] for f in violations] == [
        ((1,), "does not decode: Unexpected EOF parsing WKB"),
        ((2,), "does not decode: Nonlinear geometry types are not currently supported"),
    ]
    assert result.checked == 3
    assert "1 null geometry not judged" in result.message


def test_3d_data_are_told_that_the_plane_is_judged():
    wall = shapely.from_wkt("POLYGON Z ((0 0 0, 1 0 0, 1 0 5, 0 0 5, 0 0 0))")
    result, violations = everywhere(FIRST, [wall])
    assert result.violations == 1
    assert "1 geometry with Z or M, judged in the XY plane" in result.message
    assert violations[0][5:] == (0, 0)


def test_no_features():
    assert everywhere(ALL, [])[0].passed


def test_a_feature_never_goes_unreported(monkeypatch):
    monkeypatch.setattr(valid_geometry, "defects", lambda _: [])
    _, violations = everywhere(ALL, [BOW_TIE])
    assert violations == [((0,), "Self-intersection", "POINT (1 1)", None, -1, 0, 0)]


def test_a_scribble_is_told_by_its_first_defect_and_the_rest_is_said(monkeypatch):
    monkeypatch.setattr(ring_intersections, "MAX_PAIRS", 10)
    angle = np.arange(101) * 3.0
    star = shapely.Polygon(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    result, violations = everywhere(ALL, [star, BOW_TIE])
    assert [f[0] for f in violations] == [(0,), (1,)]
    assert "1 geometry that crosses itself too often: only its first defect is" in result.message


def test_a_reason_without_place_is_kept():
    assert first_defect(BOW_TIE, "Broken").reason == "Broken"
    assert first_defect(BOW_TIE, "Broken").geometry is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), geometries(4)), max_size=5), st.booleans())
def test_the_features_found_are_those_that_geos_rejects(drawn, all_errors):
    result, violations = everywhere(ValidGeometry(all_errors=all_errors), drawn)
    bad = [i for i, g in enumerate(drawn) if g is not None and not g.is_valid]
    assert sorted({f[0][0] for f in violations}) == bad
    assert all_errors or len(violations) == len(bad)
    assert result.checked == sum(g is not None for g in drawn)
