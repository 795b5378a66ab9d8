from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, translate

from spatial_pipeline.check.coverage import polygon_lookup
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.topology import MustNotHaveGaps
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.coverage.coverages import (
    damaged_coverages,
    polygonal,
    real_frame,
    squares,
)
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = OtherSource(uri="other")
SIZES = (1, 2, 5, 50, None)
TINY = 1e-6


def _gaps(features, *others, crs="EPSG:32633", size=None, jobs=1, **parameters):
    rule = MustNotHaveGaps(**parameters)
    return run_rule(rule, memory_vector(features, crs=crs), *others, tile_size=size, jobs=jobs)


def _areas(features):
    return {i: g for i, f in enumerate(features) if (g := polygonal(f)) is not None}


def _voids(features, interest=None):
    """Bounded components of the complement of the union, or what it leaves of an area."""
    union = shapely.union_all(list(_areas(features).values()))
    if interest is not None:
        return [p for p in shapely.get_parts(interest - union) if p.area > TINY]
    if union.is_empty:
        return []
    frame = shapely.box(*shapely.bounds(union)).buffer(1, join_style="mitre")
    return [
        p
        for p in shapely.get_parts(frame - union)
        if not p.intersects(frame.boundary) and p.area > TINY
    ]


def _same(violations, expected):
    """Every finding is one of the expected areas; rounding may add slivers of no size."""
    found = violations.take(violations.measure > TINY)
    assert len(found) == len(expected)
    for void in expected:
        match = [g for g in found.geometry if shapely.symmetric_difference(g, void).area < TINY]
        assert len(match) == 1
    assert found.measure == pytest.approx(shapely.area(found.geometry))


def _around(void, features):
    return [i for i, g in _areas(features).items() if shapely.distance(g, void) < 1e-7]


def test_a_coverage_without_voids_passes():
    result, violations = _gaps(squares(4, 4))
    assert result.status is Status.PASSED
    assert (result.checked, len(violations)) == (16, 0)
    assert result.message == "16 checked"


def test_a_missing_polygon_is_a_gap_and_its_neighbours_are_named():
    features = squares(3, 3)
    del features[4]
    result, violations = _gaps(features)
    assert result.status is Status.FAILED
    assert violations.geometry[0].equals(shapely.box(1, 1, 2, 2))
    assert violations.rows.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert (violations.measure.tolist(), violations.unit) == ([1.0], "m²")
    assert violations.reasons.tolist() == ["gap"]
    assert result.message == "1 gap, largest 1 m²"


def test_a_bay_open_to_the_outside_is_none():
    features = squares(3, 3)
    del features[1]
    assert _gaps(features)[0].passed


def test_a_void_closed_by_points_only_is_a_gap():
    around = [shapely.box(*b) for b in ((0, 1, 1, 2), (1, 0, 2, 1), (2, 1, 3, 2), (1, 2, 2, 3))]
    _, violations = _gaps(around)
    assert violations.geometry[0].equals(shapely.box(1, 1, 2, 2))
    _, violations = _gaps([shapely.MultiPolygon(around)])
    assert violations.geometry[0].equals(shapely.box(1, 1, 2, 2))
    assert violations.rows.tolist() == [[0]]


def test_a_hole_is_a_gap_unless_others_fill_it():
    ring = shapely.box(0, 0, 9, 9) - shapely.box(3, 3, 6, 6)
    _, violations = _gaps([ring])
    assert violations.geometry[0].equals(shapely.box(3, 3, 6, 6))
    assert _gaps([ring, shapely.box(3, 3, 6, 6)])[0].passed
    assert _gaps([ring, shapely.box(2, 2, 7, 7)])[0].passed
    _, violations = _gaps([ring, shapely.box(3, 3, 6, 5)])
    assert violations.geometry[0].equals(shapely.box(3, 5, 6, 6))


@pytest.mark.parametrize("box", [(4, 4, 5, 5), (3, 3, 4, 4)])
def test_islands_are_taken_out_of_their_void(box):
    ring = shapely.box(0, 0, 9, 9) - shapely.box(3, 3, 6, 6)
    _, violations = _gaps([ring, shapely.box(*box)])
    assert violations.geometry[0].equals(shapely.box(3, 3, 6, 6) - shapely.box(*box))
    assert violations.measure.tolist() == [8.0]
    assert violations.rows.tolist() == [[0, 1]]


def test_islands_that_stand_alone_are_taken_out_and_named():
    around = [
        shapely.box(*b) for b in ((0, 9, 9, 18), (9, 0, 18, 9), (18, 9, 27, 18), (9, 18, 18, 27))
    ]
    islands = [
        shapely.box(11, 11, 12, 12),
        shapely.box(14, 14, 16, 16),
        shapely.box(99, 9, 100, 10),
    ]
    _, violations = _gaps([*around, *islands])
    expected = shapely.box(9, 9, 18, 18) - shapely.union_all(islands)
    assert violations.geometry[0].equals(expected)
    assert violations.measure.tolist() == [76.0]
    assert violations.rows.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_rounding_at_a_t_junction_is_no_gap():
    a, b, middle = (400_000.1, 5_000_000.3), (400_010.7, 5_000_007.9), (400_005.4, 5_000_004.1)
    features = [
        shapely.Polygon([a, b, (400_000, 5_000_020)]),
        shapely.Polygon([a, (400_010, 5_000_000), middle]),
        shapely.Polygon([middle, (400_010, 5_000_000), b]),
    ]
    assert not shapely.LineString([a, b]).covers(shapely.Point(middle))
    assert _gaps(features)[0].passed


def test_bounds_of_area_and_width():
    sheet = shapely.box(0, 0, 100, 100)
    holes = [shapely.box(1, 1, 2, 2), shapely.box(10, 10, 50, 10.1), shapely.box(10, 20, 30, 40)]
    features = [sheet - shapely.union_all(holes)]

    def sizes(**bounds):
        return [round(m, 6) for m in sorted(_gaps(features, **bounds)[1].measure)]

    assert sizes() == [1, 4, 400]
    assert sizes(min_area=1) == [1, 4, 400]
    assert sizes(min_area=1.1) == [4, 400]
    assert sizes(max_area=4.1) == [1, 4]
    assert sizes(max_area=0.5) == []
    assert sizes(min_width=0.2) == [1, 400]
    assert sizes(max_width=1.01) == [1, 4]
    assert sizes(max_width=0.09) == []
    assert sizes(min_area=2, max_width=1) == [4]


@pytest.mark.parametrize("angle", [0, 17, 45])
@pytest.mark.parametrize("width", [10.0, 0.1, 0.001])
def test_widths_of_corridors_are_found_to_a_thousandth(angle, width):
    corridor = shapely.LineString([(10, 10), (60, 10), (60, 60)]).buffer(
        width / 2, cap_style="flat"
    )
    features = [rotate(shapely.box(0, 0, 100, 100) - corridor, angle, origin=(50, 50))]
    diagonal = width * np.sqrt(2) * 2 / (1 + np.sqrt(2))
    assert _gaps(features, min_width=diagonal * 1.01)[0].passed
    assert not _gaps(features, min_width=width * 0.99)[0].passed
    assert not _gaps(features, max_width=diagonal * 1.01)[0].passed
    assert _gaps(features, max_width=width * 0.99)[0].passed


def test_rounding_between_a_polygon_and_the_area_of_interest_is_no_gap():
    a, b, c = (400_000.1, 5_000_000.3), (400_010.7, 5_000_007.9), (400_000, 5_000_020)
    middle = (400_005.4, 5_000_004.1)
    for alone in (shapely.Polygon([a, middle, b, c]), shapely.Polygon([a, b, c])):
        for interest in (shapely.Polygon([a, middle, b, c]), shapely.Polygon([a, b, c])):
            assert _gaps([alone], memory_vector([interest]), within=OTHER)[0].passed


def test_an_area_of_interest_limits_gaps_and_must_be_filled():
    features = squares(4, 4)
    del features[5]
    interest = memory_vector([shapely.box(1.5, 0, 3, 4), shapely.box(3, 0, 5, 4)])
    result, violations = _gaps(features, interest, within=OTHER)
    assert sorted(violations.measure) == [0.5, 4.0]
    assert shapely.union_all(violations.geometry).equals(
        shapely.union_all([shapely.box(1.5, 1, 2, 2), shapely.box(4, 0, 5, 4)])
    )
    assert result.violations == 2
    outside = memory_vector([shapely.box(50, 50, 51, 51)])
    _, violations = _gaps(features, outside, within=OTHER)
    assert violations.geometry[0].equals(shapely.box(50, 50, 51, 51))
    assert violations.rows.tolist() == [[-1]]


def test_a_polygon_that_stands_alone_can_cut_an_area_of_interest_in_two():
    interest = memory_vector([shapely.box(0, 0, 9, 1)])
    _, violations = _gaps([shapely.box(4, -1, 5, 2)], interest, within=OTHER)
    assert sorted(violations.measure) == [4.0, 4.0]
    assert violations.rows.tolist() == [[0], [0]]


def test_nothing_in_an_area_of_interest_is_a_gap():
    result, violations = _gaps([], memory_vector(squares(1, 1)), within=OTHER)
    assert violations.measure.tolist() == [1.0]
    assert result.checked == 0


def test_an_area_of_interest_without_polygons_is_an_error():
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    result, _ = _gaps(squares(2, 2), memory_vector([bow_tie]), within=OTHER)
    assert result.status is Status.ERROR
    assert "the area of interest holds no valid polygon" in result.message


def test_known_gaps_are_accepted_when_they_cover_the_void():
    features = [shapely.box(0, 0, 9, 9) - shapely.box(1, 1, 2, 2) - shapely.box(5, 5, 7, 7)]
    halves = [shapely.box(5, 5, 6, 7), shapely.box(6, 5, 7, 7)]
    _, violations = _gaps(features, memory_vector(halves), allowed=OTHER)
    assert violations.measure.tolist() == [1.0]
    _, violations = _gaps(features, memory_vector(halves[:1]), allowed=OTHER)
    assert sorted(violations.measure) == [1.0, 4.0]
    _, violations = _gaps(features, memory_vector([]), allowed=OTHER)
    assert len(violations) == 2


def test_within_and_allowed_come_in_their_order():
    features = [shapely.box(0, 0, 9, 9) - shapely.box(1, 1, 2, 2) - shapely.box(5, 5, 7, 7)]
    interest, known = (
        memory_vector([shapely.box(0, 0, 8, 8)]),
        memory_vector([shapely.box(5, 5, 7, 7)]),
    )
    _, violations = _gaps(features, interest, known, within=OTHER, allowed=OTHER)
    assert violations.measure.tolist() == [1.0]


def test_known_gaps_in_another_crs_are_transformed_and_it_is_said():
    hole = shapely.box(500_010, 5_500_010, 500_020, 5_500_020)
    features = [shapely.box(500_000, 5_500_000, 500_040, 5_500_040) - hole]
    there = memory_vector([hole]).everything.geometry
    geometry, _ = polygon_lookup.transformed(
        there, memory_vector([]).profile.pyproj_crs, memory_vector([], crs=4326).profile.pyproj_crs
    )
    result, _ = _gaps(features, memory_vector(geometry, crs="EPSG:4326"), allowed=OTHER)
    assert result.passed
    assert "allowed transformed from WGS 84 to WGS 84 / UTM zone 33N" in result.message
    result, _ = _gaps(features, memory_vector(geometry, crs=None), allowed=OTHER)
    assert result.status is Status.ERROR


def test_what_is_left_out_is_said_and_the_rest_is_judged():
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    ring = shapely.box(0, 0, 9, 9) - shapely.box(3, 3, 6, 6)
    features = [bow_tie, None, ring, shapely.Polygon(), shapely.LineString([(0, 0), (1, 1)]), b"\0"]
    result, violations = _gaps(features)
    assert violations.rows.tolist() == [[2]]
    assert result.checked == 1
    for said in (
        "1 null geometry left out (row 1)",
        "1 geometry that does not decode left out (row 5)",
        "1 invalid geometry left out (row 0)",
        "1 empty geometry left out (row 3)",
        "1 line feature not judged (row 4)",
    ):
        assert said in result.message


def test_features_that_where_excludes_fill_nothing():
    data = memory_vector(squares(3, 3), {"id": list(range(9))})
    result, violations = run_rule(MustNotHaveGaps(where="id <> 4"), data)
    assert violations.geometry[0].equals(shapely.box(1, 1, 2, 2))
    assert result.checked == 8


def test_bounds_in_degrees_are_said():
    features = [shapely.box(0, 0, 9, 9) - shapely.box(3, 3, 6, 6)]
    result, violations = _gaps(features, crs="EPSG:4326", max_area=99)
    assert violations.unit == "°²"
    assert "the bounds of gaps are in degrees" in result.message


@pytest.mark.parametrize("features", [[], [None], squares(1, 1), [shapely.Polygon()]])
def test_nothing_to_close_a_void_passes(features):
    assert _gaps(features)[0].passed


def test_data_without_geometry_is_an_error():
    data = memory_vector([None], geometry_column=None)
    result, _ = run_rule(MustNotHaveGaps(), data)
    assert result.status is Status.ERROR
    assert "needs geometry" in result.message


def test_many_neighbours_are_named_up_to_a_bound_and_it_is_said(monkeypatch):
    ring = squares(40, 40)
    inner = shapely.box(1, 1, 39, 39)
    features = [s for s in ring if not inner.contains(s)]
    monkeypatch.setattr("spatial_pipeline.check.coverage.voids.CELLS", 0)
    result, violations = _gaps(features)
    assert violations.rows.shape == (1, 100)
    assert "only 100 neighbours of a gap are named, 1 have more" in result.message


@settings(max_examples=60, deadline=None)
@given(damaged_coverages(), st.sampled_from(SIZES), st.sampled_from([1, 2]), st.integers(1, 9))
def test_gaps_are_the_bounded_components_of_the_complement(features, size, jobs, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polygon_lookup, "CHUNK", chunk)
        result, violations = _gaps(features, size=size, jobs=jobs)
    assert result.status is not Status.ERROR
    _same(violations, _voids(features))
    for row, void in zip(violations.rows.tolist(), violations.geometry, strict=True):
        if void.area > TINY:
            assert [r for r in row if r >= 0] == _around(void, features)


@settings(max_examples=40, deadline=None)
@given(
    damaged_coverages(),
    st.sampled_from(SIZES),
    st.tuples(*[st.sampled_from([0, 0.5, 1, 2.3])] * 2),
    st.sampled_from([1, 2.7, 5]),
)
def test_gaps_in_an_area_are_what_the_union_leaves_of_it(features, size, corner, side):
    origin = next((np.floor(g.bounds[:2]) for g in _areas(features).values()), np.zeros(2))
    x, y = origin + corner
    interest = shapely.union_all(
        [shapely.box(x, y, x + side, y + side), shapely.box(x, y, x + 9, y + 1)]
    )
    _, violations = _gaps(features, memory_vector([interest]), size=size, within=OTHER)
    _same(violations, _voids(features, interest))


@settings(max_examples=25, deadline=None)
@given(damaged_coverages(), st.sampled_from(SIZES), st.sampled_from([1, 2]))
def test_the_result_is_the_same_for_any_cut_and_any_number_of_threads(features, size, jobs):
    _, whole = _gaps(features)
    _, cut = _gaps(features, size=size, jobs=jobs)
    assert cut.rows.tolist() == whole.rows.tolist()
    assert shapely.to_wkb(cut.geometry).tolist() == shapely.to_wkb(whole.geometry).tolist()


@pytest.mark.parametrize("name", ["plots", "buildings"])
def test_real_data_give_the_voids_of_their_union(name):
    frame = real_frame(name)
    features = list(frame.geometry)
    result, violations = _gaps(features, crs=frame.crs, size=50, jobs=2)
    assert result.checked == len(features)
    _same(violations, _voids(features))
    for row, void in zip(violations.rows.tolist(), violations.geometry, strict=True):
        if void.area > TINY:
            assert [r for r in row if r >= 0] == _around(void, features)


def test_real_data_with_invalid_polygons_give_the_voids_of_the_valid_ones():
    """Overlay snaps vertices 0.4 µm apart here and so cuts a void in two at a passage of 32 nm."""
    frame = real_frame("tokyo")
    features = list(frame.geometry)
    result, violations = _gaps(features, crs=frame.crs, size=50, jobs=2)
    assert result.checked == 252
    assert "10 invalid geometries left out (rows " in result.message
    found, expected = violations.geometry[violations.measure > TINY], np.array(_voids(features))
    assert (len(found), len(expected)) == (335, 336)
    void, piece = shapely.STRtree(expected).query(found)
    shared = shapely.area(shapely.intersection(found[void], expected[piece])) > TINY
    void, piece = void[shared], piece[shared]
    assert sorted(piece) == list(range(336))
    pieces = np.bincount(void, shapely.area(expected)[piece])
    assert pieces == pytest.approx(shapely.area(found), rel=1e-9, abs=TINY)


def test_a_grid_far_away_keeps_its_gaps():
    features = [translate(s, 1e7, -1e7) for s in squares(3, 3)]
    features[4] = translate(shapely.box(1.001, 1, 2, 2), 1e7, -1e7)
    _, violations = _gaps(features)
    assert violations.measure == pytest.approx([0.001], abs=1e-7)
