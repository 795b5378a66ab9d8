from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline.check.coverage.overlap_pairs import shared_parts
from spatial_pipeline.check.rules.topology import must_not_overlap
from spatial_pipeline.contract.rules.topology import MustNotOverlap
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.coverage.coverages import (
    damaged_coverages,
    polygonal,
    real_frame,
    squares,
)
from spatial_pipeline_tests.support import memory_vector, run_rule

SIZES = (1, 2, 5, 50, None)
WORTHS = (0.1, 0.6, 2.0)
"""Some, most or all batches are taken for coverages."""


def _pairs(violations):
    """Row pairs with the size of what they share."""
    return {
        tuple(rows): measure
        for rows, measure in zip(violations.rows.tolist(), violations.measure.tolist(), strict=True)
    }


def _brute(features, groups=None):
    """Area shared by every pair whose interiors meet."""
    areas = {i: g for i, f in enumerate(features) if (g := polygonal(f)) is not None}
    areas = {i: g if g.is_valid else shapely.unary_union(g) for i, g in areas.items()}
    return {
        (i, k): shapely.intersection(areas[i], areas[k]).area
        for i, k in combinations(areas, 2)
        if (groups is None or groups[i] == groups[k])
        and shapely.relate(areas[i], areas[k])[0] == "2"
    }


def test_polygons_that_only_touch_pass():
    result, violations = run_rule(MustNotOverlap(), memory_vector(squares(3, 3)))
    assert result.status is Status.PASSED
    assert (result.checked, result.violations, len(violations)) == (9, 0, 0)
    assert result.message == "9 checked"


def test_overlapping_equal_and_contained_pairs_are_violations():
    features = [
        shapely.box(0, 0, 2, 2),
        shapely.box(1, 1, 3, 3),
        shapely.box(10, 0, 12, 2),
        shapely.reverse(shapely.box(10, 0, 12, 2)),
        shapely.box(20, 0, 29, 9),
        shapely.box(21, 1, 22, 2),
    ]
    result, violations = run_rule(
        MustNotOverlap(), memory_vector(features, {"id": list("abcdef")}), key=("id",)
    )
    assert result.status is Status.FAILED
    assert _pairs(violations) == {(0, 1): 1.0, (2, 3): 4.0, (4, 5): 1.0}
    assert violations.geometry[0].equals(shapely.box(1, 1, 2, 2))
    assert set(violations.reasons) == {"overlap"}
    assert violations.unit == "m²"
    assert result.message == "3 overlaps, largest 4 m²"
    assert result.sample[0].keys == (("a",), ("b",))
    assert result.sample[0].location == (1.5, 1.5)


def test_tolerance_accepts_small_overlaps_and_is_monotone():
    features = [shapely.box(0, 0, 2, 2), shapely.box(1, 1, 3, 3), shapely.box(1.5, 0, 4, 0.5)]
    counts = [
        run_rule(MustNotOverlap(tolerance=t), memory_vector(features))[0].violations
        for t in (0, 0.2, 0.25, 0.9, 1.0, 5)
    ]
    assert counts == [2, 2, 1, 1, 0, 0]


def test_an_overlap_stays_when_its_area_rounds_to_nothing():
    features = [
        shapely.box(400_000, 4_999_990, 400_010, 5_000_000),
        shapely.Polygon(
            [
                (400007.2878430364, np.nextafter(5_000_000, 0)),
                (400007.44952338637, 5000006.034025499),
                (400007.1843699437, 5000005.164646595),
            ]
        ),
    ]
    result, violations = run_rule(MustNotOverlap(), memory_vector(features))
    assert result.violations == 1
    assert violations.measure.tolist() == [0.0]
    assert not violations.geometry[0].is_empty
    assert run_rule(MustNotOverlap(tolerance=1e-6), memory_vector(features))[0].passed


def test_what_rounds_to_nothing_is_shown_in_the_middle_of_the_boxes():
    one = np.array([shapely.box(0, 0, 2, 2), shapely.box(0, 0, 2, 2)], dtype=object)
    other = np.array([shapely.box(3, 0, 5, 2), shapely.box(2, 0, 5, 2)], dtype=object)
    parts, measure = shared_parts(one, other, 2)
    assert parts[0].equals(shapely.Point(2.5, 1))
    assert parts[1].equals(shapely.LineString([(2, 0), (2, 2)]))
    assert measure.tolist() == [0, 0]


def test_lines_violate_where_they_share_a_stretch():
    features = [
        shapely.LineString([(0, 0), (4, 0)]),
        shapely.MultiLineString([[(3, 0), (6, 0)], [(0, 5), (0, 6)]]),
        shapely.LineString([(2, -1), (2, 1)]),
        shapely.LineString([(4, 0), (4, 3)]),
    ]
    result, violations = run_rule(MustNotOverlap(), memory_vector(features))
    assert _pairs(violations) == {(0, 1): 1.0}
    assert violations.geometry[0].equals(shapely.LineString([(3, 0), (4, 0)]))
    assert (violations.reasons[0], violations.unit) == ("shared line", "m")
    assert result.message == "1 shared line, longest 1 m"
    assert run_rule(MustNotOverlap(tolerance=1), memory_vector(features))[0].passed


def test_lines_and_polygons_are_told_apart():
    features = [
        shapely.box(0, 0, 2, 2),
        shapely.LineString([(0, 0), (2, 0)]),
        shapely.LineString([(1, 0), (5, 0)]),
        shapely.box(1, 1, 3, 3),
        shapely.Point(1, 1),
    ]
    result, violations = run_rule(MustNotOverlap(), memory_vector(features))
    assert _pairs(violations) == {(0, 3): 1.0, (1, 2): 1.0}
    assert violations.unit == "m² (lines: m)"
    assert result.checked == 4
    assert "1 overlap, largest 1 m², 1 shared line, longest 1 m" in result.message
    assert "polygons and lines are not compared with each other" in result.message
    assert "1 point feature not judged (row 4)" in result.message


def test_what_is_left_out_is_said_and_does_not_stop_the_rest():
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    with np.errstate(all="ignore"):
        nan = shapely.Polygon([(0, 0), (1, np.nan), (1, 0)])
    features = [bow_tie, None, shapely.Polygon(), *squares(1, 1) * 2, b"\x00", nan]
    features.append(shapely.from_wkt("POLYGON Z ((0 0 1, 1 0 2, 1 1 3, 0 0 1))"))
    result, violations = run_rule(
        MustNotOverlap(), memory_vector(features, {"id": list("abcdefgh")}), key=("id",)
    )
    assert set(_pairs(violations)) == {(3, 4), (3, 7), (4, 7)}
    assert result.checked == 3
    assert not any(g.has_z for g in violations.geometry)
    for said in (
        "1 null geometry left out (b)",
        "1 geometry that does not decode left out (f)",
        "2 invalid geometries left out (a, g)",
        "1 empty geometry left out (c)",
        "1 3D geometry judged in the XY plane (h)",
    ):
        assert said in result.message


def test_collections_are_judged_by_their_parts():
    box, line = shapely.box(0, 0, 2, 2), shapely.LineString([(0, 9), (5, 9)])
    features = [
        shapely.GeometryCollection([shapely.GeometryCollection([box, line]), shapely.Point(0, 0)]),
        shapely.GeometryCollection([box, translate(box, 1, 0)]),
        line,
    ]
    result, violations = run_rule(MustNotOverlap(), memory_vector(features))
    assert _pairs(violations) == {(0, 1): 4.0, (0, 2): 5.0}
    assert "2 geometry collections judged by parts (rows 0, 1)" in result.message


def test_group_by_compares_only_equal_values_and_null_equals_null():
    features = squares(1, 1) * 6
    columns = {"a": [1, 1, None, None, 2, 1], "b": ["x", "x", "x", "x", "x", None]}
    _, violations = run_rule(MustNotOverlap(group_by=("a", "b")), memory_vector(features, columns))
    assert set(_pairs(violations)) == {(0, 1), (2, 3)}


def test_where_keeps_features_out():
    data = memory_vector(squares(1, 1) * 3, {"old": [True, False, False]})
    result, violations = run_rule(MustNotOverlap(where="not old"), data)
    assert set(_pairs(violations)) == {(1, 2)}
    assert result.checked == 2


def test_a_tolerance_in_degrees_is_said():
    data = memory_vector(squares(1, 1) * 2, crs="EPSG:4326")
    result, violations = run_rule(MustNotOverlap(tolerance=0.1), data)
    assert violations.unit == "°²"
    assert "the tolerance is in square degrees" in result.message
    assert "degrees" not in run_rule(MustNotOverlap(), data)[0].message
    assert run_rule(MustNotOverlap(), memory_vector(squares(1, 1) * 2, crs=None))[1].unit == ""


@pytest.mark.parametrize("features", [[], [None], squares(1, 1), [shapely.Polygon()]])
def test_nothing_to_compare_passes(features):
    assert run_rule(MustNotOverlap(), memory_vector(features))[0].passed


@settings(max_examples=60, deadline=None)
@given(
    damaged_coverages(),
    st.sampled_from(SIZES),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.sampled_from(WORTHS),
)
def test_pairs_and_areas_are_those_of_brute_force(features, size, jobs, grouped, worth):
    groups = [i % 2 for i in range(len(features))]
    rule = MustNotOverlap(group_by=("g",)) if grouped else MustNotOverlap()
    data = memory_vector(features, {"g": groups}, batch_size=7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(must_not_overlap, "WORTH", worth)
        result, violations = run_rule(rule, data, tile_size=size, jobs=jobs)
    assert len(violations) == result.violations
    violations = violations.take(violations.reasons == "overlap")
    expected = _brute(features, groups if grouped else None)
    assert set(_pairs(violations)) == set(expected)
    assert len(violations) == len(expected)
    for pair, measure in _pairs(violations).items():
        assert measure == pytest.approx(expected[pair], rel=1e-6, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    damaged_coverages(), st.sampled_from(SIZES), st.sampled_from([1, 2]), st.sampled_from(WORTHS)
)
def test_the_result_is_the_same_for_any_cut_and_any_number_of_threads(features, size, jobs, worth):
    data = memory_vector(features)
    _, whole = run_rule(MustNotOverlap(), data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(must_not_overlap, "WORTH", worth)
        _, cut = run_rule(MustNotOverlap(), data, tile_size=size, jobs=jobs)
    assert cut.rows.tolist() == whole.rows.tolist()
    assert cut.measure.tolist() == whole.measure.tolist()
    assert shapely.to_wkb(cut.geometry).tolist() == shapely.to_wkb(whole.geometry).tolist()


@pytest.mark.parametrize("by", [(0.5, 0.5), (7.5, 7.5), (0.0, 0.25)])
@pytest.mark.parametrize("worth", WORTHS)
def test_a_shifted_sheet_is_found_across_batches(monkeypatch, by, worth):
    sheet = squares(12, 12)
    features = [*sheet, *(translate(s, *by) for s in sheet)]
    expected = _brute(features)
    monkeypatch.setattr(must_not_overlap, "WORTH", worth)
    _, violations = run_rule(MustNotOverlap(), memory_vector(features), tile_size=36, jobs=2)
    assert _pairs(violations) == pytest.approx(expected)
    assert len(violations) == len(expected)


def test_a_building_on_the_border_of_a_coverage_is_compared_with_it():
    """The coverage's batches share edges, the buildings' batch shares none."""
    random = np.random.default_rng(3)
    buildings = [shapely.Point(*random.uniform(-2, 12, 2)).buffer(0.4) for _ in range(100)]
    for features in ([*squares(10, 10), *buildings], [*buildings, *squares(10, 10)]):
        _, violations = run_rule(MustNotOverlap(), memory_vector(features), tile_size=100, jobs=2)
        assert set(_pairs(violations)) == set(_brute(features))


def test_few_features_are_read_again_where_polygons_share_their_edges(monkeypatch):
    features = squares(20, 20)
    features[210] = shapely.Polygon([(10, 10), (11.5, 10), (11, 11), (10, 11)])
    data = memory_vector(features)
    check = must_not_overlap.MustNotOverlapCheck(MustNotOverlap(), must_not_overlap.Context(data))
    partial = check.map(data.everything)
    assert partial.chain is not None
    read = []
    take = data.take
    monkeypatch.setattr(data, "take", lambda at, names: read.extend(at) or take(at, names))
    assert check.reduce([partial]).violations.rows.tolist() == [[210, 211]]
    assert len(read) <= 12


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 4), min_size=2, max_size=12))
def test_lines_on_a_lattice_are_those_of_brute_force(ends):
    lines = [shapely.LineString([e[:2], e[2:]]) for e in ends if e[:2] != e[2:]]
    _, violations = run_rule(MustNotOverlap(), memory_vector(lines, crs="EPSG:32633"), tile_size=3)
    expected = {
        (i, k): shapely.intersection(lines[i], lines[k]).length
        for i, k in combinations(range(len(lines)), 2)
        if shapely.relate(lines[i], lines[k])[0] == "1"
    }
    assert _pairs(violations) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["tokyo", "plots", "buildings", "streets"])
def test_real_data_give_what_brute_force_gives(name):
    frame = real_frame(name)
    features = list(frame.geometry)
    data = memory_vector(features, crs=frame.crs)
    result, violations = run_rule(MustNotOverlap(), data, tile_size=50, jobs=2)
    good = [i for i, f in enumerate(features) if f.is_valid]
    assert result.checked == len(good)
    one, other = shapely.STRtree(features).query(features)
    dimension = "1" if name == "streets" else "2"
    expected = {
        (int(i), int(k))
        for i, k in zip(one, other, strict=True)
        if i < k
        and features[i].is_valid
        and features[k].is_valid
        and shapely.relate(features[i], features[k])[0] == dimension
    }
    assert set(_pairs(violations)) == expected
    for (i, k), measure in _pairs(violations).items():
        shared = shapely.intersection(features[i], features[k])
        size = shared.length if name == "streets" else shared.area
        assert measure == pytest.approx(size, rel=1e-9, abs=1e-9)
    if name == "tokyo":
        assert len(good) == 252
        assert "10 invalid geometries left out" in result.message
