from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline.check.coverage import overlap_pairs
from spatial_pipeline.check.coverage.arrangement import cancelled, directed_edges
from spatial_pipeline.check.coverage.faces import faces
from spatial_pipeline.check.coverage.overlap_pairs import AREA, STRETCH, doubtful_regions, meeting
from spatial_pipeline_tests.check.coverage.coverages import (
    damaged_coverages,
    polygonal,
    squares,
    voronoi,
)


def _array(geometries):
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def _all(geometries, pattern=AREA):
    n = len(geometries)
    one, other = meeting(_array(geometries), np.arange(n), np.ones(n, bool), pattern)
    pairs = list(zip(one.tolist(), other.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    return set(pairs)


def _brute(geometries, dimension="2"):
    return {
        (i, k)
        for (i, a), (k, b) in combinations(enumerate(geometries), 2)
        if shapely.relate(a, b)[0] == dimension
    }


@settings(max_examples=60, deadline=None)
@given(damaged_coverages(), st.sampled_from([0.25, 2.0]))
def test_pairs_are_those_of_brute_force_with_and_without_the_arrangement(features, worth):
    polygons = [p for p in map(polygonal, features) if p is not None and p.is_valid]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap_pairs, "WORTH", worth)
        assert _all(polygons) == _brute(polygons)


@settings(max_examples=25, deadline=None)
@given(damaged_coverages(), st.randoms(use_true_random=False))
def test_pairs_belong_to_the_owner_of_the_lower_position(features, random):
    polygons = [p for p in map(polygonal, features) if p is not None and p.is_valid]
    position = list(range(len(polygons)))
    random.shuffle(position)
    owned = np.array([random.random() < 0.5 for _ in polygons], dtype=bool)
    one, other = meeting(_array(polygons), np.array(position, dtype=np.int64), owned, AREA)
    expected = set()
    for i, k in _brute(polygons):
        low, high = (i, k) if position[i] < position[k] else (k, i)
        if owned[low]:
            expected.add((low, high))
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == expected


def _needles(step):
    """Triangles that overlap a row of squares by less than a few floating-point steps."""
    row = [translate(s, 400_000, 5_000_000) for s in squares(12, 12, 10)]
    top = 5_000_120.0
    for _ in range(step):
        top = np.nextafter(top, 0)
    needle = shapely.Polygon([(400_100, top), (400_110, 5_000_130), (400_090, 5_000_130)])
    return [*row, needle]


@pytest.mark.parametrize("step", [0, 1, 2, 5])
def test_an_overlap_of_one_floating_point_step_is_found(monkeypatch, step):
    features = _needles(step)
    monkeypatch.setattr(overlap_pairs, "WORTH", 2.0)
    assert _all(features) == _brute(features)
    assert bool(_all(features)) == (step > 0)


def test_a_shifted_sheet_is_found_though_its_inner_polygons_keep_no_edge():
    sheet = squares(12, 12)
    features = [*sheet, *(translate(s, 0.5, 0.5) for s in sheet)]
    chain, _, _ = cancelled(directed_edges(_array(features)))
    assert len(chain) < 4 * len(features) / 4
    assert _all(features) == _brute(features)


def test_the_middle_of_an_overlap_of_sheets_is_found_far_from_where_they_cross():
    sheet = squares(12, 12)
    features = [*sheet, *(translate(s, 7.5, 7.5) for s in sheet)]
    assert _all(features) == _brute(features)


def test_slivers_that_the_arrangement_loses_are_doubtful(monkeypatch):
    features = _needles(1)
    nothing = np.empty(0, dtype=object)

    def lossy(edges):
        return replace(faces(edges), cells=nothing, inner=nothing)

    monkeypatch.setattr(overlap_pairs, "faces", lossy)
    assert _all(features) == _brute(features)


@pytest.mark.parametrize("wedges", [3, 30])
def test_a_fan_around_a_point_is_doubtful_when_two_wedges_are_the_same(wedges):
    angle = np.linspace(0, 2 * np.pi, wedges + 1)
    rim = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    fan = [shapely.Polygon([(0, 0), a, b]) for a, b in pairwise(rim)]
    middle = _array([shapely.Point(0, 0)])
    assert overlap_pairs._shared(middle, _array([*fan, fan[0]])).tolist() == [True]
    if wedges < overlap_pairs.CROWD:
        assert overlap_pairs._shared(middle, _array(fan)).tolist() == [False]


def test_a_clean_coverage_has_no_doubtful_region():
    for polygons in (squares(20, 20), voronoi(np.random.default_rng(0), 400)):
        areas = _array(polygons)
        chain, _, _ = cancelled(directed_edges(areas))
        assert len(doubtful_regions(chain, lambda _, areas=areas: areas)) == 0


def test_lines_share_a_stretch_only_along_a_length():
    lines = [
        shapely.LineString([(0, 0), (4, 0)]),
        shapely.LineString([(3, 0), (6, 0)]),
        shapely.LineString([(2, -1), (2, 1)]),
        shapely.LineString([(6, 0), (9, 0)]),
        shapely.LineString([(4, 0), (0, 0)]),
    ]
    assert _all(lines, STRETCH) == {(0, 1), (0, 4), (1, 4)} == _brute(lines, "1")


def test_pairs_in_many_chunks(monkeypatch):
    features = [translate(s, 0.1 * k, 0) for k in range(3) for s in squares(6, 6)]
    expected = _brute(features)
    monkeypatch.setattr(overlap_pairs, "QUERIED", 5)
    monkeypatch.setattr(overlap_pairs, "DECIDED", 7)
    for worth in (0.0, 2.0):
        monkeypatch.setattr(overlap_pairs, "WORTH", worth)
        assert _all(features) == expected


def test_asks_whether_to_go_on():
    def stop():
        raise TimeoutError

    boxes = _array(squares(1, 1) * 2)
    with pytest.raises(TimeoutError):
        meeting(boxes, np.arange(2), np.ones(2, bool), AREA, cancel=stop)
