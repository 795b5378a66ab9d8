import math
from itertools import combinations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.rules.validity import no_duplicate_geometries as module
from spatial_pipeline.contract.rules.validity import NoDuplicateGeometries
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.geometry.shapes import geometries, wkb_path, wkb_point
from spatial_pipeline_tests.check.geometry.test_normal_form import same
from spatial_pipeline_tests.check.geometry.test_vertex_distance import oracle

BOX = shapely.box(0, 0, 1, 1)
TURNED = shapely.Polygon([(1, 1), (1, 0), (-0.0, 0), (0, 1)])
EXACT = NoDuplicateGeometries()


def near(tolerance, **options):
    return NoDuplicateGeometries(tolerance=tolerance, **options)


def test_different_geometries_pass():
    result, violations = everywhere(EXACT, [BOX, shapely.box(0, 0, 1, 2), shapely.Point(0, 0)])
    assert (result.status, result.checked, violations) == (Status.PASSED, 3, [])


def test_every_copy_is_reported_with_the_first():
    geometries_ = [
        shapely.Point(5, 5),
        BOX,
        TURNED,
        shapely.Point(5, 5),
        shapely.MultiPolygon([BOX]),
    ]
    result, violations = everywhere(EXACT, geometries_)
    assert [f[:2] for f in violations] == [
        ((0, 3), "duplicate geometry"),
        ((1, 2), "duplicate geometry"),
        ((1, 4), "duplicate geometry"),
    ]
    assert shapely.from_wkt(violations[1][2]).equals(BOX)
    assert (result.violations, result.message) == (3, "3 duplicates of 2 geometries")
    assert (result.sample[0].measure, result.sample[0].unit) == (0.0, "m")


def test_the_first_is_the_first_in_the_source():
    _, violations = everywhere(EXACT, [BOX, BOX, BOX], rows=[7, 2, 5])
    assert [f[0] for f in violations] == [(2, 5), (2, 7)]


def test_same_footprint_is_no_proof():
    triangles = [
        shapely.Polygon([(0, 0), (1, 0), (1, 1)]),
        shapely.Polygon([(0, 0), (1, 1), (0, 1)]),
    ]
    assert everywhere(EXACT, triangles)[0].passed


def test_equal_hashes_are_no_proof(monkeypatch):
    monkeypatch.setattr(module, "_mixed", lambda columns: np.zeros(len(columns), np.uint64))
    points = [shapely.Point(i % 3, 0) for i in range(5)]
    for rule in (EXACT, near(0.5)):
        _, violations = everywhere(rule, points)
        assert [f[0] for f in violations] == [(0, 3), (1, 4)]


def test_suspects_are_looked_up_in_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(module, "QUERIES", 2)
    for rule in (EXACT, near(0.5)):
        _, violations = everywhere(rule, [BOX, shapely.Point(9, 9), BOX, BOX, shapely.Point(9, 9)])
        assert {f[0] for f in violations} >= {(0, 2), (0, 3), (1, 4)}


def test_only_with_equal_columns():
    table = {"kind": ["a", "b", "a", None, None]}
    rule = NoDuplicateGeometries(with_columns=("kind",))
    _, violations = everywhere(rule, [BOX] * 5, table)
    assert [f[0] for f in violations] == [(0, 2), (3, 4)]
    _, violations = everywhere(near(0.1, with_columns=("kind",)), [BOX] * 5, table)
    assert [f[0] for f in violations] == [(0, 2), (3, 4)]


def test_a_tolerance_reports_every_pair_once():
    line = [shapely.Point(x, 0) for x in (0, 1, 2, 9)]
    result, violations = everywhere(near(1.0), line)
    assert [(f[0], f[1], f[2], f[3]) for f in violations] == [
        ((0, 1), "duplicate geometry within the tolerance", "POINT (1 0)", 1.0),
        ((1, 2), "duplicate geometry within the tolerance", "POINT (2 0)", 1.0),
    ]
    assert result.message == "2 pairs of geometries within 1 m"
    assert everywhere(near(0.999), line)[0].passed


def test_a_tolerance_in_degrees_is_said():
    result, _ = everywhere(near(0.5), [shapely.Point(0, 0)], crs="EPSG:4326")
    assert "the tolerance is in degrees" in result.message


def test_a_search_that_ends_early_never_passes(monkeypatch):
    monkeypatch.setattr(module, "MAX_PAIRS", 3)
    result, violations = everywhere(near(1.0, max_violations=1000), [BOX] * 5)
    assert result.status is Status.FAILED
    assert "the search ended after 10 pairs" in result.message
    assert len(violations) == 10


@pytest.mark.parametrize("rule", [EXACT, near(0.5)])
def test_what_is_not_judged_is_said(rule):
    nan_ring = [(0.0, 0.0), (math.nan, 0.0), (1.0, 1.0), (0.0, 0.0)]
    wild = [wkb_path(3, nan_ring)] * 2 + [wkb_point(math.inf, 0.0)] * 2
    result, violations = everywhere(
        rule, [None, None, shapely.Polygon(), shapely.Polygon(), b"\x01", b"\x01", *wild, BOX]
    )
    assert (result.status, result.checked, violations) == (Status.PASSED, 1, [])
    for note in (
        "2 null geometries not judged",
        "2 empty geometries not judged",
        "2 geometries that do not decode not judged",
        "4 geometries with NaN or infinite coordinates not judged",
    ):
        assert note in result.message


@pytest.mark.parametrize("rule", [EXACT, near(0.5)])
def test_heights_do_not_tell_geometries_apart(rule):
    deep = [shapely.Point(1, 1, z) for z in (1, 2, math.nan)]
    result, violations = everywhere(rule, deep)
    assert (0, 1) in [f[0] for f in violations]
    assert "judged in the XY plane" in result.message


@pytest.mark.parametrize("rule", [EXACT, near(0.5)])
def test_no_and_one_feature(rule):
    assert everywhere(rule, [])[0].passed
    assert everywhere(rule, [BOX])[0].passed


@settings(max_examples=40, deadline=None)
@given(st.lists(geometries(1), max_size=6))
def test_exact_duplicates_are_those_of_all_pairs(drawn):
    _, violations = everywhere(EXACT, drawn)
    expected = []
    for j, geometry in enumerate(drawn):
        firsts = [i for i in range(j) if same(drawn[i], geometry)]
        if firsts and not geometry.is_empty:
            expected.append((firsts[0], j))
    assert sorted(f[0] for f in violations) == sorted(expected)


@settings(max_examples=40, deadline=None)
@given(st.lists(geometries(2), max_size=5), st.sampled_from([0.5, 1.0, 1.5, 2.5]))
def test_near_duplicates_are_those_of_all_pairs_and_more_with_more_tolerance(drawn, tolerance):
    _, violations = everywhere(near(tolerance), drawn)
    expected = {}
    for (i, a), (j, b) in combinations(enumerate(drawn), 2):
        distance = oracle(*(single(g) for g in (a, b)))
        if distance is not None and distance <= tolerance:
            expected[i, j] = distance
    found = {f[0]: f[3] for f in violations}
    assert len(found) == len(violations)
    # The oracle does not pair collections with empty members.
    assert {p for p in found if not any(hollow(drawn[i]) for i in p)} == {
        p for p in expected if not any(hollow(drawn[i]) for i in p)
    }
    _, more = everywhere(near(tolerance * 1.25), drawn)
    assert set(found) <= {f[0] for f in more}
    _, exact = everywhere(EXACT, drawn)
    assert {f[0] for f in exact} <= set(found)


def single(geometry):
    if geometry.geom_type.startswith("Multi") and len(geometry.geoms) == 1:
        return geometry.geoms[0]
    return geometry


def hollow(geometry):
    return geometry.is_empty or any(hollow(g) for g in getattr(geometry, "geoms", ()))
