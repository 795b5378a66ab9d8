from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline.contract.rules.topology import MatchedEdges
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.coverage.coverages import (
    damaged_coverages,
    polygonal,
    real_frame,
    squares,
)
from spatial_pipeline_tests.support import memory_vector, run_rule

SIZES = (1, 2, 5, 50, None)
MISSING, NEAR = "missing vertex", "nearly coincident"


def _check(features, size=None, jobs=1, crs="EPSG:32633", **parameters):
    data = memory_vector(features, crs=crs)
    return run_rule(MatchedEdges(**parameters), data, tile_size=size, jobs=jobs)


def _found(violations):
    """Row of the edge and its ends → length of the shared stretch."""
    return {
        (int(rows[0]), *line.coords): measure
        for rows, line, measure in zip(
            violations.rows, violations.geometry, violations.measure.tolist(), strict=True
        )
    }


def _directed(features):
    """(row, start, end) of every edge of every valid polygon, the interior to the left."""
    for row, feature in enumerate(features):
        area = polygonal(feature)
        if area is None:
            continue
        for part in shapely.orient_polygons(area).geoms:
            for ring in (part.exterior, *part.interiors):
                for a, b in pairwise([(x + 0.0, y + 0.0) for x, y, *_ in ring.coords]):
                    if a != b:
                        yield row, a, b


def _stretch(one, other, reach):
    """Squared length along ``one`` that ``other`` lies beside it, in fractions."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = (
        tuple(map(Fraction, p)) for p in (*one[1:], *other[1:])
    )
    ux, uy = bx - ax, by - ay
    size = ux * ux + uy * uy
    far, near = (((x - ax) * ux + (y - ay) * uy) / size for x, y in ((cx, cy), (dx, dy)))
    if far <= near:
        return Fraction(0)
    low, high = max(near, Fraction(0)), min(far, Fraction(1))
    if high <= low:
        return Fraction(0)
    for at in (low, high):
        share = (at - near) / (far - near)
        x, y = dx + share * (cx - dx), dy + share * (cy - dy)
        across = (ux * (y - ay) - uy * (x - ax)) ** 2 / size
        if across > Fraction(reach) ** 2:
            return Fraction(0)
    length = (high - low) ** 2 * size
    return length if length > Fraction(reach) ** 2 else Fraction(0)


def _brute(features, distance):
    """Every edge without a reversed twin that an edge without one runs beside."""
    edges = list(_directed(features))
    known = {(a, b) for _, a, b in edges}
    edges = [e for e in edges if (e[2], e[1]) not in known]
    largest = max((abs(v) for f in features if polygonal(f) for v in f.bounds), default=0.0)
    reach = max(distance, 4 * float(np.spacing(largest)))
    lines = [shapely.LineString(e[1:]) for e in edges]
    near = shapely.STRtree(lines).query(shapely.buffer(lines, 2 * reach))
    return {
        edges[i]
        for i, k in near.T
        if edges[i][0] != edges[k][0] and _stretch(edges[i], edges[k], reach)
    }


def _invalid_edges(features):
    """What GEOS calls invalid, edge by edge, whichever way it runs."""
    lines = shapely.coverage_invalid_edges(features)
    return {
        (row, *sorted(edge))
        for row, line in enumerate(lines)
        for part in shapely.get_parts(line)
        for edge in pairwise(part.coords)
    }


def test_neighbours_with_the_same_vertices_pass():
    result, violations = _check(squares(3, 3))
    assert result.status is Status.PASSED
    assert (result.checked, len(violations)) == (9, 0)
    assert result.message == "9 checked"


def test_a_t_junction_is_told_on_both_sides():
    left, upper, lower = shapely.box(0, 0, 4, 4), shapely.box(4, 1, 8, 4), shapely.box(4, 0, 8, 1)
    result, violations = _check([left, upper, lower])
    assert _found(violations) == {
        (0, (4.0, 0.0), (4.0, 4.0)): 3.0,
        (1, (4.0, 4.0), (4.0, 1.0)): 3.0,
        (2, (4.0, 1.0), (4.0, 0.0)): 1.0,
    }
    assert violations.rows.tolist() == [[0, 1], [1, 0], [2, 0]]
    assert set(violations.reasons) == {MISSING}
    assert violations.unit == "m"
    assert result.status is Status.FAILED
    assert result.message == "3 unmatched edges, longest 3 m"


def test_edges_that_nearly_coincide_count_within_the_distance():
    features = [shapely.box(0, 0, 4, 4), shapely.box(4.01, 0, 8, 4)]
    assert _check(features)[0].status is Status.PASSED
    assert _check(features, distance=0.009)[0].status is Status.PASSED
    _, violations = _check(features, distance=0.011)
    assert _found(violations) == {
        (0, (4.0, 0.0), (4.0, 4.0)): 4.0,
        (1, (4.01, 4.0), (4.01, 0.0)): 4.0,
    }
    assert set(violations.reasons) == {NEAR}


def test_edges_that_only_meet_or_cross_are_another_matter():
    features = [
        shapely.Polygon([(0, 0), (4, 0), (2, 4)]),
        shapely.Polygon([(4, 0), (8, 0), (6, 4)]),
        shapely.Polygon([(20, 0), (24, 0), (24, 4)]),
        shapely.Polygon([(22, -1), (26, -1), (26, 3)]),
    ]
    for distance in (0.0, 0.05):
        assert _check(features, distance=distance)[0].status is Status.PASSED


def test_an_inner_polygon_along_the_same_side_is_an_overlap():
    assert _check([shapely.box(0, 0, 4, 4), shapely.box(0, 1, 2, 3)])[0].status is Status.PASSED


def test_holes_and_parts_have_edges_too():
    ring = shapely.box(0, 0, 9, 9).difference(shapely.box(3, 3, 6, 6))
    halves = shapely.MultiPolygon([shapely.box(3, 3, 6, 4), shapely.box(3, 5, 6, 6)])
    _, violations = _check([ring, halves])
    assert {(int(r[0]), m) for r, m in zip(violations.rows, violations.measure, strict=True)} == {
        (0, 2.0),
        (1, 1.0),
    }
    assert len(violations) == 6


def test_a_duplicate_hides_nothing_and_adds_its_own_edges():
    left, right = shapely.box(0, 0, 4, 4), shapely.box(4, 0, 8, 4)
    assert _check([left, right, left])[0].status is Status.PASSED
    halves = [shapely.box(4, 0, 8, 2), shapely.box(4, 2, 8, 4)]
    for size in SIZES:
        _, violations = _check([left, *halves, left], size=size)
        assert sorted(k[0] for k in _found(violations)) == [0, 1, 2, 3]


def test_short_stretches_are_accepted():
    features = [shapely.box(0, 0, 4, 4), shapely.box(4, 1, 8, 4), shapely.box(4, 0, 8, 1)]
    assert len(_check(features, tolerance=1.0)[1]) == 2
    result, violations = _check(features, tolerance=3.0, crs="EPSG:4326")
    assert (result.status, len(violations)) == (Status.PASSED, 0)
    assert "tolerance and distance are in degrees" in result.message


def test_what_is_not_judged_is_said():
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    result, _ = _check([None, shapely.Point(1, 1), bow_tie, shapely.box(0, 0, 1, 1)])
    assert result.checked == 1
    for said in ("1 null geometry", "1 point feature", "1 invalid geometry"):
        assert said in result.message


@pytest.mark.parametrize("features", [[], [None], squares(1, 1)])
def test_little_or_nothing(features):
    assert _check(features)[0].status is Status.PASSED


def test_a_vertex_computed_to_lie_on_an_edge_is_a_missing_one():
    random = np.random.default_rng(5)
    corners = np.add(random.uniform(0, 100, (40, 4, 2)), (400_000, 5_000_000))
    for a, b, c, d in corners:
        middle = a + (b - a) * random.uniform(0.1, 0.9)
        one, other = shapely.Polygon([a, b, c]), shapely.Polygon([a, d, b, middle])
        if shapely.relate(one, other)[0] == "2" or not other.is_valid:
            continue
        if shapely.Polygon([a, b, c]).exterior.is_ccw == shapely.Polygon([a, b, d]).exterior.is_ccw:
            continue
        _, violations = _check([one, other])
        assert len(violations) == 3
        assert set(violations.reasons) == {MISSING}


@given(damaged_coverages(), st.sampled_from([0.0, 0.0, 0.0137, 0.137]), st.sampled_from(SIZES))
@settings(max_examples=80, deadline=None)
def test_the_same_as_comparing_all_edges_in_fractions(features, distance, size):
    _, violations = _check(features, size=size, distance=distance)
    found = _found(violations)
    assert len(found) == len(violations) - _repeated(violations)
    assert set(found) == _brute(features, distance)


def _repeated(violations):
    """Edges that a feature has twice: in a collection, or in parts that touch along them."""
    keys = [
        (int(r[0]), *g.coords) for r, g in zip(violations.rows, violations.geometry, strict=True)
    ]
    return len(keys) - len(set(keys))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_same_as_geos_where_vertices_are_missing(columns, rows, seed):
    random = np.random.default_rng(seed)
    features = []
    for square in squares(columns, rows, 8.0):
        ring = shapely.segmentize(square, random.choice([8.0, 4.0, 2.0])).exterior.coords
        kept = [p for p in ring[:-1] if not (p[0] % 8 and random.random() < 0.4)]
        features.append(shapely.Polygon(kept))
    assume(all(f.area == 64 for f in features))
    _, violations = _check(features)
    assert {(row, *sorted(ends)) for row, *ends in _found(violations)} == _invalid_edges(features)


@given(damaged_coverages(), st.integers(0, 2**16))
@settings(max_examples=25, deadline=None)
def test_neither_cut_nor_threads_nor_order_matter(features, seed):
    _, whole = _check(features, distance=0.0137)
    for size, jobs in ((1, 1), (3, 2), (50, 2)):
        _, cut = _check(features, size=size, jobs=jobs, distance=0.0137)
        assert _found(cut) == _found(whole)
        assert cut.rows.tolist() == whole.rows.tolist() or size != 50
    order = np.random.default_rng(seed).permutation(len(features))
    _, mixed = _check([features[i] for i in order], distance=0.0137)
    assert {(int(order[k[0]]), *k[1:]) for k in _found(mixed)} == set(_found(whole))


@given(damaged_coverages(), st.floats(0, 2), st.floats(0, 2))
@settings(max_examples=25, deadline=None)
def test_a_larger_tolerance_never_finds_more(features, one, other):
    low, high = sorted((one, other))
    assert set(_found(_check(features, tolerance=high)[1])) <= set(
        _found(_check(features, tolerance=low)[1])
    )


@pytest.mark.parametrize("name", ["tokyo", "plots"])
def test_real_data(name):
    features = list(real_frame(name).geometry)
    _, violations = _check(features, size=50)
    assert set(_found(violations)) == _brute(features, 0.0)


def test_shifted_data_have_the_same_edges():
    features = [shapely.box(0, 0, 4, 4), shapely.box(4, 1, 8, 4), shapely.box(4, 0, 8, 1)]
    for shift in ((-2.0, -2.0), (500_000.0, 5_000_000.0)):
        assert len(_check([translate(f, *shift) for f in features])[1]) == 3
