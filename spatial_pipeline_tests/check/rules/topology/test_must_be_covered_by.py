from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline.check.coverage import (
    difference_with_union,
)
from spatial_pipeline.check.coverage import (
    winding_grid as inside,
)
from spatial_pipeline.check.join import surroundings
from spatial_pipeline.check.rules.topology import must_be_covered_by
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.topology import MustBeCoveredBy
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model import features as pieces
from spatial_pipeline_tests.check.coverage.coverages import (
    damaged_coverages,
    origin,
    polygonal,
    real_frame,
    squares,
)
from spatial_pipeline_tests.check.geometry.test_fast_facts import SHAPES as ODD
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = OtherSource(uri="other")
SIZES = (1, 2, 5, 50, None)
TINY = 1e-6


def _check(features, covers, size=None, jobs=1, crs="EPSG:32633", **parameters):
    other = covers if hasattr(covers, "profile") else memory_vector(covers, crs=crs)
    return run_rule(
        MustBeCoveredBy(other=OTHER, **parameters),
        memory_vector(features, crs=crs),
        other,
        tile_size=size,
        jobs=jobs,
    )


def _by_row(violations):
    return dict(zip(violations.rows[:, 0].tolist(), violations.geometry, strict=True))


def test_features_in_one_or_in_the_union_of_several_pass():
    features = [
        shapely.box(0.2, 0.2, 0.8, 0.8),
        shapely.box(0, 0, 3, 3),
        shapely.box(0.5, 0, 1.5, 2),
    ]
    result, violations = _check(features, squares(3, 3))
    assert result.status is Status.PASSED
    assert (result.checked, len(violations)) == (3, 0)


def test_the_uncovered_part_is_shown():
    features = [shapely.box(2, 2, 4, 4), shapely.box(0, 0, 1, 1), shapely.box(8, 8, 9, 9)]
    result, violations = _check(features, squares(3, 3))
    assert result.status is Status.FAILED
    found = _by_row(violations)
    assert set(found) == {0, 2}
    assert found[0].equals(shapely.box(2, 2, 4, 4) - shapely.box(2, 2, 3, 3))
    assert found[2].equals(features[2])
    assert sorted(violations.measure) == [1.0, 3.0]
    assert (violations.unit, violations.reasons[0]) == ("m²", "uncovered")
    assert result.message == "2 uncovered polygons, largest 3 m²"


def test_a_hole_in_the_cover_is_uncovered():
    _, violations = _check(
        [shapely.box(0, 0, 9, 9)], [shapely.box(-1, -1, 9, 9) - shapely.box(3, 3, 4, 4)]
    )
    assert violations.geometry[0].equals(shapely.box(3, 3, 4, 4))


def test_lines_are_covered_by_polygons_and_lines():
    features = [
        shapely.LineString([(0, 0), (1, 0)]),
        shapely.LineString([(0.5, 0.5), (5, 0.5)]),
        shapely.LineString([(0.5, 0.5), (2.5, 0.5)]),
    ]
    covers = [*squares(2, 2), shapely.LineString([(2, 0.5), (3, 0.5)])]
    result, violations = _check(features, covers)
    assert _by_row(violations)[1].equals(shapely.LineString([(3, 0.5), (5, 0.5)]))
    assert (violations.measure.tolist(), violations.unit) == ([2.0], "m")
    assert result.message == "1 uncovered line, longest 2 m"


def test_points_are_covered_by_anything_that_they_touch():
    features = [
        shapely.Point(1, 1),
        shapely.Point(3, 0),
        shapely.Point(5, 5),
        shapely.Point(7, 7),
        shapely.MultiPoint([(0, 0), (8, 8)]),
    ]
    covers = [*squares(1, 1), shapely.LineString([(2, 0), (4, 0)]), shapely.Point(5, 5)]
    result, violations = _check(features, covers)
    found = _by_row(violations)
    assert found == {3: shapely.Point(7, 7), 4: shapely.Point(8, 8)}
    assert np.isnan(violations.measure).all()
    assert result.message == "2 uncovered points"


def test_polygons_are_not_covered_by_lines_around_them():
    _, violations = _check(squares(1, 1), [shapely.box(0, 0, 1, 1).exterior])
    assert violations.measure.tolist() == [1.0]


def test_mixed_dimensions_tell_their_units():
    features = [shapely.box(8, 8, 9, 9), shapely.LineString([(0, 8), (2, 8)]), shapely.Point(3, 3)]
    features.append(shapely.GeometryCollection([shapely.box(0, 0, 1, 1), shapely.Point(5, 5)]))
    result, violations = _check(features, squares(2, 2))
    assert violations.unit == "m² (lines: m)"
    assert sorted(_by_row(violations)) == [0, 1, 2, 3]
    assert result.checked == 4
    assert "1 geometry collection judged by parts (row 3)" in result.message


def test_tolerance_is_compared_with_each_part_and_is_monotone():
    features = [shapely.box(0, -0.1, 3, 1), shapely.box(0.5, -0.2, 1, 3.5)]
    measures = [
        sorted(np.round(_check(features, squares(3, 3), tolerance=t)[1].measure, 9))
        for t in (0, 0.15, 0.26, 0.31)
    ]
    assert measures == [[0.3, 0.35], [0.25, 0.3], [0.3], []]


def test_slivers_are_violations_but_rounding_is_none():
    covers = [translate(s, 400_000, 5_000_000) for s in squares(3, 3)]
    whole = shapely.box(400_000, 5_000_000, 400_003, 5_000_003)
    inclined = shapely.Polygon([(400_000, 5_000_000), (400_003, 5_000_000), (400_002.7, 5_000_003)])
    assert _check([whole, inclined], covers)[0].passed
    a, b, c = (400_000.1, 5_000_000.3), (400_010.7, 5_000_007.9), (400_000, 5_000_020)
    one, other = shapely.Polygon([a, b, c]), shapely.Polygon([a, (400_005.4, 5_000_004.1), b, c])
    assert {one.covers(other), other.covers(one)} == {True, False}
    assert _check([one, other], [one])[0].passed
    assert _check([one, other], [other])[0].passed
    _, violations = _check([translate(whole, 1e-6, 0)], covers)
    assert violations.measure == pytest.approx([3e-6], rel=1e-2)


def test_invalid_features_of_both_sides_are_left_out_and_said():
    bow_tie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    features = [bow_tie, None, shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3), shapely.Polygon()]
    result, violations = _check(features, [bow_tie, *squares(2, 2), None], size=1)
    assert list(_by_row(violations)) == [3]
    assert result.checked == 2
    for said in (
        "1 invalid geometry left out (row 0)",
        "1 null geometry left out (row 1)",
        "1 empty geometry left out (row 4)",
        "1 invalid geometry of the other dataset left out (row 0)",
    ):
        assert said in result.message


def test_an_empty_cover_covers_nothing():
    result, violations = _check(squares(2, 1), [])
    assert len(violations) == result.violations == 2


@pytest.mark.parametrize("features", [[], [None], [shapely.Polygon()]])
def test_nothing_to_cover_passes(features):
    assert _check(features, squares(1, 1))[0].passed


def test_another_crs_is_transformed_and_it_is_said():
    there = memory_vector([shapely.box(14, 49, 16, 51)], crs="EPSG:4326")
    inside, outside = shapely.Point(500_000, 5_500_000), shapely.Point(800_000, 5_500_000)
    result, violations = _check([inside, outside], there)
    assert list(_by_row(violations)) == [1]
    assert "transformed from WGS 84 to WGS 84 / UTM zone 33N" in result.message


def test_what_becomes_invalid_in_the_other_crs_covers_nothing(monkeypatch):
    """Whether a cover is valid is asked of what it has become, not of what is stored."""
    x, y = 464_000, 5_594_000
    bow_tie = translate(shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)]), x, y)
    monkeypatch.setattr(
        surroundings,
        "transformed",
        lambda g, *_: (np.full(len(g), bow_tie, dtype=object), "moved"),
    )
    covers = memory_vector([shapely.box(14, 50, 15, 51)] * 20, crs="EPSG:4326")
    result, violations = _check([shapely.box(x + 1.8, y + 0.9, x + 1.9, y + 1)] * 20, covers)
    assert len(violations) == 20
    assert "20 invalid geometries of the other dataset" in result.message


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, len(ODD) - 1), min_size=2, max_size=12),
    st.sampled_from([4.0, 20.0, 2e300]),
    st.sampled_from(SIZES),
)
def test_who_lies_over_covered_cells_is_judged_like_all_others(shapes, reach, size):
    features = [ODD[i] for i in shapes]
    covers = [shapely.box(-reach, -reach, reach, reach)]
    told = [_check(features, covers, size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            must_be_covered_by, "surely_within", lambda bounds, _: np.zeros(len(bounds), bool)
        )
        told.append(_check(features, covers, size))
    (result, violations), (expected, all_of_them) = told
    assert (result.status, result.checked, result.message) == (
        expected.status, expected.checked, expected.message,
    )  # fmt: skip
    assert violations.rows.tolist() == all_of_them.rows.tolist()
    assert shapely.to_wkb(violations.geometry).tolist() == (
        shapely.to_wkb(all_of_them.geometry).tolist()
    )


def _around_edges(random, covers, kind, n=60):
    """Points or small triangles beside, on and within what covers, its vertices among them."""
    areas = [g for g in map(polygonal, covers) if g is not None]
    corners = shapely.get_coordinates(areas) if areas else np.zeros((1, 2))
    picked = corners[random.integers(0, len(corners), n)]
    aims = corners[random.integers(0, len(corners), n)]
    places = picked + (aims - picked) * random.choice([0, 0.5, 0.1, 0.25], (n, 1))
    if kind == "points":
        return list(shapely.points(places))
    size = random.choice([1e-6, 0.05, 0.4, 3], (n, 1))
    return list(shapely.polygons(np.stack([places, places + size * [1, 0], places + size], axis=1)))


@settings(max_examples=60, deadline=None)
@given(
    damaged_coverages(),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["points", "polygons"]),
    st.booleans(),
    st.sampled_from([20, None]),
)
def test_who_lies_beside_an_edge_is_judged_the_same_with_and_without_circles_and_grid(
    covers, seed, kind, odd, size
):
    random = np.random.default_rng(seed)
    features = _around_edges(random, covers, kind)
    if odd:
        features += [None, b"no", shapely.Point(), shapely.MultiPoint([(0.5, 0.5), (99, 99)])]
        features += [shapely.Point(0.5, 0.5, 7), shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])]
        features += [shapely.MultiPolygon([shapely.box(0.2, 0.2, 0.4, 0.4)]), shapely.Point(9, 9)]
        features = [features[i] for i in random.permutation(len(features))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside, "WORTH", 1)
        patch.setattr(inside, "ALONE", 1)
        quick, found = _check(features, covers, size=size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            must_be_covered_by, "surely_within", lambda bounds, _: np.zeros(len(bounds), bool)
        )
        slow, expected = _check(features, covers, size=size)
    assert replace(quick, elapsed_s=slow.elapsed_s) == slow
    assert found.rows.tolist() == expected.rows.tolist()
    assert found.measure.tobytes() == expected.measure.tobytes()
    assert shapely.to_wkb(found.geometry).tolist() == shapely.to_wkb(expected.geometry).tolist()
    if kind == "points" and not odd:
        every = shapely.union_all([g for g in map(polygonal, covers) if g is not None])
        for i, point in enumerate(features):
            if i not in _by_row(found):
                assert every.distance(point) < TINY


def test_what_is_covered_for_sure_is_not_decoded():
    features = memory_vector([shapely.Point(0.5, 0.5)] * 20 + [shapely.Point(5, 5)])
    decoded = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "decoded", lambda w: decoded.append(len(w)) or real(w))
        real = shapely.from_wkb
        result, violations = run_rule(
            MustBeCoveredBy(other=OTHER), features, memory_vector(squares(1, 1))
        )
    assert decoded
    assert max(decoded) == 1
    assert (result.checked, violations.rows[:, 0].tolist()) == (21, [20])


def test_a_missing_crs_is_an_error():
    result, _ = _check(squares(1, 1), squares(1, 1), crs=None)
    assert result.status is Status.ERROR
    assert "needs crs" in result.message


def test_a_tolerance_in_degrees_is_said():
    result, violations = _check(
        [shapely.box(0, 0, 3, 3)], squares(1, 1), crs="EPSG:4326", tolerance=0.1
    )
    assert violations.unit == "°²"
    assert "the tolerance is in square degrees" in result.message


def test_features_with_the_same_covers_are_told_apart_when_hashes_are_equal(monkeypatch):
    features = [
        shapely.box(0.5, 0, 1.5, 1),
        shapely.box(1.5, 0, 2.5, 1),
        shapely.box(0, 0.5, 1, 1.5),
    ]
    expected = _check(features, squares(3, 1))[1].measure.tolist()
    monkeypatch.setattr(difference_with_union, "_FACTOR", np.uint64(0))
    assert _check(features, squares(3, 1))[1].measure.tolist() == expected == [0.5]


def _scattered(random, kind, n):
    corners = random.integers(-2, 12, (n, 2)) / 2
    if kind == "polygons":
        sides = random.integers(1, 6, (n, 2)) / 2
        return list(shapely.box(*corners.T, *(corners + sides).T))
    if kind == "lines":
        ends = corners + random.integers(1, 6, (n, 2)) / 2
        return list(shapely.linestrings(np.stack([corners, ends], axis=1)))
    return list(shapely.points(corners))


@settings(max_examples=60, deadline=None)
@given(
    damaged_coverages(),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["polygons", "lines", "points"]),
    st.sampled_from(SIZES),
    st.sampled_from([1, 2]),
)
def test_what_is_uncovered_is_the_difference_to_the_union_of_all(covers, seed, kind, size, jobs):
    random = np.random.default_rng(seed)
    features = [translate(f, *origin(covers)) for f in _scattered(random, kind, 12)]
    result, violations = _check(features, covers, size=size, jobs=jobs)
    assert result.status is not Status.ERROR
    found = _by_row(violations)
    assert len(found) == len(violations)
    valid = [c for c in covers if isinstance(c, shapely.Geometry) and c.is_valid]
    areas = shapely.union_all([g for g in map(polygonal, valid) if g is not None])
    every = [q for c in valid for q in _flat(c)]
    for i, feature in enumerate(features):
        if kind == "points":
            assert (i in found) == (not any(feature.intersects(q) for q in every))
            continue
        rest = feature - areas
        if kind == "lines":
            rest -= shapely.union_all([q for q in every if q.geom_type == "LineString"])
        size_of = "area" if kind == "polygons" else "length"
        rest = shapely.union_all([p for p in shapely.get_parts(rest) if getattr(p, size_of) > TINY])
        shown = found.get(i, shapely.Polygon())
        if kind == "polygons":
            assert shapely.symmetric_difference(shown, rest).area < TINY
        else:
            assert shown.length == pytest.approx(rest.length, abs=TINY)


def _flat(geometry):
    parts = getattr(geometry, "geoms", None)
    return [geometry] if parts is None else [q for p in parts for q in _flat(p)]


@settings(max_examples=25, deadline=None)
@given(damaged_coverages(), damaged_coverages(), st.sampled_from(SIZES), st.sampled_from([1, 2]))
def test_the_result_is_the_same_for_any_cut_and_any_number_of_threads(features, covers, size, jobs):
    _, whole = _check(features, covers)
    _, cut = _check(features, covers, size=size, jobs=jobs)
    assert cut.rows.tolist() == whole.rows.tolist()
    assert cut.measure.tobytes() == whole.measure.tobytes()
    assert shapely.to_wkb(cut.geometry).tolist() == shapely.to_wkb(whole.geometry).tolist()


def test_real_buildings_lie_on_their_plots_or_show_what_does_not():
    plots, buildings = real_frame("plots"), real_frame("buildings")
    features = list(buildings.geometry)
    _, violations = _check(
        features, memory_vector(list(plots.geometry), crs=plots.crs), size=50, jobs=2, crs=plots.crs
    )
    union = shapely.union_all(plots.geometry.to_numpy())
    rest = shapely.area(shapely.difference(features, union))
    found = _by_row(violations)
    for i, area in enumerate(rest):
        assert (found[i].area if i in found else 0) == pytest.approx(area, abs=TINY)
